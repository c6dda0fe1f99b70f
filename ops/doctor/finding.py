"""What a check of `doctor` finds, and how a check that fails itself becomes a finding."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import DomainError
from ops.errors import OpsError
from ops.target import Target


class Level(StrEnum):
    """`note`: works, but somebody should know. `unknown`: the question could not be asked."""

    OK = "ok"
    NOTE = "note"
    UNKNOWN = "unknown"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence, and what to do about it; nothing to do when all is well."""

    level: Level
    sentence: str
    next_step: str = ""


def ok(sentence: str) -> Finding:
    """Nothing to do."""
    return Finding(Level.OK, sentence)


def note(sentence: str, next_step: str) -> Finding:
    """Works, but somebody should know."""
    return Finding(Level.NOTE, sentence, next_step)


def problem(sentence: str, next_step: str) -> Finding:
    """Something fails, or will fail, until somebody does the next step."""
    return Finding(Level.PROBLEM, sentence, next_step)


Ask = Callable[[Target], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """A named question about a target; it only reads."""

    name: str
    ask: Ask

    def findings(self, target: Target) -> Sequence[Finding]:
        """What it finds; a check that can't go on keeps what it found, and says why it stopped."""
        from botocore.exceptions import ClientError

        from adapters.aws import UNREACHABLE, error_code

        found: list[Finding] = []
        try:
            found.extend(self.ask(target))
        except OpsError as error:
            found.append(problem(str(error), error.next_step))
        except DomainError as error:
            found.append(problem(str(error), "python -m ops status"))
        except ClientError as error:
            sentence = f"AWS refused {error.operation_name} ({error_code(error)})."
            denied = error_code(error).startswith("AccessDenied")
            advice = "Let your role call it, or look" if denied else "Look"
            advice = f"{advice} in the console yourself."
            found.append(Finding(Level.UNKNOWN, sentence, advice))
        except UNREACHABLE as error:
            sentence = f"AWS can't be asked: {str(error).rstrip('.')}."
            advice = "Check network and credentials, then run the command again."
            found.append(Finding(Level.UNKNOWN, sentence, advice))
        return found
