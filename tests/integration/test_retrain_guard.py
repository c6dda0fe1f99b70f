"""The retrain guard against the emulator's Step Functions, S3 and EventBridge."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from adapters import executions
from adapters.events import EventBus
from adapters.s3 import Bucket
from domain import keys
from domain.incident import Transition
from domain.retraining import Decision, DetectedDrift
from lambdas.retrain_guard.retrain import Training, retrain

MACHINE = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}


@pytest.fixture
def training(aws: Callable[[str], Any], bucket: Bucket) -> Training:
    """A state machine that has never run, over an empty data bucket."""
    machine = aws("stepfunctions").create_state_machine(
        name=f"training-{uuid.uuid4().hex[:8]}",
        definition=json.dumps(MACHINE),
        roleArn="arn:aws:iam::000000000000:role/any",
    )
    return Training(aws("stepfunctions"), machine["stateMachineArn"], bucket)


def _retrain(training: Training, aws: Callable[[str], Any], run_id: str) -> Decision:
    return retrain(
        drift=DetectedDrift(Transition.OPEN, (run_id,)),
        training=training,
        bus=EventBus(aws("events"), "default"),
        now=time.time_ns() // 1_000_000,
        cool_down_millis=0,
    )


def _started(training: Training) -> int:
    listed = training.states.list_executions(stateMachineArn=training.machine_arn)
    return len(listed["executions"])


def test_drift_without_data_starts_nothing(training: Training, aws: Callable[[str], Any]) -> None:
    assert not _retrain(training, aws, "a").start
    assert 0 == _started(training)


def test_one_detection_starts_one_training_however_often_its_event_comes(
    training: Training, aws: Callable[[str], Any]
) -> None:
    training.data.put(f"{keys.RAW}new.csv", b"rows")
    decisions = [_retrain(training, aws, "a") for _ in range(3)]
    assert [True, False, False] == [decision.start for decision in decisions]
    assert 1 == _started(training)


def test_the_latest_execution_is_the_one_that_started_last(
    training: Training, aws: Callable[[str], Any]
) -> None:
    assert executions.latest(training.states, training.machine_arn) is None
    for name in ("first", "second"):
        assert executions.start(training.states, training.machine_arn, name=name, document={})
    latest = executions.latest(training.states, training.machine_arn)
    assert latest is not None
    assert latest.arn.endswith(":second")
