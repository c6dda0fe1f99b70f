"""Several models on one machine: side by side, each for itself, and one of them removed."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.api import Api
from ops.commands.data import sample_data
from ops.commands.machine import mail
from ops.laptop import Laptop
from ops.local.deploy import CLI, cdk_env, context_arguments
from ops.target import Target
from tests.e2e.conftest import brought_up, ops
from tests.infra.security.rights import Statement, with_context
from tests.repository import CONTRACT_TOML, ROOT

ROWS, PREDICTIONS = 4_000, 300
NAMES = {"circle": "diabetes", "churn": "churned"}
MANY = 20


def _write_contract(folder: Path, target: str, without: str = "") -> Path:
    """The example's contract with another target, and perhaps without one of its features."""
    parts = CONTRACT_TOML.read_text().split("[[features]]")
    kept = [part for part in parts if f'name = "{without}"' not in part]
    path = folder / f"{target}.toml"
    path.write_text("[[features]]".join(kept).replace('name = "diabetes"', f'name = "{target}"'))
    return path


def _json(folder: Path, *arguments: str) -> Any:
    done = ops(folder, *arguments, "--json")
    assert 0 == done.returncode, done.stderr + done.stdout
    return json.loads(done.stdout)


def _write_rows(folder: Path, target: str) -> Path:
    path = folder / f"{target}.csv"
    sample_data.write(rows=ROWS, seed=1, path=path)
    path.write_text(path.read_text().replace("diabetes", target, 1))
    return path


def _count_objects(target: Target) -> dict[str, int]:
    buckets = ("data", "models", "predictions", "reports")
    return {name: len(list(target.bucket(name).list(""))) for name in buckets}


@pytest.mark.slow
def test_two_models_learn_at_a_time_and_mail_their_own_drift_and_one_is_removed(
    tmp_path: Path,
) -> None:
    local = tmp_path / "local"
    with brought_up(local, {}) as circle:
        contract = _write_contract(tmp_path, "churned")
        _json(local, "up", "--name", "churn", "--contract", str(contract))
        for name, target in NAMES.items():
            _json(local, "upload", "--name", name, str(_write_rows(tmp_path, target)))
        command = [sys.executable, "-m", "ops", "--local", str(local)]
        trainings = [
            subprocess.Popen(
                [*command, "train", "--name", name, "--trials", "2"],
                cwd=ROOT,
            )
            for name in NAMES
        ]
        assert [0, 0] == [training.wait(timeout=900) for training in trainings]
        for name in NAMES:
            shifted = ("--rows", str(PREDICTIONS), "--scenario", "shift")
            _json(local, "simulate", "--name", name, *shifted)
            _json(local, "drift", "--name", name, "--last-rows", str(PREDICTIONS), "--as-scheduled")
        _check_each_is_its_own(local, circle)
        _check_removal(local, circle)


def _check_each_is_its_own(local: Path, circle: Target) -> None:
    listed = {each["name"]: each for each in _json(local, "list")}
    assert NAMES == {name: each["target"] for name, each in listed.items()}
    assert len({each["api_url"] for each in listed.values()}) == len(NAMES)
    assert circle.laptop is not None
    sent = mail.read_mails(circle.laptop)
    assert len(NAMES) == len(sent)
    for name, target in NAMES.items():
        found = listed[name]
        assert found["outcome"] in ("data_drift", "prediction_drift")
        assert found["incident"]
        assert found["champion"]
        (own,) = [each for each in sent if found["api_url"] in each.html]
        assert own.subject.startswith(f"[{target} {name}-dev]")
    # The log of each holds its own predictions.
    counted = "SELECT count(*) AS n FROM prediction_log"
    for name in NAMES:
        assert [{"n": PREDICTIONS}] == _json(local, "query", "--name", name, counted)


def _check_removal(local: Path, circle: Target) -> None:
    """The one that is removed leaves nothing with its name, and the other one as it was."""
    before = _count_objects(circle)
    assert {"removed": "churn", "left": ["circle"]} == _json(
        local, "remove", "--name", "churn", "--yes"
    )
    assert ["circle"] == [each["name"] for each in _json(local, "list")]
    assert {"circle"} == set(Laptop.load(local).contracts)
    buckets = [each["Name"] for each in circle.client("s3").list_buckets()["Buckets"]]
    functions = circle.client("lambda").list_functions()["Functions"]
    queues = circle.client("sqs").list_queues().get("QueueUrls", [])
    named = [*buckets, *queues, *(each["FunctionName"] for each in functions)]
    assert len(named) > 10
    assert [] == [name for name in named if "churn" in name]
    assert before == _count_objects(circle)
    api = Api(circle.deployment.api_url, circle.api_key())
    assert 200 == api.get("/health")[0]
    # Its name is free again, in MLflow too.
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    client = MlflowClient(circle.deployment.mlflow_url)
    experiments = [found.name for found in client.search_experiments(ViewType.ALL)]
    assert "circle-dev-diabetes" in experiments
    assert "churn-dev-churned" not in experiments


