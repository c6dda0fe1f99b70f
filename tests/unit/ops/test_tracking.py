"""Pause, resume and password rotation of an account's tracking server."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from domain.deployment import Deployment, output_key
from ops import tracking
from ops.commands.account import pause, resume, rotate_db_password
from ops.commands.machine import open as open_
from ops.errors import OpsError
from ops.laptop import Laptop
from ops.target import Target
from tests.repository import ROOT

OLD = {"username": "mlflow", "password": "old", "host": "db", "port": 5432, "dbname": "mlflow"}


class Stacks:
    """CloudFormation, which knows one stack's resources."""

    tracking = ""

    def __init__(self, resources: dict[str, str]) -> None:
        self._resources = resources

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        values = {output_key(field.name): "-" for field in fields(Deployment)}
        values[output_key("tracking")] = self.tracking
        values[output_key("state_machine_arn")] = MACHINE
        outputs = [{"OutputKey": k, "OutputValue": v} for k, v in values.items()]
        return {"Stacks": [{"Outputs": outputs}]}

    def get_paginator(self, operation: str) -> "Stacks":
        assert "list_stack_resources" == operation
        return self

    def paginate(self, StackName: str) -> Iterator[dict[str, Any]]:
        assert "circle-dev-Tracking" == StackName
        for kind, name in self._resources.items():
            yield {"StackResourceSummaries": [{"ResourceType": kind, "PhysicalResourceId": name}]}


class Account(Target):
    """A stage of moto's account."""

    in_stack: dict[str, str] = {}  # noqa: RUF012 - one account at a time
    replaced: dict[str, Any] = {}  # noqa: RUF012 - and its clients

    def client(self, service: str, **options: Any) -> Any:
        if service == "cloudformation":
            return Stacks(self.in_stack)
        return self.replaced.get(service) or super().client(service, **options)


class Executions:
    """Step Functions, which runs so many executions."""

    def __init__(self, running: int) -> None:
        self._running = running

    def list_executions(self, **options: Any) -> dict[str, Any]:
        assert (MACHINE, "RUNNING") == (options["stateMachineArn"], options["statusFilter"])
        return {"executions": [{}] * self._running}


MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:circle-dev-training"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Account]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(tracking, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(tracking, "PATIENCE_SECONDS", 0.2)
    with mock_aws():
        boto3.client("rds").create_db_instance(
            DBInstanceIdentifier="tracking",
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="mlflow",
            MasterUserPassword="old-password",
        )
        made = boto3.client("secretsmanager").create_secret(
            Name="tracking", SecretString=json.dumps(OLD)
        )
        resources = {
            tracking.DATABASE: "tracking",
            tracking.SECRET: made["ARN"],
            tracking.SERVICE: "arn:aws:ecs:us-east-1:123456789012:service/ours/mlflow",
        }
        monkeypatch.setattr(Account, "in_stack", resources)
        monkeypatch.setattr(Account, "replaced", {"stepfunctions": Executions(0)})
        yield Account("dev", None, tmp_path)


