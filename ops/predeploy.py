"""``python -m ops.predeploy --name circle --stage dev``: what `make deploy` checks first."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from domain.errors import DomainError
from ops.console import write_line
from ops.contract_changes import announce, find_file
from ops.errors import OpsError
from ops.hints import spell_out
from ops.laptop import ROOT
from ops.region import follow_cdk
from ops.target import Target
from ops.tracking import refuse_while_paused


def main(arguments: Sequence[str] | None = None) -> int:
    """Say in one sentence why a deployment would fail; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ops.predeploy", description=__doc__)
    parser.add_argument("--name", required=True, help="the deployment's name")
    parser.add_argument("--stage", required=True, help="the stage that is about to be deployed")
    args = parser.parse_args(arguments)
    os.environ.update(follow_cdk(os.environ))
    target = Target(args.stage, None, ROOT / ".local", args.name)
    try:
        refuse_while_paused(target)
        _refuse_lost_columns(target)
    except (BotoCoreError, ClientError, DomainError, OpsError) as error:
        next_step = "Choose credentials with AWS_PROFILE, then try again."
        if isinstance(error, OpsError):
            options = ["--name", args.name, "--stage", args.stage]
            next_step = spell_out(error.next_step, options=options, environ=os.environ)
        write_line(f"{error}\nNext: {next_step}")
        return 1
    return 0


def _refuse_lost_columns(target: Target) -> None:
    """Say what the contract changes; raises OpsError if the log would lose a column."""
    contract = find_file(target)
    if any(found.effect == "refused" for found in announce(target, contract)):
        raise OpsError(
            f"{contract} can't be deployed over what is there.",
            f"python -m ops contract check {shlex.quote(str(contract))} --retire",
        )


if __name__ == "__main__":
    sys.exit(main())
