"""Tune: an Optuna study over XGBoost, a process per vCPU, each trial an MLflow run."""

import multiprocessing
import os
import queue
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import TrialState

from adapters.registry import Tracking
from adapters.s3 import Bucket
from domain import keys
from domain.contract import Contract
from training_job.dataset import Split
from training_job.errors import TrainingError
from training_job.model import TrainingData, fit

STUDY = "tune"
POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Progress:
    """One finished trial as a worker reports it."""

    number: int
    f1: float
    rounds: int
    seconds: float


def space(trial: optuna.Trial) -> dict[str, float]:
    """The hyperparameters searched: trees no deeper than 6, so that a request walks them fast."""
    return {
        "max_depth": trial.suggest_int("max_depth", 2, 6),
        "learning_rate": trial.suggest_float("learning_rate", 0.05, 0.3, log=True),
        "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 50.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.6, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.6, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 10.0, log=True),
        "gamma": trial.suggest_float("gamma", 0.0, 3.0),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What each worker process needs; everything in it can be pickled."""

    contract: Contract
    train: Path
    valid: Path
    journal: Path
    tracking: Tracking
    experiment: str
    parent_run: str
    seed: int


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
    with tempfile.TemporaryDirectory(prefix="tune-") as folder:
        work = Work(
            contract=contract,
            train=Path(folder) / "train.parquet",
            valid=Path(folder) / "valid.parquet",
            journal=Path(folder) / "journal.log",
            tracking=tracking,
            experiment=tracking.experiment_id(),
            parent_run=parent_run,
            seed=seed,
        )
        data.download(keys.dataset(dataset_id, "train"), work.train)
        data.download(keys.dataset(dataset_id, "valid"), work.valid)
        journal_key = keys.study(execution)
        _resume(models, journal_key, work.journal)
        study = _study(work.journal, seed)
        _abandon_running(study)
        remaining = trials - _finished(study)
        if remaining > 0:
            say(f"{remaining} of {trials} trials to go, parent run {parent_run}")
            count = min(processes or os.cpu_count() or 1, remaining)
            _search(work, remaining, count, say, lambda: models.upload(work.journal, journal_key))
        best = study.best_trial
        return {
            "trials": _finished(study),
            "best_trial": best.number,
            "valid_f1": best.value,
            "params": best.params,
            "run_id": parent_run,
        }


def _search(
    work: Work, trials: int, processes: int, say: Callable[[str], None], save: Callable[[], None]
) -> None:
    """Let the workers do `trials` trials; save the journal and say so after each.

    A process that dies loses its own trial only; when none succeeds, its error is raised.
    """
    context = multiprocessing.get_context("spawn")
    claims, results = context.Value("i", trials), context.Queue()
    workers = [
        context.Process(target=_worker, args=(work, index, claims, results), daemon=True)
        for index in range(processes)
    ]
    for worker in workers:
        worker.start()
    began, best, done = time.monotonic(), 0.0, 0
    failure: Exception = TrainingError("Every tuning process died at once: see the log.")
    while any(worker.is_alive() for worker in workers) or not results.empty():
        try:
            progress: Progress | Exception = results.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        if isinstance(progress, Exception):
            failure = progress
            say(f"a tuning process gave up ({type(failure).__name__}): {failure}")
            continue
        done, best = done + 1, max(best, progress.f1)
        save()
        left = (time.monotonic() - began) / done * (trials - done)
        say(
            f"trial {done}/{trials}: F1 {progress.f1:.4f} (best {best:.4f}), "
            f"{progress.rounds} trees in {progress.seconds:.1f} s; {left:.0f} s left"
        )
    if not done:
        raise failure


def _worker(
    work: Work,
    index: int,
    claims: "Synchronized[int]",
    results: "multiprocessing.Queue[Progress | Exception]",
) -> None:
    """One process: claim a trial, run it, until none is left."""
    try:
        _run_trials(work, index, claims, results)
    except Exception as error:
        results.put(error)
        raise


def _run_trials(
    work: Work,
    index: int,
    claims: "Synchronized[int]",
    results: "multiprocessing.Queue[Progress | Exception]",
) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    train = Split.read(work.train, work.contract)
    valid = Split.read(work.valid, work.contract)
    data = TrainingData.of(train, valid, work.contract)
    study = _study(work.journal, work.seed + index)

    parent = multiprocessing.parent_process()
    while (parent is None or parent.is_alive()) and _claim(claims):
        began, trial = time.time(), study.ask()
        params = space(trial)
        fitted = fit(data, params, seed=work.seed)
        seconds, rounds = time.time() - began, fitted.booster.num_boosted_rounds()
        metrics = {"valid_f1": fitted.valid_f1, "threshold": fitted.threshold, "trees": rounds}
        work.tracking.log_trial(
            experiment=work.experiment,
            parent_run=work.parent_run,
            name=f"trial-{trial.number}",
            params=params,
            metrics={**metrics, "seconds": seconds},
            began=began,
        )
        study.tell(trial, fitted.valid_f1)
        results.put(Progress(trial.number, fitted.valid_f1, rounds, seconds))


def _claim(claims: "Synchronized[int]") -> bool:
    with claims.get_lock():
        if claims.value <= 0:
            return False
        claims.value -= 1
        return True


def _study(journal: Path, seed: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        study_name=STUDY,
        storage=JournalStorage(JournalFileBackend(str(journal))),
        sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True),
        direction="maximize",
        load_if_exists=True,
    )


def _finished(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))


def _resume(models: Bucket, key: str, journal: Path) -> None:
    """Bring back an earlier attempt's journal, without a last line that was cut short."""
    stored = models.get(key)
    if stored is not None:
        journal.write_bytes(stored.data[: stored.data.rfind(b"\n") + 1])


def _abandon_running(study: optuna.Study) -> None:
    """Trials of a process that died are lost; say so in the study."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
