"""Log finished trials to MLflow in a thread, so that no fit waits for the server."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from adapters.registry import RegistryUnavailable, Tracking
from domain.contract.objective import Metric
from domain.plural import write_count
from training_job.model.model import Params
from training_job.search.fitters import Done


@dataclass(slots=True)
class TrialLog:
    """A context manager; trials that are still queued when it closes are dropped.

    `metric`: the objective's.
    """

    tracking: Tracking
    parent_run: str
    experiment: str
    metric: Metric
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    written: "list[Future[None]]" = field(default_factory=list)
    settling: bool = False
    down: RegistryUnavailable | None = None

    def add(self, done: Done, params: Params) -> None:
        """Queue one finished trial."""
        metrics = {"seconds": done.seconds}
        if done.log_loss is not None:
            metrics |= {
                "valid_log_loss": done.log_loss,
                f"valid_{self.metric}": done.metric,
                "threshold": done.threshold,
                "trees": done.trees,
            }
        self.written.append(
            self.thread.submit(
                self._write,
                experiment=self.experiment,
                parent_run=self.parent_run,
                name=f"trial-{done.number}" + (" (given up)" if done.log_loss is None else ""),
                params=params,
                metrics=metrics,
                began=done.began,
            )
        )

    def settle(self, say: Callable[[str], None]) -> None:
        """Wait for the queue and say how many trials were lost.

        Raises RegistryUnavailable if all were lost. After a failure, queued trials are dropped
        while the server is down: each call has its own timeout, and a thousand of them would take
        longer than the step may.
        """
        self.settling = True
        errors = [error for future in self.written if (error := future.exception())]
        for error in errors:
            if not isinstance(error, RegistryUnavailable):
                raise error
        if errors:
            trials = write_count(len(self.written), "trial")
            say(f"{len(errors)} of {trials} could not be logged to MLflow")
        if errors and len(errors) == len(self.written):
            raise errors[0]

    def _write(self, **trial: Any) -> None:
        """In the thread: log one trial, unless the server is known to be down."""
        if self.settling and self.down is not None:
            raise self.down
        self.down = None
        try:
            self.tracking.log_trial(**trial)
        except RegistryUnavailable as error:
            self.down = error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.thread.shutdown(cancel_futures=True)
