"""A stopped task that never reported is reported for."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from domain.failures import explain_failure
from lambdas.task_watcher.watch import Failure, failure_of, token_of, watch
from tests.unit.fakes import client_error

TASK: dict[str, Any] = {
    "clusterArn": "arn:aws:ecs:us-east-1:111122223333:cluster/circle",
    "taskArn": "arn:aws:ecs:us-east-1:111122223333:task/circle/c13b4cb40f1f4fe4a2971f76ae5a47ad",
    "lastStatus": "STOPPED",
    "desiredStatus": "STOPPED",
    "stopCode": "EssentialContainerExited",
    "stoppedReason": "Essential container in task exited",
    "containers": [{"name": "training", "lastStatus": "STOPPED", "exitCode": 1}],
    "overrides": {
        "containerOverrides": [
            {
                "name": "training",
                "command": ["tune"],
                "environment": [
                    {"name": "EXECUTION", "value": "arn:execution"},
                    {"name": "TASK_TOKEN", "value": "AQCE..."},
                ],
            }
        ]
    },
}


@dataclass
class FakeStates:
    """Step Functions: takes failures, or answers with an error code."""

    error: str | None = None
    failures: list[dict[str, str]] = field(default_factory=list)

    def send_task_failure(self, **arguments: str) -> None:
        if self.error:
            raise client_error(self.error, "SendTaskFailure")
        self.failures.append(arguments)


def _watch(states: FakeStates, **changes: Any) -> Failure | None:
    client: Any = states
    return watch(task=TASK | changes, states=client)


def test_the_waiting_state_is_told_the_exit_code() -> None:
    states = FakeStates()
    failure = _watch(states)
    assert failure is not None
    assert "exit code 1" in failure.cause
    cause = explain_failure("ContainerExited", failure.cause)
    expected = {"taskToken": "AQCE...", "error": "ContainerExited", "cause": cause}
    assert [expected] == states.failures


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_a_closed_token_is_fine(code: str) -> None:
    assert _watch(FakeStates(error=code)) is None


def test_any_other_refusal_is_raised_so_that_the_event_is_retried() -> None:
    with pytest.raises(Exception, match="ThrottlingException"):
        _watch(FakeStates(error="ThrottlingException"))


@pytest.mark.parametrize(
    "changes",
    [
        {"lastStatus": "RUNNING"},
        {"overrides": {}},
        {"overrides": None},
        {"overrides": {"containerOverrides": [{"name": "training"}]}},
        {"overrides": {"containerOverrides": [{"environment": [{"name": "A", "value": "b"}]}]}},
    ],
)
def test_nobody_is_told_of_a_task_that_runs_or_that_nobody_waits_for(
    changes: dict[str, Any],
) -> None:
    states = FakeStates()
    assert _watch(states, **changes) is None
    assert [] == states.failures


def _containers(**container: Any) -> list[dict[str, Any]]:
    return [{"name": "training", **container}]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, "ContainerExited"),
        ({"containers": []}, "ContainerExited"),
        ({"containers": _containers(exitCode=0)}, "ContainerExited"),
        ({"containers": _containers(exitCode=139)}, "ContainerExited"),
        ({"containers": _containers(exitCode=137)}, "OutOfMemory"),
        (
            {
                "containers": _containers(
                    exitCode=137, reason="OutOfMemoryError: Container killed due to memory usage"
                )
            },
            "OutOfMemory",
        ),
        ({"stopCode": "SpotInterruption", "containers": _containers(exitCode=137)}, "Interrupted"),
        ({"stopCode": "TerminationNotice"}, "Interrupted"),
        ({"stopCode": "UserInitiated", "containers": _containers(exitCode=137)}, "TaskStopped"),
        (
            {
                "stopCode": "TaskFailedToStart",
                "stoppedReason": "CannotPullContainerError: not found",
                "containers": _containers(),
            },
            "TaskFailedToStart",
        ),
    ],
)
def test_each_way_to_die_has_a_name(changes: dict[str, Any], error: str) -> None:
    failure = failure_of(TASK | changes)
    assert error == failure.error
    assert failure.cause.endswith(".")


def test_the_reasons_of_ecs_are_passed_on() -> None:
    containers = _containers(reason="ResourceInitializationError: no route")
    cause = failure_of(TASK | {"containers": containers}).cause
    assert "Essential container in task exited; ResourceInitializationError: no route" in cause


def test_the_token_is_found_behind_a_sidecar() -> None:
    containers = [{"name": "sidecar"}, *TASK["overrides"]["containerOverrides"]]
    assert "AQCE..." == token_of({"overrides": {"containerOverrides": containers}})
