"""Tune: an Optuna study over XGBoost, a process per vCPU, each trial an MLflow run.

One process, this one, asks the study, tells it, and writes its journal; the others only fit.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from adapters.registry import RegistryUnavailable, Tracking
from adapters.s3 import Bucket
from domain import keys
from domain.contract import Contract
from domain.feature import Kind
from training_job.dataset import Split
from training_job.errors import TrainingError
from training_job.fitters import Died, Done, Failed, Fitters, Message, Report, Task
from training_job.model import TrainingData
from training_job.study import abandon_running, finished, open_study, resume, space


def tune(
    *,
    contract: Contract,
    data: Bucket,
    models: Bucket,
    tracking: Tracking,
    dataset_id: str,
    execution: str,
    trials: int,
    processes: int,
    seed: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Run `trials` trials and return the best parameters with their validation F1.

    The study's journal is copied to the models bucket after each trial; a retried step goes on
    from there. `processes`: 0 means one per vCPU.
    """
    parent_run = tracking.run_of(execution)
    _log_dataset(data, tracking, parent_run, dataset_id, contract)
    with tempfile.TemporaryDirectory(prefix="tune-") as folder:
        journal = Path(folder) / "journal.log"
        resume(models, keys.study(execution), journal)
        study = open_study(journal, seed)
        abandon_running(study)
        remaining = trials - finished(study)
        if remaining > 0:
            say(f"{remaining} of {trials} trials to go, parent run {parent_run}")
            binned = _load(data, dataset_id, contract, Path(folder))
            count = min(processes or os.cpu_count() or 1, remaining)
            with (
                Fitters(binned, count=count, seed=seed) as fitters,  # forked before any thread
                ThreadPoolExecutor(1) as thread,
            ):
                records = _Records(tracking, parent_run, tracking.experiment_id(), thread)
                search = _Search(study, fitters, remaining, say)
                for done, params in search.run():
                    models.upload(journal, keys.study(execution))
                    records.add(done, params)
            records.settle(say)
        return _best(study, parent_run)


def _log_dataset(
    data: Bucket, tracking: Tracking, run_id: str, dataset_id: str, contract: Contract
) -> None:
    stored = data.get(keys.manifest(dataset_id))
    if stored is not None:
        tracking.log_dataset(
            run_id,
            source=data.uri(f"{keys.DATASETS}{dataset_id}/"),
            manifest=json.loads(stored.data),
            columns={f.name: _TYPES[f.kind] for f in contract.features}
            | {contract.target: _TYPES["flag"]},
        )


_TYPES: dict[Kind, str] = {"category": "string", "flag": "long", "number": "double"}


def _load(data: Bucket, dataset_id: str, contract: Contract, folder: Path) -> TrainingData:
    def read(name: str) -> Split:
        path = folder / f"{name}.parquet"
        data.download(keys.dataset(dataset_id, name), path)
        return Split.read(path, contract)

    return TrainingData.of(read("train"), read("valid"), contract)


@dataclass(slots=True)
class _Search:
    """The trials that are still to be run."""

    study: optuna.Study
    fitters: Fitters
    trials: int
    say: Callable[[str], None]
    running: dict[int, optuna.Trial] = field(default_factory=dict)
    done: int = 0
    best: float = 0.0
    failure: Exception = field(
        default_factory=lambda: TrainingError("Every tuning process died at once: see the log.")
    )

    def run(self) -> Iterator[tuple[Done, dict[str, Any]]]:
        """Yield each finished trial with its parameters; raises when none could finish."""
        began, left = time.monotonic(), self.trials
        while self.fitters.alive and (left or self.fitters.busy):
            while left and self.fitters.idle():
                left -= 1
                self._start()
            for message in self.fitters.messages():
                finished = self._heard(message)
                if finished is None:
                    continue
                self.done += 1
                yield finished, self.running.pop(finished.number).params
                seconds = (time.monotonic() - began) / self.done * (self.trials - self.done)
                self.say(f"{self._line(finished)}; {seconds:.0f} s left")
        if not self.done:
            raise self.failure

    def _start(self) -> None:
        trial = self.study.ask()
        self.running[trial.number] = trial
        died = self.fitters.start(Task(trial.number, space(trial)))
        if died is not None:
            self._heard(died)

    def _heard(self, message: Message) -> Done | None:
        """Tell the study; returns the message when a trial is finished by it."""
        trial = self.running[message.number]
        match message:
            case Report():
                trial.report(-message.log_loss, message.rounds)
                self.fitters.answer(message.number, trial.should_prune())
                return None
            case Done(f1=None):
                self.study.tell(trial, state=TrialState.PRUNED)
                return message
            case Done():
                self.study.tell(trial, message.f1)
                self.best = max(self.best, message.f1 or 0.0)
                return message
            case Failed():
                self.failure = message.error
                self.say(f"trial {message.number} failed: {type(message.error).__name__}")
            case Died():
                self.say(
                    f"a tuning process died (exit code {message.exit_code}); trial {message.number}"
                    f" is lost, {self.fitters.alive} processes go on"
                )
        self.study.tell(self.running.pop(message.number), state=TrialState.FAIL)
        return None

    def _line(self, done: Done) -> str:
        outcome = "given up" if done.f1 is None else f"F1 {done.f1:.4f}, {done.trees} trees"
        return (
            f"trial {self.done}/{self.trials}: {outcome} in {done.seconds:.1f} s"
            f" (best {self.best:.4f})"
        )


@dataclass(slots=True)
class _Records:
    """The trials on their way to MLflow, in a thread, so that no fit waits for the server."""

    tracking: Tracking
    parent_run: str
    experiment: str
    thread: ThreadPoolExecutor
    written: "list[Future[None]]" = field(default_factory=list)

    def add(self, done: Done, params: dict[str, Any]) -> None:
        """Queue one finished trial."""
        metrics = {"seconds": done.seconds}
        if done.f1 is not None:
            metrics |= {"valid_f1": done.f1, "threshold": done.threshold, "trees": done.trees}
        self.written.append(
            self.thread.submit(
                self.tracking.log_trial,
                experiment=self.experiment,
                parent_run=self.parent_run,
                name=f"trial-{done.number}" + (" (given up)" if done.f1 is None else ""),
                params=params,
                metrics=metrics,
                began=done.began,
            )
        )

    def settle(self, say: Callable[[str], None]) -> None:
        """Say how many were lost; raises RegistryUnavailable when all were."""
        errors = [error for future in self.written if (error := future.exception())]
        for error in errors:
            if not isinstance(error, RegistryUnavailable):
                raise error
        if errors:
            say(f"{len(errors)} of {len(self.written)} trials could not be logged to MLflow")
        if errors and len(errors) == len(self.written):
            raise errors[0]


def _best(study: optuna.Study, parent_run: str) -> dict[str, Any]:
    best = study.best_trial
    return {
        "trials": finished(study),
        "pruned": len(study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))),
        "best_trial": best.number,
        "valid_f1": best.value,
        "params": best.params,
        "run_id": parent_run,
    }
