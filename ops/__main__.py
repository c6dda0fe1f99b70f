"""``python -m ops``: the operator's command line.

Without --stage it works on this machine; with it, on that stage of the AWS account that the
usual credentials belong to.
"""

import argparse
import errno
import importlib
import os
import shutil
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
)
from botocore.exceptions import (
    ConnectionError as AwsConnectionError,
)

from domain.errors import DomainError
from ops.errors import OpsError
from ops.laptop import ROOT, Laptop
from ops.target import Target

COMMANDS = {
    "up": "start everything on this machine and deploy to it",
    "down": "stop what `up` started",
    "demo": "the whole circle, from data to the alert mail",
    "status": "what runs, what serves",
    "sample-data": "make a CSV of made-up patients",
    "upload": "put training data where the training finds it",
    "train": "train, judge, and promote if better",
    "score": "score a file or a folder of them with the champion",
    "simulate": "send test rows to the API, shifted if you like",
    "drift": "compare a window of predictions with the model's reference",
    "query": "SQL over the prediction log",
    "ledger": "which versions came to serve, and why",
    "rollback": "let an earlier version serve again",
    "mail": "read this machine's mailbox",
    "open": "the links, or open one in a browser",
    "cost": "what a stage costs a month",
    "pause": "stop an account's tracking server and database",
    "resume": "start them again",
    "rotate-db-password": "a new password for an account's tracking database",
}
INTERRUPTED = 130
BUG = 70


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Expected failures are one sentence."""
    args = _parser().parse_args(arguments)
    folder = args.local.resolve()
    command = importlib.import_module(_module(args.command))
    try:
        next_step = command.run(args, _target(args.stage, folder))
    except (Exception, KeyboardInterrupt) as error:
        status, problem, next_step = _explained(error, args, folder)
        print(problem, file=sys.stderr)
        print(f"Next: {_callable(next_step)}", file=sys.stderr)
        return status
    print(f"Next: {_callable(next_step)}")
    return 0


def _callable(text: str) -> str:
    """Commands as they work in the user's shell, whether or not the environment is active."""
    here = Path(sys.executable)
    if shutil.which("python") == str(here):
        return text
    python = here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here
    return text.replace("python -m ops", f"{python} -m ops")


def _explained(
    error: BaseException, args: argparse.Namespace, folder: Path
) -> tuple[int, str, str]:
    """``(exit status, what happened, what to do next)`` of anything that a command raised."""
    match error:
        case OpsError():
            return 1, str(error), error.next_step
        case DomainError():
            return 1, str(error), "python -m ops status"
        case KeyboardInterrupt():
            return INTERRUPTED, *_interrupted(args.command)
        case BotoCoreError() | ClientError():
            return 1, *_aws_problem(error, args.stage)
        case OSError():
            return 1, *_machine_problem(error)
        case _:
            return BUG, *_bug(error, folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops", description=__doc__)
    parser.add_argument("--stage", help="work on this stage of an AWS account")
    parser.add_argument(
        "--local",
        type=Path,
        default=ROOT / ".local",
        help="folder of everything that this machine keeps (%(default)s)",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        sub = commands.add_parser(name, help=purpose, description=purpose)
        importlib.import_module(_module(name)).arguments(sub)
    return parser


def _module(command: str) -> str:
    return f"ops.commands.{command.replace('-', '_')}"


def _target(stage: str | None, folder: Path) -> Target:
    """The place to work on; on the laptop boto3 is sent to the emulator."""
    if stage is not None:
        return Target(stage, None, folder)
    laptop = Laptop.load(folder)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(laptop.env(os.environ))
    return Target.on_laptop(laptop)


def _interrupted(command: str) -> tuple[str, str]:
    if command == "train":
        return "Interrupted; the training itself goes on.", "python -m ops status"
    return "Interrupted.", f"python -m ops {command} starts again; python -m ops down stops all"


def _aws_problem(error: BotoCoreError | ClientError, stage: str | None) -> tuple[str, str]:
    if isinstance(error, AwsConnectionError | HTTPClientError):
        if stage is None:
            return "The emulator doesn't answer.", "python -m ops up"
        return f"AWS can't be reached: {error}", "Check the network, then try again."
    if isinstance(error, NoCredentialsError | NoRegionError):
        return f"AWS: {error}", "Choose a profile and a region, e.g. with AWS_PROFILE, AWS_REGION."
    return f"AWS refused: {error}", "python -m ops status"


def _machine_problem(error: OSError) -> tuple[str, str]:
    if error.errno == errno.ENOSPC:
        return "There is no space left on the disk.", "Free some space, then try again."
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}.", "Correct that, then run the command again."


def _bug(error: BaseException, folder: Path) -> tuple[str, str]:
    """An error that nobody expected: its trace goes into a file."""
    path = folder / "logs" / "ops-error.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(traceback.format_exception(error)))
    return f"Something unexpected failed ({type(error).__name__}).", f"Read {path}"


if __name__ == "__main__":
    sys.exit(main())
