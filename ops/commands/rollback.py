"""`rollback`: let the previous champion, or a named version, serve again."""

import argparse

from domain import keys
from domain.errors import BadKey
from ops.commands import train
from ops.errors import OpsError
from ops.target import Target


def arguments(parser: argparse.ArgumentParser) -> None:
    """A version, if it isn't simply the previous one."""
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("version", nargs="?", help="the version to serve (the previous champion)")
    chosen.add_argument("--to", metavar="VERSION", help="the same, as an option")


def run(args: argparse.Namespace, target: Target) -> str:
    """The command."""
    champion = target.champion()
    if champion is None:
        raise OpsError("There is no champion yet.", target.command("train"))
    document: dict[str, object] = {"rollback": True}
    wanted = args.to or args.version
    if wanted is not None:
        try:
            document = {"promote_version": keys.checked_version(wanted)}
        except BadKey as error:
            raise OpsError(str(error), target.command("ledger")) from None
        if wanted == champion.version:
            raise OpsError(f"{wanted} serves already.", target.command("status"))
    elif champion.previous is None:
        raise OpsError(
            "The first champion serves: there is none to go back to.", target.command("ledger")
        )
    result = train.wait(target, train.start(target, document))
    train.print_verdict(result)
    return target.command("ledger")
