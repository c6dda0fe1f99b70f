"""What anything that a command raises means for the user: a sentence, a next step, a status."""

import errno
import traceback
from dataclasses import dataclass
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

from domain.deployment import BadName
from domain.errors import DomainError
from ops.errors import OpsError
from ops.executions import ExecutionContinues

REFUSED = 1
DEFECT = 70
INTERRUPTED = 130


STOPPABLE = ("train", "demo", "smoke", "score", "compact")
"""Commands whose executions `stop` ends."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The exit status, what happened, and what to do next."""

    status: int
    problem: str
    next_step: str


def explain(error: BaseException, *, command: str, stage: str | None, folder: Path) -> Explanation:
    """Explain an error; one that nobody expected leaves its trace in a file of `folder`."""
    match error:
        case OpsError():
            return Explanation(REFUSED, str(error), error.next_step)
        case DomainError():
            is_name = isinstance(error, BadName)
            advice = "Correct --name or --stage." if is_name else "python -m ops status"
            return Explanation(REFUSED, str(error), advice)
        case KeyboardInterrupt():
            waited = isinstance(error, ExecutionContinues)
            return Explanation(INTERRUPTED, *_explain_interrupt(command, stage, waited=waited))
        case BotoCoreError() | ClientError():
            return Explanation(REFUSED, *_explain_aws(error, stage))
        case OSError():
            return Explanation(REFUSED, *_explain_machine(error))
        case _:
            return Explanation(DEFECT, *_record_defect(error, folder))


def _explain_interrupt(command: str, stage: str | None, *, waited: bool) -> tuple[str, str]:
    """`waited`: for an execution that runs."""
    if not waited:
        down = ", python -m ops down stops everything" if stage is None else ""
        return "Interrupted.", f"python -m ops {command} runs it again{down}."
    if command == "erase":  # what it has begun has to be completed, so `stop` leaves it alone
        return (
            "Interrupted. The erasure itself continues, and can't be stopped.",
            "python -m ops status says when it has ended. The same command then erases what may be"
            " left, and names its certificate.",
        )
    shows = "python -m ops status shows it"
    stops = ", python -m ops stop ends it" if command in STOPPABLE else ""
    return "Interrupted. The execution itself continues.", f"{shows}{stops}."


def _explain_aws(error: BotoCoreError | ClientError, stage: str | None) -> tuple[str, str]:
    if isinstance(error, AwsConnectionError | HTTPClientError):
        if stage is None:
            return "The emulator doesn't answer.", "python -m ops up"
        return f"AWS can't be reached: {error}", "Check the network, then try again."
    if isinstance(error, NoCredentialsError | NoRegionError):
        return f"AWS: {error}", "Choose a profile and a region, e.g. with AWS_PROFILE, AWS_REGION."
    return f"AWS refused: {error}", "python -m ops status"


def _explain_machine(error: OSError) -> tuple[str, str]:
    if error.errno == errno.ENOSPC:
        return "There is no space left on the disk.", "Free some space, then try again."
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}.", "Correct that, then run the command again."


def _record_defect(error: BaseException, folder: Path) -> tuple[str, str]:
    path = folder / "logs" / "ops-error.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(traceback.format_exception(error)))
    return f"Something unexpected failed ({type(error).__name__}).", f"Read {path}"
