"""`approve`: let a model that passed the gate serve."""

from typing import Annotated

from typer import Argument

from ops import proposals
from ops.console import Answer
from ops.target import Target


def run(
    target: Target,
    proposal: Annotated[
        str | None,
        Argument(help="Version or execution; without it, the one model that waits."),
    ] = None,
) -> Answer:
    """Let a model that waits for an approval serve.

    Repeating it changes nothing. If another champion serves by now, that one stays.
    """
    chosen = proposals.choose(target, proposal)
    was_first = proposals.answer(target, chosen, approved=True)
    return proposals.finish(target, chosen, was_first=was_first, shown=[])
