"""`rollback`: let the previous champion, or a named version, serve again."""

from typing import Annotated

from typer import Argument, Option

from domain import keys
from domain.errors import BadKey
from domain.model.champion import Champion
from ops import executions
from ops.commands.models.train import describe_verdict
from ops.console import Answer
from ops.errors import OpsError
from ops.target import Target, require_champion


def run(
    target: Target,
    version: Annotated[
        str | None, Argument(help="The version to serve; without it, the previous champion.")
    ] = None,
    *,
    to: Annotated[str | None, Option(metavar="VERSION", help="The same, as an option.")] = None,
) -> Answer:
    """Let an earlier version serve again.

    The version is chosen now and sent along with the champion that it replaces, so that neither a
    repeated call nor another operator's rollback goes back twice.
    """
    if to is not None and version is not None and to != version:
        raise OpsError("Two versions are named.", "Name the version to serve once.")
    champion = require_champion(target)
    wanted = choose_version(target, champion, to or version)
    document = {"promote_version": wanted, "replaces_seq": champion.seq}
    execution = executions.start(target, document)
    result = executions.follow_quietly(target, execution, "rollback")
    answer = describe_verdict(result)
    first, *more = answer.shown
    if result.promoted:
        first = f"Version {wanted} serves."
    return Answer(data=answer.data, shown=[first, *more], next_step="python -m ops ledger")


def choose_version(target: Target, champion: Champion, wanted: str | None) -> str:
    """The version to go back to; raises OpsError when there is no such model."""
    if wanted is None:
        if champion.previous is None:
            raise OpsError(
                "The first champion serves: there is none to go back to.", "python -m ops ledger"
            )
        return champion.previous.version
    check_version(target, champion, wanted)
    return wanted


def check_version(target: Target, champion: Champion | None, wanted: str) -> None:
    """Raise OpsError unless there is such a model, and another one or none serves."""
    try:
        keys.check_version(wanted)
    except BadKey as error:
        raise OpsError(str(error), "python -m ops ledger") from None
    if champion is not None and wanted == champion.version:
        raise OpsError(f"{wanted} serves already.", "python -m ops status")
    if not target.models.bucket.exists(keys.bundle(wanted)):
        raise OpsError(f"There is no version {wanted}.", "python -m ops ledger")
