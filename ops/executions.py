"""Executions of the training state machine: start one, follow it to its end, list them."""

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from domain import times
from domain.failures import split_cause
from domain.model.actor import Caller
from domain.training.execution_kinds import KINDS, kind_of
from domain.training.steps import Promoted, StepResult
from ops.console import Progress
from ops.errors import OpsError
from ops.hints import PROGRAM
from ops.target import Target

R = TypeVar("R", bound=StepResult)
POLL_SECONDS = 1.0
AGENT_GRACE_SECONDS = 3.0
"""How long an execution may run without a task agent before the command gives up."""
LISTED = 100
"""The most executions that are looked through for the last one of a kind."""


class ExecutionContinues(KeyboardInterrupt):
    """The user interrupted the wait for an execution, which goes on by itself."""


@dataclass(frozen=True, slots=True)
class Result:
    """A succeeded execution and the results of its steps."""

    execution: str
    output: Mapping[str, object]

    def step(self, kind: type[R]) -> R | None:
        """The result of a step; None when it didn't run."""
        return kind.of(self.output)

    @property
    def promoted(self) -> bool:
        """Whether there is a new champion."""
        promoted = self.step(Promoted)
        return promoted is not None and promoted.promoted


@dataclass(frozen=True, slots=True)
class Listed:
    """One execution; `kind` says what it does, e.g. ``training``."""

    arn: str
    kind: str
    status: str
    started_at: int

    def __str__(self) -> str:
        started = times.from_millis(self.started_at).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"{self.status}, started {started}"


def start(target: Target, document: Mapping[str, Any], *, name: str | None = None) -> str:
    """Start an execution; returns its ARN. Raises OpsError for an input that can't be used.

    Its name begins with `name`, or with what it does.

    The execution has a name of its own, so that a repeated call starts nothing twice: boto3
    repeats a call whose answer was lost.
    """
    from adapters import executions

    require_valid(document)
    machine = target.deployment.state_machine_arn
    begin = name or kind_of(document)
    name = f"{begin}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    signed = {**document, "caller": prove_caller(target, name).to_dict()}
    executions.start(target.client("stepfunctions"), machine, name=name, document=signed)
    return machine.replace(":stateMachine:", ":execution:") + f":{name}"


def require_valid(document: Mapping[str, Any]) -> None:
    """Raise OpsError for an input that no execution takes."""
    from training_job.errors import BadInput
    from training_job.inputs import ExecutionInput

    try:
        ExecutionInput.parse(document)
    except BadInput as error:
        raise OpsError(str(error), "Correct it and run the command again.") from None


def prove_caller(target: Target, name: str) -> Caller:
    """Proof of who works here, for the execution of that name."""
    from adapters.identity import sign_identity

    return Caller(proof=sign_identity(target.client("sts"), name))


def follow(
    target: Target,
    execution: str,
    *,
    on_poll: Callable[[Any], None],
    noun: str = "execution",
    next_step: str = "",
) -> Result:
    """Wait for its end, and call `on_poll` with the client meanwhile.

    Raises OpsError with the named error of one that failed, and at once when the machine's task
    agent is dead, which would have to do the work. `next_step` replaces the error's own advice.
    Raises ExecutionContinues when the user interrupts the wait.
    """
    client = target.client("stepfunctions", timeout_seconds=30)
    try:
        found = _await_end(target, client, execution, on_poll)
    except KeyboardInterrupt:
        raise ExecutionContinues from None
    if found["status"] != "SUCCEEDED":
        why, advice = _explain(client, execution, found)
        raise OpsError(
            f"The {noun} ended as {found['status']}: {why}",
            next_step or f"{advice.removesuffix('.')}. Logs: {_logs(target)}",
        )
    return Result(execution, json.loads(found["output"]))


def _await_end(
    target: Target, client: Any, execution: str, on_poll: Callable[[Any], None]
) -> Mapping[str, Any]:
    """The description of the execution that has ended."""
    began = time.monotonic()
    while True:
        found: Mapping[str, Any] = client.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            return found
        if time.monotonic() - began > AGENT_GRACE_SECONDS:
            _require_agent(target)
        on_poll(client)
        time.sleep(POLL_SECONDS)


def explain_end(target: Target, execution: str) -> str:
    """Why an execution failed, in one line: its error's name and sentence."""
    client = target.client("stepfunctions")
    why, _ = _explain(client, execution, client.describe_execution(executionArn=execution))
    return " ".join(why.split())


def _explain(client: Any, execution: str, found: Mapping[str, Any]) -> tuple[str, str]:
    """``(why it failed, what to do)``."""
    error, cause = _failure(client, execution, found)
    advice, sentence = split_cause(error, cause, operator=PROGRAM)
    why = ": ".join(part for part in (error, sentence) if part) or "no reason was given."
    return why, advice


def newest(target: Target) -> Iterator[Listed]:
    """The executions from the newest on, at most `LISTED`."""
    from adapters import executions

    client = target.client("stepfunctions")
    machine = target.deployment.state_machine_arn
    for found in executions.newest_first(client, machine, limit=LISTED):
        kind = kind_of(executions.input_of(client, found.arn))
        yield Listed(found.arn, KINDS[kind], found.status, found.started_at)


def find_running(target: Target, kind: str) -> str | None:
    """The ARN of an execution of this key of `KINDS` that runs; None when none does."""
    from adapters import executions

    client = target.client("stepfunctions")
    running = executions.list_running(client, target.deployment.state_machine_arn)
    found = (arn for arn in running if kind_of(executions.input_of(client, arn)) == kind)
    return next(found, None)


def follow_quietly(target: Target, execution: str, label: str) -> Result:
    """Follow an execution of one step, e.g. a rollback, and show its state."""
    from adapters import executions

    with Progress(label) as progress:
        return follow(
            target,
            execution,
            on_poll=lambda client: progress.note(executions.current_state(client, execution)),
        )


def _require_agent(target: Target) -> None:
    if target.laptop is None:
        return
    from ops.local import task_agent

    agent = task_agent.daemon(target.laptop)
    if agent.pid() is None:
        raise OpsError(
            f"The task agent doesn't run, so nothing works on this execution. Its log is "
            f"{agent.log}.",
            "python -m ops up starts the agent, and python -m ops status shows the execution.",
        )


def _failure(client: Any, execution: str, found: Mapping[str, Any]) -> tuple[str, str]:
    """``(error, cause)`` in full, though DescribeExecution may leave the cause out."""
    error, cause = found.get("error"), found.get("cause")
    if not cause:
        answer = client.get_execution_history(
            executionArn=execution, reverseOrder=True, maxResults=10
        )
        for event in answer["events"]:
            details = event.get("executionFailedEventDetails", {})
            error, cause = error or details.get("error"), cause or details.get("cause")
    return str(error or ""), str(cause or "")


def _logs(target: Target) -> str:
    if target.laptop is not None:
        return str(target.folder / "logs" / "tasks")
    return "CloudWatch, log group of the task."
