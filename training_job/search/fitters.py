"""Worker processes that fit models and share one binned copy of the data.

They are forked after the data is binned, so another worker costs neither memory nor start-up time.
Each has its own pipe and shares no lock, so a worker that dies loses only its own trial.
"""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Protocol, Self

from training_job.model.model import Params, Pruned, TrainingData, fit


@dataclass(frozen=True, slots=True)
class Task:
    """A trial's parameters, to be fitted."""

    number: int
    params: Params


@dataclass(frozen=True, slots=True)
class Report:
    """A trial's log loss after some rounds; the worker waits for the answer whether to stop."""

    number: int
    rounds: int
    log_loss: float


@dataclass(frozen=True, slots=True)
class Done:
    """A finished trial. Times in seconds.

    `log_loss` and `metric` (the objective's): on the validation rows; `log_loss` is None when the
    trial was stopped early.
    """

    number: int
    began: float
    seconds: float
    log_loss: float | None = None
    metric: float = 0.0
    threshold: float = 0.0
    trees: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """The fit raised an error."""

    number: int
    error: Exception


@dataclass(frozen=True, slots=True)
class Died:
    """The worker process died, and its trial is lost."""

    number: int
    exit_code: int | None


Message = Report | Done | Failed | Died


class FitsTrials(Protocol):
    """What a search needs: `start` trials while it is `idle`, then `receive` their messages."""

    @property
    def alive(self) -> int:
        """Number of live workers."""
        ...

    @property
    def busy(self) -> bool:
        """Whether any worker has a trial."""
        ...

    def idle(self) -> bool:
        """Whether a trial may be started."""
        ...

    def start(self, task: Task) -> Died | None:
        """Start a trial; returns `Died` when its worker turns out to be dead."""
        ...

    def receive(self) -> Iterator[Message]:
        """Yield the next messages; waits for at least one."""
        ...

    def answer(self, number: int, give_up: bool) -> None:
        """Answer that trial's report."""
        ...


class Fitters:
    """`count` workers as a context manager: `start` tasks on idle ones, then `receive`."""

    def __init__(self, data: TrainingData, *, count: int, seed: int) -> None:
        context = multiprocessing.get_context("fork")
        self._processes: dict[Connection, BaseProcess] = {}
        self._busy: dict[Connection, int] = {}
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_run_worker, args=(theirs, (ours, *self._processes), data, seed), daemon=True
            )
            process.start()
            theirs.close()
            self._processes[ours] = process

    @property
    def alive(self) -> int:
        """Number of live workers."""
        return len(self._processes)

    @property
    def busy(self) -> bool:
        """Whether any worker has a task."""
        return bool(self._busy)

    @property
    def process_ids(self) -> list[int]:
        """PIDs of the live workers."""
        return [process.pid for process in self._processes.values() if process.pid is not None]

    def idle(self) -> bool:
        """Whether a worker has no task."""
        return len(self._busy) < len(self._processes)

    def start(self, task: Task) -> Died | None:
        """Send the task to an idle worker; returns `Died` when that worker turns out to be dead."""
        connection = next(c for c in self._processes if c not in self._busy)
        self._busy[connection] = task.number
        try:
            connection.send(task)
        except OSError:
            return self._remove_dead(connection)
        return None

    def receive(self) -> Iterator[Message]:
        """Yield the workers' next messages; waits for at least one."""
        for connection in wait(list(self._busy)):
            assert isinstance(connection, Connection)  # noqa: S101 - only connections are waited for
            try:
                message: Report | Done | Failed = connection.recv()
            except (EOFError, OSError):
                yield self._remove_dead(connection)
                continue
            if not isinstance(message, Report):
                del self._busy[connection]
            yield message

    def answer(self, number: int, give_up: bool) -> None:
        """Answer that trial's report."""
        connection = next(c for c, busy in self._busy.items() if busy == number)
        try:
            connection.send(give_up)
        except OSError:
            return  # it died meanwhile: `receive` will say so

    def _remove_dead(self, connection: Connection) -> Died:
        process = self._processes.pop(connection)
        process.join()
        connection.close()
        return Died(self._busy.pop(connection), process.exitcode)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for connection, process in self._processes.items():
            # Not terminate(): a fork inherits whatever its parent does about SIGTERM.
            process.kill()
            process.join()
            connection.close()
        self._processes.clear()
        self._busy.clear()


def _run_worker(
    connection: Connection, others: Sequence[Connection], data: TrainingData, seed: int
) -> None:
    """In the worker: fit each task until the pipe closes."""
    for other in others:
        other.close()  # otherwise a pipe would stay open after the parent's death
    try:
        while True:
            connection.send(_fit(connection, connection.recv(), data, seed))
    except (EOFError, OSError):
        return  # the parent is gone


def _fit(connection: Connection, task: Task, data: TrainingData, seed: int) -> Done | Failed:
    def report(rounds: int, log_loss: float) -> bool:
        connection.send(Report(task.number, rounds, log_loss))
        return bool(connection.recv())

    clock, began = time.perf_counter(), time.time()
    try:
        fitted = fit(data, task.params, seed=seed, report=report)
    except Pruned:
        return Done(task.number, began, time.perf_counter() - clock)
    except (EOFError, OSError):
        raise
    except Exception as error:  # a bad fit is one lost trial
        return Failed(task.number, error)
    return Done(
        task.number,
        began,
        time.perf_counter() - clock,
        log_loss=fitted.valid_log_loss,
        metric=fitted.valid_metric,
        threshold=fitted.threshold,
        trees=fitted.booster.num_boosted_rounds(),
    )
