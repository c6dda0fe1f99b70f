"""`reject`: keep the champion instead of a model that passed the gate."""

from typing import Annotated

from typer import Argument, Option

from domain.plural import write_count
from ops import proposals
from ops.console import Answer
from ops.errors import OpsError
from ops.target import Target

MAXIMUM_REASON = 500


def run(
    target: Target,
    proposal: Annotated[
        str | None,
        Argument(help="Version or execution; without it, the one model that waits."),
    ] = None,
    *,
    reason: Annotated[str, Option(help="Why, in a sentence for the other operators.")],
) -> Answer:
    """Keep the champion instead of a model that waits for an approval.

    Repeating it changes nothing.
    """
    if not 1 <= len(reason.strip()) <= MAXIMUM_REASON:
        raise OpsError(
            f"The reason has {write_count(len(reason.strip()), 'character')}.",
            f"Write 1 to {MAXIMUM_REASON} characters.",
        )
    chosen = proposals.choose(target, proposal)
    sentence = f"Kept: an operator rejected the version: {reason.strip()}"
    was_first = proposals.answer(target, chosen, approved=False, reason=sentence)
    return proposals.finish(target, chosen, was_first=was_first, shown=[])
