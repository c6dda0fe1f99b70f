"""`stop`: end the running training, scoring or compaction."""

from typing import Annotated

from typer import Argument

from ops import executions
from ops.console import Answer
from ops.errors import OpsError
from ops.target import Target

STOPPABLE = ("training", "scoring", "compaction")
"""A rollback, a check or a repair takes seconds, and is better left to end."""


def run(
    target: Target,
    execution: Annotated[
        str | None, Argument(help="Name or ARN of an execution; without it, the running one.")
    ] = None,
) -> Answer:
    """Stop the running training, scoring or compaction.

    The champion stays, and what a scoring or a compaction has written stays too: the same command
    goes on there.
    """
    running = [found for found in executions.newest(target) if found.status == "RUNNING"]
    chosen = [
        found
        for found in running
        if found.kind in STOPPABLE
        and (execution is None or execution in (found.arn, found.arn.rsplit(":", 1)[-1]))
    ]
    if not chosen:
        what = f"{execution} doesn't run" if execution else "Nothing that can be stopped runs"
        raise OpsError(f"{what}, so there is nothing to stop.", "python -m ops status")
    client = target.client("stepfunctions")
    for found in chosen:
        client.stop_execution(executionArn=found.arn, cause="An operator stopped it.")
    return Answer(
        data={"stopped": [found.arn for found in chosen]},
        shown=[f"Stopped the {found.kind} {found.arn.rsplit(':', 1)[-1]}." for found in chosen],
        next_step="python -m ops status",
    )
