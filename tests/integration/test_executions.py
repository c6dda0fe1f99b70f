"""What is asked of Step Functions about executions, against the emulator's."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from adapters import executions
from adapters.s3 import Bucket
from domain import keys
from training_job.errors import TrainingInProgress
from training_job.promotion import lock

WAIT = {"StartAt": "Work", "States": {"Work": {"Type": "Wait", "Seconds": 600, "End": True}}}


@pytest.fixture
def machine(aws: Callable[[str], Any]) -> str:
    """A state machine whose executions run until they are stopped."""
    made = aws("stepfunctions").create_state_machine(
        name=f"waiting-{uuid.uuid4().hex[:8]}",
        definition=json.dumps(WAIT),
        roleArn="arn:aws:iam::000000000000:role/any",
    )
    return str(made["stateMachineArn"])


def _start(aws: Callable[[str], Any], machine: str, name: str) -> str:
    assert executions.start(aws("stepfunctions"), machine, name=name, document={"trials": 3})
    return machine.replace(":stateMachine:", ":execution:") + f":{name}"


def test_an_execution_runs_until_it_is_stopped(aws: Callable[[str], Any], machine: str) -> None:
    states, arn = aws("stepfunctions"), _start(aws, machine, "one")
    assert executions.is_running(states, arn)
    states.stop_execution(executionArn=arn)
    assert not executions.is_running(states, arn)


@pytest.mark.parametrize("unknown", [":nobody", "by-hand"])
def test_an_unknown_execution_does_not_run(
    aws: Callable[[str], Any], machine: str, unknown: str
) -> None:
    arn = machine.replace(":stateMachine:", ":execution:") + unknown if ":" in unknown else unknown
    assert not executions.is_running(aws("stepfunctions"), arn)


def test_executions_are_found_by_name_and_listed_with_their_input(
    aws: Callable[[str], Any], machine: str
) -> None:
    states = aws("stepfunctions")
    assert not executions.exists(states, machine, "one")
    one = _start(aws, machine, "one")
    states.stop_execution(executionArn=one)
    two = _start(aws, machine, "two")
    assert executions.exists(states, machine, "one")
    assert not executions.start(states, machine, name="one", document={})
    listed = list(executions.newest_first(states, machine, limit=10))
    assert {(one, "ABORTED"), (two, "RUNNING")} == {(e.arn, e.status) for e in listed}
    assert 1 == len(list(executions.newest_first(states, machine, limit=1)))
    assert {"trials": 3} == executions.input_of(states, one)


def test_the_lock_is_kept_by_an_execution_that_runs_and_by_no_other(
    aws: Callable[[str], Any], machine: str, bucket: Bucket
) -> None:
    states = aws("stepfunctions")
    one, two = _start(aws, machine, "one"), _start(aws, machine, "two")

    def take(execution: str) -> None:
        lock.take(bucket, execution, is_running=lambda arn: executions.is_running(states, arn))

    take(one)
    with pytest.raises(TrainingInProgress, match=r":one is training"):
        take(two)
    states.stop_execution(executionArn=one)
    take(two)
    stored = bucket.get(keys.LOCK)
    assert stored is not None
    assert two in stored.data.decode()
