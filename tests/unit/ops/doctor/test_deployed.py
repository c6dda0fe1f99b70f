"""What `doctor` says of a deployment, from recorded answers of AWS."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.contract.records import LABEL_COLUMNS, prediction_log_columns
from domain.drift.alert_state import AlertState, Announcement, Channel
from domain.drift.incident import Transition
from domain.webhook import WebhookSecret
from ops.doctor import deployed, machine, tracking
from ops.laptop import Laptop
from ops.tracking import DATABASE, SECRET, SERVICE, TrackingServer
from tests.repository import CONTRACT_TOML
from tests.unit.fakes import FakeS3
from tests.unit.ops.doctor.recorded import DEPLOYMENT, Call, Recorded, ask, record
from tests.unit.receiver import KEY

TOPIC = ("AWS::SNS::Topic", "Operations1", "arn:aws:sns:eu-west-1:123456789012:operations")


def _stacks(*statuses: str) -> list[Call]:
    made = {"StackName": "any", "CreationTime": "2026-01-01T00:00:00Z"}
    return [
        (
            "describe_stacks",
            status if status == "ValidationError" else {"Stacks": [made | {"StackStatus": status}]},
        )
        for status in statuses
    ]


@pytest.mark.parametrize(
    ("statuses", "levels", "words"),
    [
        (["CREATE_COMPLETE"] * 4 + ["UPDATE_COMPLETE"], ["ok"], "All 5 stacks are complete."),
        (["ValidationError"] * 5, ["note"], "Nothing is deployed as circle at stage dev."),
        (["CREATE_COMPLETE"] * 4 + ["ValidationError"], ["problem"], "circle-dev-Monitoring"),
        (["CREATE_COMPLETE"] * 4 + ["ROLLBACK_COMPLETE"], ["problem"], "was never created"),
        (["CREATE_COMPLETE"] * 4 + ["UPDATE_ROLLBACK_COMPLETE"], ["problem"], "failed (UPDATE_"),
        (["CREATE_COMPLETE"] * 4 + ["UPDATE_IN_PROGRESS"], ["note"], "is changing"),
    ],
)
def test_each_stack_is_there_and_its_last_change_went_through(
    statuses: list[str], levels: list[str], words: str
) -> None:
    found = ask(deployed.check_stacks, record(cloudformation=_stacks(*statuses)))
    assert levels == [level for level, *_ in found]
    assert words in found[0][1]
    assert all(step for level, _, step in found if level != "ok")


def test_this_machine_has_no_stack_of_the_tracking_server(tmp_path: Path) -> None:
    target = record(
        laptop=Laptop(folder=tmp_path), cloudformation=_stacks(*["CREATE_COMPLETE"] * 4)
    )
    assert "All 4 stacks are complete." == ask(deployed.check_stacks, target)[0][1]


class Before(Recorded):
    """A stage without a champion."""

    @property
    def models(self) -> Any:
        class Empty:
            def read_champion(self) -> None:
                return None

        return Empty()


def _tables(**changed: dict[str, str]) -> list[Call]:
    contract = Contract.parse(CONTRACT_TOML.read_text())
    columns = {"prediction_log": prediction_log_columns(contract), "labels": dict(LABEL_COLUMNS)}
    calls: list[Call] = []
    for log, wanted in columns.items():
        for table in (log, f"{log}_fallback"):
            listed = wanted | changed.get(table, {})
            described = [{"Name": n, "Type": kind} for n, kind in listed.items() if kind]
            answer = {"Table": {"Name": table, "StorageDescriptor": {"Columns": described}}}
            calls.append(("get_table", answer))
    return calls


@pytest.mark.parametrize(
    ("changed", "problems"),
    [
        ({}, []),
        ({"prediction_log": {"retired": "double"}}, []),
        ({"prediction_log": {"bmi": ""}}, [("Table prediction_log ", "bmi (double)")]),
        ({"labels_fallback": {"label": "string"}}, [("Table labels_fallback ", "label (boolean)")]),
    ],
    ids=["all", "one more", "one less", "another type"],
)
def test_the_tables_have_a_column_for_all_that_is_logged(
    changed: dict[str, dict[str, str]], problems: list[tuple[str, str]]
) -> None:
    made = record(glue=_tables(**changed))
    target = Before(made.stage, None, made.folder)
    target.__dict__.update(made.__dict__)
    target.__dict__["deployment"] = made.read_deployment()
    found = ask(deployed.check_tables, target)
    assert (["problem"] * len(problems) or ["ok"]) == [level for level, *_ in found]
    for (table, column), (_, sentence, step) in zip(problems, found, strict=False):
        assert table in sentence
        assert column in sentence
        assert step.startswith("make deploy STAGE=dev")


def _subscriptions(*pairs: tuple[str, str]) -> list[Call]:
    listed = [
        {"SubscriptionArn": arn, "Endpoint": endpoint, "Protocol": "email"}
        for arn, endpoint in pairs
    ]
    return [("list_subscriptions_by_topic", {"Subscriptions": listed})]


@pytest.mark.parametrize(
    ("waiting", "subscriptions", "levels", "words"),
    [
        ("0", [("arn:aws:sns:1", "me@example.org")], ["ok"], "No failed event waits"),
        (
            "3",
            [("arn:aws:sns:1", "me@example.org")],
            ["problem"],
            "3 events never reached their target.",
        ),
        (
            "0",
            [("PendingConfirmation", "me@example.org")],
            ["problem"],
            "me@example.org has not confirmed the operations topic",
        ),
        ("0", [], ["problem"], "Nobody subscribes to the operations topic"),
    ],
)
def test_failures_wait_nowhere_and_reach_somebody(
    waiting: str, subscriptions: list[tuple[str, str]], levels: list[str], words: str
) -> None:
    attributes = {"Attributes": {"ApproximateNumberOfMessages": waiting}}
    target = record(
        resources=[TOPIC],
        sqs=[("get_queue_attributes", attributes)],
        sns=_subscriptions(*subscriptions),
    )
    found = ask(deployed.check_failures, target)
    assert levels == [level for level, *_ in found]
    assert words in found[0][1]


def test_a_raised_alarm_says_what_its_description_advises() -> None:
    alarms = [
        {
            "AlarmName": "Throttles",
            "StateValue": "ALARM",
            "AlarmDescription": "Throttled: ask for more.",
        },
        {"AlarmName": "Errors", "StateValue": "OK", "AlarmDescription": "Errors: read the log."},
    ]
    target = record(
        resources=[("AWS::CloudWatch::Alarm", name, name) for name in ("Throttles", "Errors")],
        cloudwatch=[("describe_alarms", {"MetricAlarms": alarms})],
    )
    assert [("problem", "Alarm Throttles: Throttled.", "ask for more.")] == ask(
        deployed.check_alarms, target
    )


GROUP = ("AWS::EC2::SecurityGroup", "TrainingGroup1", "sg-0123456789abcdef0")
SERVER = [
    (DATABASE, "Db", "tracking"),
    (SECRET, "Secret", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s"),
    (SERVICE, "Service", "arn:aws:ecs:eu-west-1:123456789012:service/ours/mlflow"),
]


def _mlflow(
    *,
    database: str = "available",
    desired: int = 1,
    health: str = "HEALTHY",
    registered: str = "10.0.0.7",
    group: str = GROUP[2],
) -> Recorded:
    service = {
        "desiredCount": desired,
        "serviceRegistries": [
            {"registryArn": "arn:aws:servicediscovery:eu-west-1:123456789012:service/srv-1"}
        ],
        "networkConfiguration": {
            "awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}
        },
        "events": [{"message": "unable to place a task"}],
    }
    task = {
        "lastStatus": "RUNNING",
        "healthStatus": health,
        "attachments": [{"details": [{"name": "privateIPv4Address", "value": "10.0.0.7"}]}],
    }
    rule = {"FromPort": 5000, "ToPort": 5000, "UserIdGroupPairs": [{"GroupId": group}]}
    instance = {"Id": "i", "Attributes": {"AWS_INSTANCE_IPV4": registered}}
    return record(
        resources=[*SERVER, GROUP],
        rds=[("describe_db_instances", {"DBInstances": [{"DBInstanceStatus": database}]})],
        ecs=[
            ("describe_services", {"services": [service]}),
            ("list_tasks", {"taskArns": ["arn"]}),
            ("describe_tasks", {"tasks": [task]}),
        ],
        servicediscovery=[("list_instances", {"Instances": [instance]})],
        ec2=[("describe_security_groups", {"SecurityGroups": [{"IpPermissions": [rule]}]})],
    )


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        ({}, "ok", "MLflow is healthy, found by its name, and open to the training."),
        ({"database": "stopped"}, "note", "its database is stopped"),
        ({"desired": 0}, "note", "0 tasks are wanted"),
        ({"health": "UNHEALTHY"}, "problem", "No healthy MLflow task runs. unable to place a task"),
        ({"registered": "10.0.0.9"}, "problem", "leads to no healthy MLflow task"),
        ({"group": "sg-other"}, "problem", "lets no training in on port 5000"),
    ],
)
def test_the_trainings_way_to_mlflow_is_followed(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], level: str, words: str
) -> None:
    target = _mlflow(**changed)
    target.__dict__["deployment"] = target.read_deployment()
    server = TrackingServer(*(name for _, _, name in SERVER))
    monkeypatch.setattr(TrackingServer, "find", lambda *_: server)
    ((found, sentence, step),) = ask(tracking.check_mlflow, target)
    assert level == found
    assert words in sentence
    assert (level != "ok") == bool(step)


def test_a_package_of_another_version_is_found_and_a_conditional_pin_is_not(
    tmp_path: Path,
) -> None:
    pins = tmp_path / "constraints.txt"
    pins.write_text("# pins\npytest==0.1\nboto3==0.1 ; python_version < '3'\nno-such-package==1\n")
    (found,) = machine.list_differing_packages(pins)
    assert found.startswith("pytest ")
    assert found.endswith(", not 0.1")


class Waiting(Recorded):
    """A stage in whose bucket an announcement waits for `channels`, with a webhook's secret."""

    def bucket(self, name: str) -> Bucket:
        waiting = Announcement(
            transition=Transition.OPEN, run_ids=("a",), channels=self.__dict__["channels"]
        )
        state = AlertState(pending=(waiting,) if waiting.channels else ())
        return FakeS3(objects={keys.ALERT_STATE: state.to_json()}).bucket()


@pytest.mark.parametrize(
    ("channels", "url", "expected"),
    [
        ((), "https://example.org/hook", [("ok", "No notification is pending.")]),
        ((), "", [("ok", "No notification is pending."), ("problem", "The webhook has no URL.")]),
        (
            ("mail", "webhook"),
            "https://example.org/hook",
            [("problem", "1 notification is pending: refused by mail and webhook.")],
        ),
    ],
)
def test_what_a_channel_has_not_accepted_is_a_problem(
    channels: tuple[Channel, ...], url: str, expected: list[tuple[str, str]]
) -> None:
    secret = {"SecretString": WebhookSecret(key=KEY, url=url).to_json()}
    target = record(secretsmanager=[("get_secret_value", secret)])
    target.__class__ = Waiting
    target.__dict__["channels"] = channels
    target.__dict__["deployment"] = replace(DEPLOYMENT, webhook_secret="arn:secret")
    found = ask(deployed.check_notifications, target)
    assert expected == [(level, sentence) for level, sentence, _ in found]
    assert all(step for level, _, step in found if level != "ok")
