"""A new stage, as its operator would try it: smoke, doctor, and a deployment that changes nothing.

It has an emulator of its own, which `ops` uses as if it were an account.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from domain import keys
from ops.commands.data import query
from ops.commands.machine import doctor, mail
from ops.doctor.finding import Level
from ops.local import deploy, mlflow_server
from ops.target import Target
from tests.e2e.conftest import brought_up, ops
from tests.repository import ROOT

PREDICTIONS, LABELS = 300, 20
Found = list[tuple[str, str, str]]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A stage on which nothing has been trained."""
    with brought_up(tmp_path_factory.mktemp("stage"), {}) as target:
        yield target


@pytest.fixture(scope="module")
def smoked(stage: Target) -> dict[str, Any]:
    """What `make smoke` says, run as in an account."""
    assert stage.laptop is not None
    program = shutil.which("make")
    assert program is not None
    done = subprocess.run(
        # Whoever runs the tests has set everything up.
        [program, "--no-print-directory", "-o", "setup", "smoke", "STAGE=dev", "ARGS=--json"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(stage.folder)} | stage.laptop.aws_env(),
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert 0 == done.returncode, done.stderr + done.stdout
    answer: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return answer


def test_one_command_shows_that_a_new_stage_works(stage: Target, smoked: dict[str, Any]) -> None:
    assert smoked["works"] is True
    champion = stage.champion()
    assert champion is not None
    assert smoked["left_behind"]["execution"].endswith(f":{champion.execution}")
    counted = "SELECT count(*), count(DISTINCT prediction_id) FROM prediction_log"
    assert [[str(PREDICTIONS)] * 2] == query.query(stage, counted)[1]
    assert [[str(LABELS)]] == query.query(stage, "SELECT count(*) FROM labels")[1]
    assert stage.laptop is not None
    (sent,) = mail.read_mails(stage.laptop)
    assert "HbA1c" in sent.subject


def test_it_says_what_it_cost_and_what_the_stage_costs(smoked: dict[str, Any]) -> None:
    assert 0 < smoked["usd"] < 0.50
    assert smoked["usd"] == pytest.approx(
        sum(line["usd"] for line in smoked["usd_lines"]), abs=1e-3
    )
    assert 20 < smoked["usd_a_month_idle"] < 50


def test_the_made_up_patients_are_gone_and_all_that_is_left_is_named(
    stage: Target, smoked: dict[str, Any]
) -> None:
    assert [] == list(stage.bucket("data").list(keys.RAW))
    left = smoked["left_behind"]
    assert {
        "execution",
        "dataset",
        "model version",
        "predictions",
        "labels",
        "drift run",
        "mail",
    } == set(left)
    dataset = left["dataset"].split("/", 3)[3]
    assert list(stage.bucket("data").list(dataset))
    run = keys.RunId.parse(left["drift run"])
    assert stage.bucket("reports").get(keys.summary(run)) is not None


def _examine(target: Target) -> Found:
    return [(f.level.value, name, f.sentence) for name, f in doctor.examine(target)]


@pytest.mark.usefixtures("smoked")
def test_a_stage_that_works_has_no_problem_and_looking_changes_nothing(stage: Target) -> None:
    called: set[str] = set()
    boto3.setup_default_session()
    events = boto3.DEFAULT_SESSION.events  # type: ignore[union-attr]  # it was set up above
    events.register("before-call", lambda model, **_: called.add(model.name))
    found = _examine(stage)
    assert [] == [finding for finding in found if finding[0] in ("problem", "unknown")]
    assert {"stacks", "champion", "tables", "streams", "MLflow", "drift runs", "failures"} <= {
        name for level, name, _ in found if level == "ok"
    }
    assert called
    assert [] == sorted(n for n in called if not n.startswith(("Get", "List", "Describe", "Head")))


@pytest.mark.usefixtures("smoked")
def test_seen_as_an_account_it_lacks_the_tracking_server_and_nothing_else(stage: Target) -> None:
    found = _examine(Target(stage.stage, None, stage.folder, stage.name))
    assert ("problem", "stacks", "Stacks are missing: circle-dev-Tracking.") in found
    problems = {name for level, name, _ in found if level == "problem"}
    assert problems <= {"stacks", "MLflow"}
    # The emulator doesn't have these two services; recorded answers stand in for them elsewhere.
    assert {"Fargate", "account plan"} == {n for level, n, _ in found if level == "unknown"}
    assert {"credentials", "settings", "bootstrap", "Lambda", "mail", "champion", "tables"} <= {
        name for level, name, _ in found if level == "ok"
    }


def _diff(stage: Target, *context: str) -> "subprocess.CompletedProcess[str]":
    laptop = stage.laptop
    assert laptop is not None
    options = ["--fail", "--method", "template", "--no-notices", "--no-version-reporting"]
    options += ["--output", str(stage.folder / "cdk.diff")]
    options += ["--app", shlex.join([sys.executable, "app.py"])]
    options += deploy.context_arguments(laptop, contract=None, mail_to=None)
    return subprocess.run(
        [shutil.which("node") or "node", str(deploy.CLI), "diff", *options, *context],
        cwd=ROOT,
        env=deploy.cdk_env(laptop, os.environ),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_second_deployment_of_the_same_commit_has_nothing_to_change(stage: Target) -> None:
    same = _diff(stage)
    assert 0 == same.returncode, same.stderr
    assert "Number of stacks with differences: 0" in same.stdout + same.stderr
    other = _diff(stage, "-c", "mail_to=other@example.org")
    assert 1 == other.returncode
    assert "circle-dev-Monitoring" in other.stdout + other.stderr


def _break(stage: Target) -> None:
    """Five things that go wrong in real life."""
    laptop, deployed = stage.laptop, stage.deployment
    assert laptop is not None
    mlflow_server.stop(laptop)
    stage.bucket("predictions").put(f"{keys.rejected('log')}format-conversion-failed/a", b"{}")
    (alarm, *_) = stage.resources.names("AWS::CloudWatch::Alarm", "AlarmsApiErrors")
    stage.client("cloudwatch").set_alarm_state(
        AlarmName=alarm, StateValue="ALARM", StateReason="test"
    )
    stage.client("sqs").send_message(QueueUrl=deployed.dead_letters, MessageBody="{}")
    glue = stage.client("glue")
    table = glue.get_table(DatabaseName=deployed.database, Name="prediction_log")["Table"]
    storage = table["StorageDescriptor"]
    storage["Columns"] = [c for c in storage["Columns"] if c["Name"] != "bmi"]
    kept = ("Name", "PartitionKeys", "TableType", "Parameters")
    glue.update_table(
        DatabaseName=deployed.database,
        TableInput={name: table[name] for name in kept} | {"StorageDescriptor": storage},
    )


@pytest.mark.usefixtures("smoked")
def test_what_is_broken_is_a_sentence_with_its_next_step(stage: Target) -> None:
    _break(stage)
    done = ops(stage.folder, "doctor", "--json")
    assert 1 == done.returncode
    problems = [f for f in json.loads(done.stdout) if f["level"] == Level.PROBLEM]
    sentences = {f["check"]: f["sentence"] for f in problems}
    assert "Not running: MLflow." == sentences["processes"]
    assert sentences["MLflow"].startswith("MLflow doesn't answer at http://")
    assert sentences["streams"].startswith("Records of log/ didn't fit their table")
    assert "AlarmsApiErrors" in sentences["alarms"]
    assert "1 event never reached its target." == sentences["failures"]
    assert "bmi (double)" in sentences["tables"]
    assert {"processes", "MLflow", "streams", "alarms", "failures", "tables"} == set(sentences)
    assert all(f["next_step"] for f in problems)