@pytest.mark.slow
def test_twenty_contracts_are_deployed_on_one_emulator_and_none_may_touch_another(
    tmp_path: Path,
) -> None:
    with brought_up(tmp_path / "local", {}) as circle:
        names = [f"model{number}" for number in range(1, MANY)]  # model1 begins as model10 does
        _deploy_at_once(circle, tmp_path, names)
        targets = [circle, *(circle.named(name) for name in names)]
        assert MANY == len({target.deployment.api_url for target in targets})
        roles = {target.name: _read_roles(target) for target in targets}
        calls = {target.name: _list_calls(target) for target in targets}
        for name, policies in roles.items():
            refused = [call for call in calls[name] if not _is_allowed(policies, call)]
            assert [] == refused
            foreign = [
                (name, *call)
                for other, found in calls.items()
                if other != name
                for call in found
                if _is_allowed(policies, call)
            ]
            assert [] == foreign


def _deploy_at_once(circle: Target, folder: Path, names: list[str]) -> None:
    """Deploy a contract under each name, with a target and features of its own, by one run."""
    features = ("hypertension", "heart_disease", "smoking_history", "bmi", "HbA1c_level", "")
    contracts = {
        name: str(_write_contract(folder, f"ill_{name}", features[number % len(features)]))
        for number, name in enumerate(names)
    }
    laptop = circle.require_laptop("up")
    environ = cdk_env(laptop, os.environ)
    application = shlex.join([sys.executable, "-m", "tests.e2e.many_app"])
    done = subprocess.run(
        [
            *("node", str(CLI), "deploy", "--all", "--require-approval", "never"),
            *("--app", application, "--output", str(folder / "cdk.out"), "--concurrency", "4"),
            *("--no-notices", "--no-version-reporting", "--progress", "events"),
            *(*context_arguments(laptop, contract=None, mail_to=None),),
            *("-c", f"contracts={json.dumps(contracts)}"),
        ],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr[-4_000:]


def _is_allowed(policies: list[list[Statement]], call: tuple[str, str]) -> bool:
    return any(with_context(statements, *call) for statements in policies)


def _read_roles(target: Target) -> list[list[Statement]]:
    """The statements of each role of a deployment, as the emulator's IAM has them."""
    iam = target.client("iam")
    found = []
    for name in target.resources.names("AWS::IAM::Role"):
        statements: list[Statement] = []
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            statements += document["Statement"]
        found.append(statements)
    return found


def _list_calls(target: Target) -> list[tuple[str, str]]:
    """(action, ARN) of what some role of a deployment may do with what is the deployment's own."""
    here = "us-east-1:000000000000"
    deployed = target.deployment
    (bus, *_) = target.resources.names("AWS::Events::EventBus")
    (secret, *_) = target.resources.names("AWS::SecretsManager::Secret")
    (topic, *_) = target.resources.names("AWS::SNS::Topic")
    (key, *_) = target.resources.names("AWS::KMS::Key")
    (stream, *_) = target.resources.names("AWS::KinesisFirehose::DeliveryStream")
    models = f"arn:aws:s3:::{deployed.models_bucket}"
    return [
        ("s3:GetObject", f"{models}/serving/champion.json"),
        ("s3:PutObject", f"{models}/serving/champion.json"),
        ("s3:PutObject", f"{models}/mlflow/{target.names.base}/1/artifacts/card.json"),
        ("s3:ListBucket", models),
        ("s3:GetObject", f"arn:aws:s3:::{deployed.data_bucket}/raw/a.csv"),
        ("s3:GetObject", f"arn:aws:s3:::{deployed.predictions_bucket}/log/dt=2026-01-01/a.parquet"),
        ("s3:DeleteObjectVersion", f"arn:aws:s3:::{deployed.data_bucket}/raw/a.csv"),
        ("s3:PutObject", f"arn:aws:s3:::{deployed.reports_bucket}/alerts/state.json"),
        ("kms:Decrypt", f"arn:aws:kms:{here}:key/{key}"),
        ("secretsmanager:GetSecretValue", secret),
        ("sns:Publish", topic),
        ("events:PutEvents", f"arn:aws:events:{here}:event-bus/{bus}"),
        ("firehose:PutRecordBatch", f"arn:aws:firehose:{here}:deliverystream/{stream}"),
        ("states:StartExecution", deployed.state_machine_arn),
        ("states:SendTaskSuccess", deployed.state_machine_arn),
        ("lambda:InvokeFunction", f"arn:aws:lambda:{here}:function:{deployed.drift_function}"),
        ("athena:StartQueryExecution", f"arn:aws:athena:{here}:workgroup/{deployed.workgroup}"),
        ("glue:GetTable", f"arn:aws:glue:{here}:table/{deployed.database}/prediction_log"),
    ]
