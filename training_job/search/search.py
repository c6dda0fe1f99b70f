"""Run the trials of a search on the workers, and report their results to the study."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import optuna
from optuna.trial import TrialState

from domain.plural import agree, write_count
from training_job.errors import Interrupted, OutOfMemory, TrainingError
from training_job.model.model import Params
from training_job.search.fitters import (
    Died,
    Done,
    Failed,
    FitsTrials,
    Message,
    Report,
    Task,
)
from training_job.search.study import ask, space


@dataclass(slots=True)
class Search:
    """Runs the remaining trials of a study. `seed`: see `ask`; `uploaded`: see `space`.

    `seconds`: after that no trial begins, and the running ones stop at their next report. One trial
    is always fitted to its end. None: no limit.
    """

    study: optuna.Study
    fitters: FitsTrials
    trials: int
    seed: int
    say: Callable[[str], None]
    uploaded: bool = False
    seconds: float | None = None
    began: float = 0.0
    running: dict[int, optuna.Trial] = field(default_factory=dict)
    done: int = 0
    best: float = math.inf
    failure: Exception = field(
        default_factory=lambda: TrainingError("No trial could be fitted; the log says why.")
    )

    def run(self) -> Iterator[tuple[Done, Params]]:
        """Yield each finished trial with its parameters.

        A worker that dies loses its trial. Raises OutOfMemory or Interrupted when all workers died
        before the last trial, and the last trial's own error when no trial could finish.
        """
        self.began, left = time.monotonic(), self.trials
        while self.fitters.alive:
            if self._has_had_its_time():
                left = 0
            if not left and not self.fitters.busy:
                break
            while left and self.fitters.idle():
                left -= 1
                self._start()
            for message in self.fitters.receive():
                finished = self._handle(message)
                if finished is None:
                    continue
                self.done += 1
                yield finished, self.running.pop(finished.number).params
                self.say(f"{self._line(finished)}; {self._estimate_seconds():.0f} s left")
        if left or not self.done:
            raise self.failure

    @property
    def timed_out(self) -> bool:
        """Whether trials are missing because the time was over."""
        return self.done < self.trials and self._has_had_its_time()

    def _has_had_its_time(self) -> bool:
        over = self.seconds is not None and time.monotonic() - self.began >= self.seconds
        return over and math.isfinite(self.best)

    def _estimate_seconds(self) -> float:
        """Estimate the seconds until the last trial ends or the time limit is reached."""
        spent = time.monotonic() - self.began
        needed = spent / self.done * (self.trials - self.done)
        return needed if self.seconds is None else min(needed, max(self.seconds - spent, 0.0))

    def _start(self) -> None:
        trial = ask(self.study, self.seed)
        self.running[trial.number] = trial
        died = self.fitters.start(Task(trial.number, space(trial, uploaded=self.uploaded)))
        if died is not None:
            self._handle(died)

    def _handle(self, message: Message) -> Done | None:
        """Update the study; returns the message if it finishes a trial."""
        trial = self.running[message.number]
        match message:
            case Report():
                trial.report(message.log_loss, message.rounds)
                give_up = trial.should_prune() or self._has_had_its_time()
                self.fitters.answer(message.number, give_up)
                return None
            case Done(log_loss=None):
                self.study.tell(trial, state=TrialState.PRUNED)
                return message
            case Done(log_loss=float(log_loss)):
                self.study.tell(trial, log_loss)
                self.best = min(self.best, log_loss)
                return message
            case Failed():
                self.failure = message.error
                self.say(f"trial {message.number} failed: {type(message.error).__name__}")
            case Died():
                self.failure = self._explain_death(message)
                alive = self.fitters.alive
                self.say(
                    f"a tuning process died (exit code {message.exit_code}); trial {message.number}"
                    f" is lost, {write_count(alive, 'process')} "
                    f"{agree(alive, 'continues', 'continue')}"
                )
        self.study.tell(self.running.pop(message.number), state=TrialState.FAIL)
        return None

    def _explain_death(self, died: Died) -> TrainingError:
        """The error if no worker is left; the kernel sends SIGKILL when memory runs out."""
        trials, were = write_count(self.trials, "trial"), agree(self.done, "is", "are")
        ended = f"{self.done} of {trials} had ended and {were} kept."
        if died.exit_code == -signal.SIGKILL:
            return OutOfMemory(f"The tuning processes were killed one after another; {ended}")
        return Interrupted(
            f"The tuning processes died, the last with exit code {died.exit_code}; {ended}"
        )

    def _line(self, done: Done) -> str:
        outcome = (
            "given up"
            if done.log_loss is None
            else f"log loss {done.log_loss:.4f}, {write_count(done.trees, 'tree')}"
        )
        best = f" (best {self.best:.4f})" if math.isfinite(self.best) else ""
        return f"trial {self.done}/{self.trials}: {outcome} in {done.seconds:.1f} s{best}"
