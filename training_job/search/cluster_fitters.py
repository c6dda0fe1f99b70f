"""Fit the trials of a search one after the other, each on all workers of a cluster."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from training_job.errors import TrainingError
from training_job.model.cluster_fit import ClusterData
from training_job.search.fitters import Died, Done, Failed, Message, Task


@dataclass(slots=True)
class ClusterFitters:
    """What `training_job.search.fitters.Fitters` is on one machine; no trial is stopped early."""

    data: ClusterData
    seed: int
    waiting: list[Task] = field(default_factory=list)

    @property
    def alive(self) -> int:
        """One: all workers fit the same trial."""
        return 1

    @property
    def busy(self) -> bool:
        """Whether there is a trial to fit."""
        return bool(self.waiting)

    def idle(self) -> bool:
        """Whether a trial may be started."""
        return not self.waiting

    def start(self, task: Task) -> Died | None:
        """Take a trial; `receive` fits it."""
        self.waiting.append(task)
        return None

    def receive(self) -> Iterator[Message]:
        """Fit the trial. A lost cluster ends the search; another error costs one trial."""
        task = self.waiting.pop()
        clock, began = time.perf_counter(), time.time()
        try:
            fitted = self.data.fit(task.params, seed=self.seed)
        except TrainingError:  # the cluster was lost; a retry resumes the search
            raise
        except Exception as error:  # a bad fit is one lost trial
            yield Failed(task.number, error)
            return
        yield Done(
            task.number,
            began,
            time.perf_counter() - clock,
            log_loss=fitted.valid_log_loss,
            metric=fitted.valid_metric,
            threshold=fitted.threshold,
            trees=fitted.booster.num_boosted_rounds(),
        )

    def answer(self, number: int, give_up: bool) -> None:
        """Never called: no trial reports, since none is stopped early."""