@pytest.mark.parametrize("status", ["stopping", "stopped", "starting"])
def test_a_deployment_to_a_paused_stage_is_refused_with_the_next_step(
    account: Account, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setattr(tracking.TrackingServer, "database_status", lambda *_: status)
    with pytest.raises(OpsError, match=f"circle-dev is paused: its database is {status}") as error:
        tracking.refuse_while_paused(account)
    assert "python -m ops resume" == error.value.next_step


def test_a_deployment_goes_on_where_the_database_runs_or_nothing_is_deployed_yet(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking.refuse_while_paused(account)
    monkeypatch.setattr(Account, "resources", {})
    tracking.refuse_while_paused(account)


@pytest.mark.parametrize(("code", "passes"), [("ValidationError", True), ("AccessDenied", False)])
def test_a_first_deployment_passes_and_an_account_that_says_nothing_does_not(
    account: Account, monkeypatch: pytest.MonkeyPatch, code: str, passes: bool
) -> None:
    def paginate(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": code}}, "ListStackResources")

    monkeypatch.setattr(Stacks, "paginate", paginate)
    with nullcontext() if passes else pytest.raises(ClientError):
        tracking.refuse_while_paused(account)


def test_make_deploy_checks_the_stage_first_and_hands_its_arguments_on() -> None:
    command = [
        "make",
        "--no-print-directory",
        "--dry-run",
        "--assume-old=setup",
        "deploy",
        "STAGE=prod",
        "NAME=heart",
    ]
    command += ["MAIL_FROM=a@example.org", "ARGS=--require-approval never"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    check, deploy = done.stdout.splitlines()[-2:]
    assert check.endswith("-m ops.predeploy --name heart --stage prod")
    assert '-c name=heart -c stage=prod -c mail_from="a@example.org"' in deploy
    assert deploy.endswith("--require-approval never")


@pytest.fixture
def deployments(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the service was told; moto's services never settle."""
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(
        tracking.TrackingServer, "update_service", lambda _, __, **changes: told.append(changes)
    )
    return told


def secret() -> dict[str, Any]:
    client = boto3.client("secretsmanager")
    (found,) = client.list_secrets()["SecretList"]
    value: dict[str, Any] = json.loads(
        client.get_secret_value(SecretId=found["ARN"], VersionStage="AWSCURRENT")["SecretString"]
    )
    return value


def database_status() -> str:
    (found,) = boto3.client("rds").describe_db_instances()["DBInstances"]
    return str(found["DBInstanceStatus"])


def stages() -> list[str]:
    client = boto3.client("secretsmanager")
    (found,) = client.list_secrets()["SecretList"]
    versions = client.describe_secret(SecretId=found["ARN"])["VersionIdsToStages"].values()
    return sorted(stage for names in versions for stage in names)


def test_the_stack_says_what_belongs_to_the_server(account: Account) -> None:
    server = tracking.TrackingServer.find(account, "pause")
    assert ("tracking", "ours") == (server.database, server.cluster)
    assert server.service.endswith("/mlflow")


def test_a_rotation_changes_the_password_alone_and_shows_it_nowhere(
    account: Account, deployments: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    rotate_db_password.run(account)
    new = secret()
    assert {"password"} == {name for name in OLD if new[name] != OLD[name]}
    assert rotate_db_password.LENGTH == len(new["password"])
    assert [{"forceNewDeployment": True}] == deployments
    assert ["AWSCURRENT", "AWSPREVIOUS"] == stages()
    shown = capsys.readouterr()
    assert new["password"] not in shown.out + shown.err


def test_the_database_gets_the_password_that_waits_in_the_secret(
    account: Account, deployments: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, given = boto3.client("rds"), []

    class Watched:
        def modify_db_instance(self, **changes: Any) -> None:
            given.append(changes["MasterUserPassword"])

        def __getattr__(self, name: str) -> Any:
            return getattr(client, name)

    monkeypatch.setattr(Account, "replaced", {"rds": Watched()})
    rotate_db_password.run(account)
    assert [secret()["password"]] == given


def test_an_interrupted_rotation_goes_on_with_the_same_password(
    account: Account, deployments: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = tracking.TrackingServer.find(account, "rotate-db-password")
    waiting = rotate_db_password._stage_password(account.client("secretsmanager"), server.secret)
    assert "old" == secret()["password"]
    rotate_db_password.run(account)
    assert secret()["password"] == waiting


def test_a_pause_stops_server_and_database_and_a_resume_starts_them(
    account: Account, deployments: list[dict[str, Any]]
) -> None:
    pause.run(account)
    assert ("stopped", [{"desiredCount": 0}]) == (database_status(), deployments)
    resume.run(account)
    assert ("available", [{"desiredCount": 1}]) == (database_status(), deployments[1:])


def test_what_was_interrupted_can_be_said_again(
    account: Account, deployments: list[dict[str, Any]]
) -> None:
    for _ in range(2):
        pause.run(account)
    assert "stopped" == database_status()
    for _ in range(2):
        resume.run(account)
    assert "available" == database_status()


class Slow:
    """RDS, whose database is on its way: it shows each status once, the last one for good."""

    def __init__(self, *statuses: str) -> None:
        self._statuses = list(statuses)
        self.told: list[str] = []

    def describe_db_instances(self, **_: Any) -> dict[str, Any]:
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        return {"DBInstances": [{"DBInstanceStatus": status}]}

    def stop_db_instance(self, **_: Any) -> None:
        self.told.append("stop")
        self._statuses = ["stopping", "stopped"]

    def start_db_instance(self, **_: Any) -> None:
        self.told.append("start")
        self._statuses = ["starting", "available"]


@pytest.mark.parametrize(
    ("command", "statuses", "told"),
    [
        (pause, ("backing-up", "backing-up", "available"), ["stop"]),
        (pause, ("stopping", "stopped"), []),
        (resume, ("stopping", "stopping", "stopped"), ["start"]),
        (resume, ("starting", "available"), []),
    ],
)
def test_a_database_that_is_on_its_way_is_waited_for(
    account: Account,
    deployments: list[dict[str, Any]],
    command: Any,
    statuses: tuple[str, ...],
    told: list[str],
) -> None:
    rds = Slow(*statuses)
    account.replaced["rds"] = rds
    command.run(account)
    assert rds.told == told


def test_a_running_training_keeps_its_tracking_server(
    account: Account, deployments: list[dict[str, Any]]
) -> None:
    account.replaced["stepfunctions"] = Executions(1)
    with pytest.raises(OpsError, match="A training of circle is running"):
        pause.run(account)
    assert ("available", []) == (database_status(), deployments)


def test_a_database_that_does_not_settle_is_a_sentence(account: Account) -> None:
    server = tracking.TrackingServer.find(account, "pause")
    with pytest.raises(OpsError, match="The database is not stopped after"):
        server.await_database(account, "stopped")


def test_a_laptop_has_nothing_to_pause(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="is for a stage of an account") as error:
        pause.run(Target.on_laptop(Laptop(folder=tmp_path)))
    assert "python -m ops --stage dev pause" == error.value.next_step


def test_a_half_deployed_stack_is_a_sentence(account: Account) -> None:
    del account.in_stack[tracking.DATABASE]
    with pytest.raises(OpsError, match="missing: AWS::RDS::DBInstance") as error:
        tracking.TrackingServer.find(account, "pause")
    assert "make deploy STAGE=dev MAIL_FROM=ADDRESS" == error.value.next_step


@pytest.mark.parametrize(
    ("stage", "advice"),
    [
        ("dev", "make deploy STAGE=dev MAIL_FROM=ADDRESS"),
        ("test", "Choose a stage of cdk.json (dev, prod), or add test to it."),
    ],
)
def test_only_a_stage_that_there_is_can_be_deployed(stage: str, advice: str) -> None:
    assert advice == Target(stage, None, Path()).deploy_command


def test_an_accounts_mlflow_is_not_opened_but_forwarded(account: Account) -> None:
    with pytest.raises(OpsError, match="inside the stage's network") as error:
        open_.run(account, open_.Page.MLFLOW)
    assert "docs/aws.md" in error.value.next_step


def test_the_service_is_waited_for(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Any]] = []

    class Services:
        def update_service(self, **options: Any) -> None:
            asked.append(("update", options))

        def get_waiter(self, name: str) -> "Services":
            asked.append(("waiter", name))
            return self

        def wait(self, **options: Any) -> None:
            asked.append(("wait", options))

    monkeypatch.setattr(Account, "replaced", {"ecs": Services()})
    server = tracking.TrackingServer.find(account, "pause")
    server.update_service(account, desiredCount=0)
    assert [
        ("update", {"cluster": "ours", "service": server.service, "desiredCount": 0}),
        ("waiter", "services_stable"),
        ("wait", {"cluster": "ours", "services": [server.service]}),
    ] == asked


@pytest.mark.parametrize("command", [pause, resume, rotate_db_password])
def test_a_deployment_without_a_server_of_its_own_names_the_owner(
    account: Account, monkeypatch: pytest.MonkeyPatch, command: Any
) -> None:
    monkeypatch.setattr(Stacks, "tracking", "heart")
    with pytest.raises(OpsError, match=r"circle uses the tracking server of heart\.") as error:
        command.run(account)
    assert error.value.next_step.startswith("python -m ops --name heart --stage dev ")


def test_a_training_of_any_deployment_that_uses_the_server_keeps_it(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Account("dev", None, account.folder, "churn")
    other.__dict__["tracking_owner"] = "circle"
    monkeypatch.setattr(pause, "list_deployments", lambda _: [account, other])
    monkeypatch.setattr(pause, "_is_training", lambda target: target is other)
    with pytest.raises(OpsError, match=r"A training of churn is running"):
        pause.run(account)
