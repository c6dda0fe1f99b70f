"""Commands against the emulator: upload, training's end, SQL, mailbox, what is not there."""

import json
import uuid
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.deployment import Deployment
from domain.training.steps import Promoted, Tuned
from ops import executions
from ops.commands.data.query import query
from ops.commands.data.query import run as run_query
from ops.commands.data.upload import upload
from ops.commands.machine import mail, status
from ops.commands.models import train
from ops.errors import OpsError
from ops.laptop import Laptop
from ops.target import Target

SENDER = "mlops@example.org"


def _target(laptop: Laptop, **outputs: str) -> Target:
    """A target whose deployment is as far as the test needs it."""
    target = Target.on_laptop(laptop)
    names = {field.name: "unused" for field in fields(Deployment) if field.name != "retention"}
    target.__dict__["deployment"] = Deployment(**(names | outputs))
    return target


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("a,b\n1,2\n")
    return path


def _raw(bucket: Bucket) -> list[str]:
    return [entry.key for entry in bucket.list(keys.RAW)]


def test_upload_adds_to_what_is_there(emulator: Laptop, bucket: Bucket, tmp_path: Path) -> None:
    target = _target(emulator, data_bucket=bucket.name)
    upload(target, [_file(tmp_path, "a.csv")], replace=False)
    upload(target, [_file(tmp_path, "b.csv")], replace=False)

    assert ["raw/a.csv", "raw/b.csv"] == _raw(bucket)


def test_upload_with_replace_leaves_only_the_new(
    emulator: Laptop, bucket: Bucket, tmp_path: Path
) -> None:
    target = _target(emulator, data_bucket=bucket.name)
    upload(target, [_file(tmp_path, "a.csv")], replace=False)
    upload(target, [_file(tmp_path, "b.csv")], replace=True)

    assert ["raw/b.csv"] == _raw(bucket)


def _execution(aws: Callable[[str], Any], state: dict[str, Any]) -> tuple[str, str]:
    client = aws("stepfunctions")
    machine = client.create_state_machine(
        name=f"m{uuid.uuid4().hex}",
        roleArn="arn:aws:iam::000000000000:role/any",
        definition=json.dumps({"StartAt": "Prepare", "States": {"Prepare": state}}),
    )["stateMachineArn"]
    return machine, client


def test_a_failed_training_is_its_named_error_and_sentence(
    emulator: Laptop, bucket: Bucket, aws: Callable[[str], Any]
) -> None:
    machine, _ = _execution(aws, {"Type": "Fail", "Error": "BadData", "Cause": "Not a CSV."})
    target = _target(emulator, state_machine_arn=machine, models_bucket=bucket.name)

    with pytest.raises(OpsError, match=r"ended as FAILED: BadData: Not a CSV\."):
        train.follow(target, executions.start(target, {}))


def test_a_succeeded_training_hands_its_steps_results_on(
    emulator: Laptop, bucket: Bucket, aws: Callable[[str], Any]
) -> None:
    promoted = Promoted(promoted=True, version="1-0a1b2c3d", reasons=("Better.",), seq=1)
    result = {"promote": promoted.to_dict()}
    machine, _ = _execution(aws, {"Type": "Pass", "Result": result, "End": True})
    target = _target(emulator, state_machine_arn=machine, models_bucket=bucket.name)
    found = train.follow(target, executions.start(target, {"trials": 2}))

    assert found.promoted is True
    assert promoted == found.step(Promoted)
    assert found.step(Tuned) is None


def test_a_query_returns_names_and_rows(emulator: Laptop, aws: Callable[[str], Any]) -> None:
    target = _workgroup(emulator, aws)

    assert (["one", "two"], [["1", "x"]]) == query(target, "SELECT 1 AS one, 'x' AS two")


def test_numbers_of_a_query_are_numbers_in_json(
    emulator: Laptop, aws: Callable[[str], Any]
) -> None:
    sql = "SELECT count(*) AS n, avg(x) AS mean, true AS flag, '7' AS w FROM (VALUES (1), (2)) v(x)"
    answer = run_query(_workgroup(emulator, aws), sql)
    assert [{"n": 2, "mean": 1.5, "flag": True, "w": "7"}] == answer.data


def test_a_bad_query_is_refused_with_athenas_reason(
    emulator: Laptop, aws: Callable[[str], Any]
) -> None:
    with pytest.raises(OpsError, match="Athena refused the query"):
        query(_workgroup(emulator, aws), "SELEC 1")


def _workgroup(emulator: Laptop, aws: Callable[[str], Any]) -> Target:
    name = f"w{uuid.uuid4().hex}"
    aws("s3").create_bucket(Bucket=name)
    aws("athena").create_work_group(
        Name=name,
        Configuration={"ResultConfiguration": {"OutputLocation": f"s3://{name}/athena/"}},
    )
    return _target(emulator, database="default", workgroup=name)


def test_the_mailbox_shows_what_was_sent(emulator: Laptop, aws: Callable[[str], Any]) -> None:
    before = {found.message_id for found in mail.read_mails(emulator)}
    aws("sesv2").create_email_identity(EmailIdentity=SENDER)
    aws("sesv2").send_email(
        FromEmailAddress=SENDER,
        Destination={"ToAddresses": ["doctor@example.org"]},
        Content={
            "Simple": {
                "Subject": {"Data": "Drift"},
                "Body": {"Text": {"Data": "text"}, "Html": {"Data": "<p>page</p>"}},
            }
        },
    )
    (found,) = [one for one in mail.read_mails(emulator) if one.message_id not in before]

    assert ("Drift", ("doctor@example.org",)) == (found.subject, found.recipients)
    assert "<p>page</p>" == found.save(emulator).read_text()


def test_an_empty_emulator_is_not_a_deployment(emulator: Laptop) -> None:
    target = Target("nostage", emulator, emulator.folder)

    assert target.read_deployment() is None
    with pytest.raises(OpsError, match="Nothing is deployed as circle at stage nostage"):
        _ = target.deployment


def test_status_counts_the_events_that_never_reached_their_target(
    emulator: Laptop, aws: Callable[[str], Any]
) -> None:
    url = aws("sqs").create_queue(QueueName=f"q{uuid.uuid4().hex}")["QueueUrl"]
    target = _target(emulator, dead_letters=url)
    assert 0 == target.count_dead_letters()
    assert ("dead letters", "none") == status.describe_dead_letters(0)

    aws("sqs").send_message(QueueUrl=url, MessageBody="{}")
    assert 1 == target.count_dead_letters()
    assert "1 event never reached its target" in status.describe_dead_letters(1)[1]
