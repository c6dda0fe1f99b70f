"""Approval on the emulator: the machine waits, an operator answers once, time runs out."""

import json
import time
import uuid
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from aws_cdk import App

from adapters import identity
from adapters.s3 import Bucket
from app import build
from domain import keys
from domain.model.proposal import Proposal
from domain.training.steps import Approval
from lambdas.decisions.notices import Notices
from lambdas.decisions.notify import Channels, notify
from ops import proposals
from ops.errors import OpsError
from ops.local.processes import wait_until
from stacks.settings import Settings
from tests.infra.assembly import Assembly
from tests.repository import ROOT

VERSION = "7-0a1b2c3d"
EVALUATED = {"promote": True, "version": VERSION, "reasons": ["F1 rises by 0.02."]}
PROMOTED = {"promoted": True, "version": VERSION, "reasons": ["Better."], "seq": 2}


@pytest.fixture(scope="module")
def definition(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The deployed machine with approval; its tasks are replaced by what they return."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    stages = {"dev": context["stages"]["dev"] | {"approval": True, "approval_hours": 1}}
    given = context | {"target": "emulator", "stages": stages}
    folder = tmp_path_factory.mktemp("approval")
    app = App(context=given, outdir=str(folder))
    build(app, Settings.from_context(given.get, ROOT))
    app.synth()
    found: dict[str, Any] = Assembly.read(folder).definition()
    for state, result in (
        ("Prepare", {"started_by": "unproven"}),
        ("Tune", {}),
        ("Evaluate", EVALUATED),
        ("Promote", PROMOTED),
    ):
        before = found["States"][state]
        found["States"][state] = {
            "Type": "Pass",
            "Result": result,
            "ResultPath": before["ResultPath"],
            "Next": before["Next"],
        }
    return found


class Outbox:
    """A mailer that keeps the mails."""

    def __init__(self) -> None:
        self.subjects: list[str] = []

    def send(self, message: Any) -> None:
        self.subjects.append(message.subject)


class Stage:
    """The machine on a bus of its own, and what hears of its events."""

    def __init__(
        self, aws: Callable[[str], Any], bucket: Bucket, definition: dict[str, Any], seconds: int
    ) -> None:
        self.aws, self.bucket, self.outbox = aws, bucket, Outbox()
        name = f"approval-{uuid.uuid4().hex[:8]}"
        aws("events").create_event_bus(Name=name)
        aws("events").put_rule(
            Name=name, EventBusName=name, EventPattern='{"source": ["mlops.circle"]}'
        )
        self.queue = aws("sqs").create_queue(QueueName=name)["QueueUrl"]
        attributes = aws("sqs").get_queue_attributes(
            QueueUrl=self.queue, AttributeNames=["QueueArn"]
        )["Attributes"]
        aws("events").put_targets(
            Rule=name, EventBusName=name, Targets=[{"Id": "q", "Arn": attributes["QueueArn"]}]
        )
        machine = json.loads(json.dumps(definition).replace("{AWS::Partition}", "aws"))
        machine["States"]["Approve"]["TimeoutSeconds"] = seconds
        for state in machine["States"].values():
            for entry in state.get("Parameters", {}).get("Entries", []):
                entry["EventBusName"] = name
        self.machine = aws("stepfunctions").create_state_machine(
            name=name, definition=json.dumps(machine), roleArn="arn:aws:iam::000000000000:role/any"
        )["stateMachineArn"]
        self.target: Any = SimpleNamespace(
            laptop=None,
            client=lambda service, **_: aws(service),
            bucket=lambda _: bucket,
        )
        self.heard: list[str] = []

    def start(self) -> str:
        """A training; returns its ARN once its proposal is recorded."""
        execution = self.aws("stepfunctions").start_execution(
            stateMachineArn=self.machine, input="{}"
        )["executionArn"]
        assert wait_until(lambda: self.hear() and "PromotionProposed" in self.heard, seconds=30)
        return str(execution)

    def hear(self) -> bool:
        """Hand the bus's events to the decisions function, each of them twice."""
        received = self.aws("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        for message in received.get("Messages", []):
            event = json.loads(message["Body"])
            self.heard.append(event["detail-type"])
            for _ in range(2):
                notify(
                    detail_type=event["detail-type"],
                    detail=event["detail"],
                    reports=self.bucket,
                    channels=Channels(self.outbox),  # type: ignore[arg-type]  # it only sends
                    notices=Notices("ops", "http://localhost"),
                    principals={},
                    identify=partial(identity.identify, self.aws("sts")),
                    now=time.time_ns() // 1_000_000,
                )
            self.aws("sqs").delete_message(
                QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"]
            )
        return True

    def output(self, execution: str) -> dict[str, Any]:
        """What the execution ended with."""
        client = self.aws("stepfunctions")

        def ended() -> bool:
            return bool(client.describe_execution(executionArn=execution)["status"] != "RUNNING")

        assert wait_until(ended, seconds=30)
        found = client.describe_execution(executionArn=execution)
        assert "SUCCEEDED" == found["status"], found
        document: dict[str, Any] = json.loads(found["output"])
        assert wait_until(lambda: self.hear() and self.heard[-1].startswith("Model"), seconds=30)
        return document

    def proposal(self) -> Proposal:
        """The one proposal."""
        (found,) = proposals.list_proposals(self.target)
        return found


@pytest.fixture
def stage(aws: Callable[[str], Any], bucket: Bucket, definition: dict[str, Any]) -> Stage:
    return Stage(aws, bucket, definition, 60)


def test_an_approved_version_is_promoted_once_however_often_it_is_approved(stage: Stage) -> None:
    execution = stage.start()
    (waiting,) = proposals.list_waiting(stage.target)
    assert (execution, VERSION) == (waiting.execution, waiting.version)
    assert proposals.answer(stage.target, waiting, approved=True)
    output = stage.output(execution)
    assert PROMOTED == output["promote"]
    approval = Approval.of(output)
    assert approval is not None
    assert approval.caller is not None
    sts = stage.aws("sts")
    arn = identity.identify(sts, approval.caller.proof, waiting.name)
    assert sts.get_caller_identity()["Arn"] == arn
    assert not proposals.answer(stage.target, waiting, approved=True)
    with pytest.raises(OpsError, match="was approved before"):
        proposals.answer(stage.target, waiting, approved=False, reason="Too late.")
    assert [] == proposals.list_waiting(stage.target)
    assert ("approved", arn) == (stage.proposal().answer, stage.proposal().answered_by)
    assert ["PromotionProposed", "PromotionApproved", "ModelPromoted"] == stage.heard
    (subject,) = stage.outbox.subjects
    assert f"Version {VERSION} waits for your approval" in subject


def test_a_rejected_version_keeps_the_champion_and_says_why(stage: Stage) -> None:
    execution = stage.start()
    waiting = proposals.choose(stage.target, None)
    reason = "Kept: an operator rejected the version: 'too low', {it} says."
    assert proposals.answer(stage.target, waiting, approved=False, reason=reason)
    promoted = stage.output(execution)["promote"]
    assert (False, [reason]) == (promoted["promoted"], promoted["reasons"])
    assert not proposals.answer(stage.target, waiting, approved=False, reason="Again.")
    with pytest.raises(OpsError, match="was rejected before"):
        proposals.answer(stage.target, waiting, approved=True)
    assert ["PromotionProposed", "PromotionRejected", "ModelKept"] == stage.heard
    assert 2 == len(stage.outbox.subjects)
    proposal = stage.proposal()
    arn = stage.aws("sts").get_caller_identity()["Arn"]
    assert ("rejected", arn, reason) == (proposal.answer, proposal.answered_by, proposal.said)


def test_without_an_answer_the_champion_stays_and_the_operator_hears_of_it(
    aws: Callable[[str], Any], bucket: Bucket, definition: dict[str, Any]
) -> None:
    stage = Stage(aws, bucket, definition, 3)
    execution = stage.start()
    proposal = stage.proposal()
    promoted = stage.output(execution)["promote"]
    expected = ["Kept: nobody approved the version within 1 hour."]
    assert (False, expected) == (promoted["promoted"], promoted["reasons"])
    with pytest.raises(OpsError, match="ran out"):
        proposals.answer(stage.target, proposal, approved=True)
    assert "was not approved, so nothing changes" in stage.outbox.subjects[-1]
    proposal = stage.proposal()
    assert ("expired", None, *expected) == (proposal.answer, proposal.answered_by, proposal.said)


def test_an_answer_that_arrives_before_its_proposal_is_kept(bucket: Bucket) -> None:
    detail = {"execution": "arn:a:execution:t:e", "version": VERSION, "reasons": ["Better."]}
    outbox, notices = Outbox(), Notices("ops", "http://localhost")
    asked = detail | {"proposed_at": "2026-01-01T00:00:00Z", "hours": 1, "token": "t"}
    for detail_type, given in (("PromotionApproved", detail), ("PromotionProposed", asked)):
        notify(
            detail_type=detail_type,
            detail=given,
            reports=bucket,
            channels=Channels(outbox),  # type: ignore[arg-type]  # it only sends
            notices=notices,
            principals={},
            identify=lambda *_: None,
            now=1,
        )
    stored = bucket.get(keys.proposal("e"))
    assert stored is not None
    found = Proposal.from_json(stored.data)
    assert ("approved", "t") == (found.answer, found.token)
    assert not found.waits(time.time_ns() // 1_000_000)
