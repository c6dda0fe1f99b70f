"""Work on a Dask cluster: functions over many places, and named errors when workers are lost."""

import logging
import time
from asyncio import CancelledError as AsyncCancelledError
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import distributed
from distributed import Client, Future
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker, NoValidWorkerError

from training_job.errors import Interrupted, OutOfMemory

T = TypeVar("T")

IDLE_SECONDS = 60.0
"""How long the step waits while no worker is left; a new one may come."""
POLL_SECONDS = 2.0
JOIN_FIRST = 1
"""Priority of joining answers; all other work has 0."""
LOST = (
    "The cluster was lost: its scheduler can't be reached any more. Nothing half-made counts; start"
    " the step again."
)
NO_WORKERS = (
    "All workers of the cluster were lost. Nothing half-made counts; start the step again, on"
    " demand if Spot took them away."
)
KILLED = (
    "Several workers died at the same work, most likely for lack of memory: take more workers,"
    " tasks with more memory, or more and smaller files."
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A client of a scheduler that has workers."""

    client: Client

    @property
    def addresses(self) -> set[str]:
        """Addresses of the live workers; raises Interrupted when the scheduler is lost.

        Not by `Client.scheduler_info`: that reads a field which the client's own periodic refresh
        overwrites with an answer without workers, now and then before it is read.
        """
        try:
            return set(self.client.nthreads())
        except OSError:
            raise Interrupted(LOST) from None

    @property
    def workers(self) -> int:
        """Number of live workers."""
        return len(self.addresses)

    def submit(self, work: Callable[[], Any], *, worker: str) -> Future[Any]:
        """Run `work` on that worker, or on another one if it is lost."""
        found: Future[Any] = self.client.submit(
            work, workers=[worker], allow_other_workers=True, pure=False
        )
        return found

    def map(
        self,
        function: Callable[..., Any],
        *places: Sequence[Any],
        priority: int = 0,
        **options: Any,
    ) -> list[Future[Any]]:
        """Apply a function on the workers, once per place; a place may be an earlier future.

        Work of a higher `priority` goes first; otherwise what was asked for earlier does.
        """
        found: list[Future[Any]] = self.client.map(
            partial(function, **options),  # Dask loses track of large keyword arguments
            *places,
            priority=priority,
            pure=False,
        )
        return found

    def reduce(
        self, join: Callable[[Sequence[Any]], Any], parts: Sequence[Future[Any]]
    ) -> list[Future[Any]]:
        """Join answers two by two, until one is left, or none of none.

        Joining goes before other work, since it frees memory.
        """
        left = list(parts)
        while len(left) > 1:
            pairs = self.map(_join_two, left[:-1:2], left[1::2], priority=JOIN_FIRST, join=join)
            left = [*pairs, *left[2 * len(pairs) :]]
        return left

    def spread(self, work: Callable[[Any], Any], places: Sequence[Any]) -> list[Future[Any]]:
        """Apply a function to each place on the workers in turn; a place may hold futures."""
        workers = sorted(self.addresses)
        return [
            self.client.submit(
                work,
                place,
                workers=[workers[index % len(workers)]],
                allow_other_workers=True,
                pure=False,
            )
            for index, place in enumerate(places)
        ]

    def results(self, futures: Iterable[Future[Any]]) -> Iterator[Any]:
        """Each answer in the order of the futures; raises what `result` raises."""
        for future in futures:
            yield self.result(future)

    def result(self, future: Future[Any]) -> Any:
        """One answer; raises its error, Interrupted when the cluster is lost, or OutOfMemory."""
        self.wait([future])
        with _named_losses():
            return future.result()

    def wait(self, futures: Sequence[Future[Any]]) -> None:
        """Wait until all are done; raises what `result` raises. The answers stay on the workers.

        It fails while no worker is left, instead of waiting for ever.
        """
        waiting, alive_at = list(futures), time.monotonic()
        while waiting:
            with _named_losses():
                done, open_ones = self._wait_shortly(waiting)
                if self.client.status != "running":
                    raise Interrupted(LOST)
                if done or self.workers:
                    alive_at = time.monotonic()
                elif time.monotonic() - alive_at > IDLE_SECONDS:
                    raise Interrupted(NO_WORKERS)
                for future in done:
                    if future.status != "finished":
                        future.result()
            waiting = open_ones

    def _wait_shortly(
        self, futures: list[Future[Any]]
    ) -> tuple[list[Future[Any]], list[Future[Any]]]:
        """Those that are done, and the others."""
        try:
            found = distributed.wait(futures, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
        except (FutureTimeout, TimeoutError):
            return [], futures
        return list(found.done), list(found.not_done)


def _join_two(one: Any, other: Any, *, join: Callable[[Sequence[Any]], Any]) -> Any:
    return join([one, other])


@contextmanager
def _named_losses() -> Iterator[None]:
    """Say what was lost, in place of Dask's own errors."""
    try:
        yield
    except KilledWorker:
        raise OutOfMemory(KILLED) from None
    except NoValidWorkerError:
        raise Interrupted(NO_WORKERS) from None
    except (CommClosedError, CancelledError, AsyncCancelledError):
        raise Interrupted(LOST) from None


def quiet() -> None:
    """Let Dask's log say only what went wrong."""
    for name in ("distributed", "distributed.shuffle", "distributed.worker", "distributed.nanny"):
        logging.getLogger(name).setLevel(logging.ERROR)
