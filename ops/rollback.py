"""`rollback`: let the previous champion, or a named version, serve again."""

import argparse

from domain import keys
from domain.errors import BadKey
from ops import train
from ops.errors import OpsError
from ops.target import Target


def arguments(parser: argparse.ArgumentParser) -> None:
    """A version, if it isn't simply the previous one."""
    parser.add_argument("version", nargs="?", help="the version to promote (the previous one)")


def run(args: argparse.Namespace, target: Target) -> str:
    """The command."""
    champion = target.champion()
    if champion is None:
        raise OpsError("There is no champion yet.", target.command("train"))
    document: dict[str, object] = {"rollback": True}
    if args.version is not None:
        try:
            document = {"promote_version": keys.checked_version(args.version)}
        except BadKey as error:
            raise OpsError(str(error), target.command("ledger")) from None
        if args.version == champion.version:
            raise OpsError(f"{args.version} serves already.", target.command("status"))
    elif champion.previous is None:
        raise OpsError(
            "The first champion serves: there is none to go back to.", target.command("ledger")
        )
    result = train.wait(target, train.start(target, document))
    train.print_verdict(result)
    return target.command("ledger")
