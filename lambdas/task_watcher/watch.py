"""A container that died without a word: say it to the state that still waits for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from adapters.task_token import VARIABLE, TaskToken, TokenClosed
from domain.failures import explain_failure

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

KILLED = 137
"""128 + SIGKILL."""

Error = Literal["Interrupted", "OutOfMemory", "TaskFailedToStart", "TaskStopped", "ContainerExited"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A named error for the state machine, and its sentence."""

    error: Error
    cause: str


def watch(*, task: Mapping[str, Any], states: "SFNClient") -> Failure | None:
    """Fail the state that waits for a stopped ECS task.

    `task`: the detail of an "ECS Task State Change" event. Returns what was reported, or None when
    nobody waits: the task hasn't stopped, carries no token, or has reported by itself.
    """
    token = token_of(task)
    if task.get("lastStatus") != "STOPPED" or token is None:
        return None
    failure = failure_of(task)
    try:
        TaskToken(states, token).fail(failure.error, explain_failure(failure.error, failure.cause))
    except TokenClosed:
        return None
    return failure


def token_of(task: Mapping[str, Any]) -> str | None:
    """The task token among the environment overrides that the task was started with."""
    for container in (task.get("overrides") or {}).get("containerOverrides") or []:
        for variable in container.get("environment") or []:
            if variable.get("name") == VARIABLE:
                return str(variable["value"])
    return None


def failure_of(task: Mapping[str, Any]) -> Failure:
    """Why a task stopped, as far as ECS knows."""
    containers = task.get("containers") or []
    reasons = [str(c["reason"]) for c in containers if c.get("reason")]
    codes = [c["exitCode"] for c in containers if c.get("exitCode") is not None]
    said = "; ".join(filter(None, [str(task.get("stoppedReason") or ""), *reasons]))
    because = f" ECS says: {said}." if said else ""
    stop_code = task.get("stopCode")
    if stop_code in ("SpotInterruption", "TerminationNotice"):
        return Failure("Interrupted", f"AWS took the task's capacity back.{because}")
    if stop_code == "TaskFailedToStart":
        return Failure("TaskFailedToStart", f"The task could not start.{because}")
    if any(reason.startswith("OutOfMemory") for reason in reasons):
        advice = "Give the task definition more memory."
        return Failure("OutOfMemory", f"The container ran out of memory. {advice}{because}")
    if stop_code == "UserInitiated":
        return Failure("TaskStopped", f"Somebody stopped the task.{because}")
    if KILLED in codes:
        return Failure("OutOfMemory", f"The container was killed, most likely for memory.{because}")
    ended = f"with exit code {codes[0]}" if codes else "without an exit code"
    return Failure("ContainerExited", f"The container ended {ended} and no result.{because}")
