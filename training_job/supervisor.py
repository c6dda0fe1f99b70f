"""The container's parent process: the step runs in a child, the parent talks to the state machine.

The parent stays small, so that it can still report when the child is killed for lack of memory.
"""

import contextlib
import math
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError

from adapters.task_token import TaskToken, TokenClosed
from domain.errors import DomainError
from domain.failures import UNEXPECTED, explain_failure, name_operator
from domain.typed_json import Json
from training_job.errors import TrainingError

BEAT_SECONDS = 30.0
GRACE_SECONDS = 10.0
POLL_SECONDS = 1.0
REPORT_SECONDS = 300.0
"""How long reporting is retried: less than a state's heartbeat, since none is sent meanwhile."""
REPORT_PAUSE_SECONDS = 1.0
INTERRUPTED = ("Interrupted", "The container was told to stop.")
OUT_OF_MEMORY = ("OutOfMemory", "The step's process was killed, most likely for lack of memory.")
EXPECTED = (TrainingError, DomainError, BotoCoreError, ClientError)
"""Errors whose text is a sentence without a patient's values."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A step's result, or the name and sentence of its error."""

    result: Mapping[str, Json] | None = None
    error: str = ""
    cause: str = ""

    @classmethod
    def failure(cls, error: str, sentence: str) -> "Outcome":
        """The error with the line that says what to do before its sentence."""
        return cls(error=error, cause=explain_failure(error, sentence))


def supervise(
    step: Callable[[], Mapping[str, Json]],
    *,
    token: TaskToken | None,
    beat_seconds: float = BEAT_SECONDS,
    operator: str = "ops",
) -> Outcome:
    """Run `step` (picklable) in a child process and report how it ended.

    Sends heartbeats meanwhile. A closed token means that the state no longer waits: the child is
    stopped at once. SIGTERM to this process ends as `Interrupted`. Raises the last error when the
    outcome can't be reported within `REPORT_SECONDS`. `operator`: how the operator's command line
    is called for the deployment.
    """
    stop = _StopSignal()
    receiver, sender = multiprocessing.get_context("spawn").Pipe(duplex=False)
    child = multiprocessing.get_context("spawn").Process(target=_run, args=(step, sender))
    child.start()
    sender.close()
    try:
        outcome = _await(child, receiver, stop, token, beat_seconds)
        outcome = replace(outcome, cause=name_operator(outcome.cause, operator))
        if token is not None:
            _report(token, outcome)
    except TokenClosed:
        outcome = Outcome(error="TokenClosed", cause="The state machine no longer waits; stopped.")
    finally:
        _end(child)
        stop.restore()
    return outcome


def _await(
    child: BaseProcess,
    receiver: Connection,
    stop: "_StopSignal",
    token: TaskToken | None,
    beat_seconds: float,
) -> Outcome:
    last_beat = -math.inf  # at once: a task that starts too late stops before it works
    while not stop.asked:
        if token is not None and time.monotonic() - last_beat >= beat_seconds:
            last_beat = time.monotonic()
            with contextlib.suppress(BotoCoreError, ClientError):  # the next beat may get through
                token.beat()
        if receiver.poll(min(POLL_SECONDS, beat_seconds)):
            try:
                outcome: Outcome = receiver.recv()
            except EOFError:
                child.join()
                return _explain_death(child.exitcode)
            return outcome
    return Outcome.failure(*INTERRUPTED)


def _explain_death(exit_code: int | None) -> Outcome:
    """The outcome of a child that ended without sending one."""
    if exit_code == -signal.SIGKILL:
        return Outcome.failure(*OUT_OF_MEMORY)
    return Outcome.failure("StepDied", f"The step's process ended with exit code {exit_code}.")


def _report(token: TaskToken, outcome: Outcome) -> None:
    """Report the outcome, retrying for a while: hours of work would be lost otherwise."""
    deadline, pause = time.monotonic() + REPORT_SECONDS, REPORT_PAUSE_SECONDS
    while True:
        try:
            return _send(token, outcome)
        except (BotoCoreError, ClientError):
            if time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, BEAT_SECONDS)


def _send(token: TaskToken, outcome: Outcome) -> None:
    if outcome.result is not None:
        token.succeed(outcome.result)
    else:
        token.fail(outcome.error, outcome.cause)


def _run(step: Callable[[], Mapping[str, Json]], sender: Connection) -> None:
    """In the child: run the step, send its outcome."""
    # Leaving by SystemExit also ends the step's own worker processes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        outcome = Outcome(result=step())
    except MemoryError:
        outcome = Outcome.failure("OutOfMemory", "The step ran out of memory.")
    except EXPECTED as error:
        name = type(error).__name__
        outcome = Outcome.failure(name, str(error) or name)
    except Exception as error:  # every error becomes a named failure of the state
        outcome = _unexpected(error)
    sender.send(outcome)
    sender.close()


def _unexpected(error: Exception) -> Outcome:
    """Name and traceback only: the error's own text may quote a patient's values."""
    import traceback

    from adapters.registry import RegistryUnavailable  # not in the parent, which stays small

    name = type(error).__name__
    if isinstance(error, RegistryUnavailable):
        return Outcome.failure(name, str(error))
    print("".join(traceback.format_tb(error.__traceback__)), name, file=sys.stderr, flush=True)  # noqa: T201 - the container's log
    return Outcome(error=name, cause=f"{UNEXPECTED}\nThe step failed with {name}.")


def _end(child: BaseProcess) -> None:
    """Stop the child, by force if it doesn't end in time."""
    if child.is_alive():
        child.terminate()
        child.join(GRACE_SECONDS)
    if child.is_alive():
        child.kill()
    child.join()


class _StopSignal:
    """Remembers that SIGTERM came."""

    def __init__(self) -> None:
        self.asked = False
        self._before = signal.signal(signal.SIGTERM, self._note)

    def restore(self) -> None:
        """Let SIGTERM do again what it did before."""
        signal.signal(signal.SIGTERM, self._before)

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True
