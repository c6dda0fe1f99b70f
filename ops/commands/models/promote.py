"""`promote`: let a version serve that the gate refused, or that never served."""

from typing import Annotated

from typer import Argument, Option

from domain.plural import write_count
from ops import executions
from ops.commands.models.reject import MAXIMUM_REASON
from ops.commands.models.rollback import check_version
from ops.commands.models.train import describe_verdict
from ops.console import Answer
from ops.errors import OpsError
from ops.target import Target


def run(
    target: Target,
    version: Annotated[str, Argument(help="The version to serve.")],
    *,
    reason: Annotated[str, Option(help="Why, in a sentence for the ledger.")],
) -> Answer:
    """Let a version serve, whatever the gate said of it.

    This is how a first model serves whose limits were stricter than you need. The ledger keeps the
    reason and who gave it. Sent twice, it promotes once.
    """
    if not 1 <= len(reason.strip()) <= MAXIMUM_REASON:
        raise OpsError(
            f"The reason has {write_count(len(reason.strip()), 'character')}.",
            f"Write 1 to {MAXIMUM_REASON} characters.",
        )
    champion = target.champion()
    check_version(target, champion, version)
    document = {
        "promote_version": version,
        "replaces_seq": champion.seq if champion else 0,
        "reason": reason.strip(),
    }
    execution = executions.start(target, document)
    answer = describe_verdict(executions.follow_quietly(target, execution, "promote"))
    return Answer(data=answer.data, shown=answer.shown, next_step="python -m ops ledger")
