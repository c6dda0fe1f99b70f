"""Other executions that may hold rows, or that rewrite the logs: wait for them, or refuse."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from adapters import executions
from domain.plural import write_count
from training_job.errors import BadInput, LogInUse
from training_job.inputs import ExecutionInput

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

WRITING = frozenset(
    {executions.STARTING, "Input", "Train?", "Prepare", "Evaluate", "Score", "Compact"}
)
"""States in which an execution may hold rows that it has read and not yet stored."""
REWRITING = frozenset({"Erase", "Compact"})
"""States in which an execution replaces or deletes objects of the logs."""
POLL_SECONDS = 15.0


def refuse_another_rewriter(client: "SFNClient", execution: str) -> None:
    """Raise LogInUse while another execution rewrites the logs."""
    for other in _list_others(client, execution):
        state = executions.current_state(client, other)
        if state in REWRITING and executions.is_running(client, other):
            raise LogInUse(f"{other.rpartition(':')[2]} is at work on the logs ({state}).")


def wait_for_executions(
    client: "SFNClient",
    execution: str,
    *,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until no other execution that runs now is in a state that may write such rows."""
    waiting = _list_others(client, execution)
    if waiting:
        others = write_count(len(waiting), "other execution")
        say(f"waiting for those of {others} that may hold rows")
    while waiting := [arn for arn in waiting if _may_write(client, arn)]:
        sleep(POLL_SECONDS)


def list_erasures(client: "SFNClient", execution: str) -> list[str]:
    """Names of the erasures and dry runs of other executions that run now."""
    found = []
    for other in _list_others(client, execution):
        try:
            asked = ExecutionInput.parse(executions.input_of(client, other)).erase
        except BadInput:
            continue
        if asked is not None:
            found.append(asked.erasure)
    return found


def _list_others(client: "SFNClient", execution: str) -> list[str]:
    machine = execution.replace(":execution:", ":stateMachine:").rpartition(":")[0]
    return [arn for arn in executions.list_running(client, machine) if arn != execution]


def _may_write(client: "SFNClient", execution: str) -> bool:
    running = executions.is_running(client, execution)
    return running and executions.current_state(client, execution) in WRITING
