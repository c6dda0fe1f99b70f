"""Tune: an Optuna study over XGBoost with a process per vCPU; each trial is an MLflow run.

This process alone talks to the study and writes its journal. The other processes only fit models.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import optuna
from optuna.trial import TrialState

from adapters.registry import Tracking
from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.contract.feature import Kind
from domain.plural import write_count
from domain.training.steps import Tuned
from training_job.dataset.dataset import opened
from training_job.model.model import TrainingData
from training_job.search.fitters import FitsTrials, Fitters
from training_job.search.search import Search
from training_job.search.study import (
    abandon_running,
    count_finished,
    open_study,
    resume,
    try_both_weights_first,
)
from training_job.search.trial_log import TrialLog

Fitting = AbstractContextManager[tuple[FitsTrials, bool]]
"""What fits the trials, and whether the weight of uploaded rows is searched like a parameter."""


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
    fitting: Fitting | None = None,
    minutes: int | None = None,
) -> Tuned:
    """Run `trials` trials and return the best parameters with their validation log loss.

    The study's journal is copied to the models bucket after each trial, and a retried step
    continues it. `processes`: 0 means one per vCPU. `fitting`: what fits the trials; processes of
    this task unless another one is given. `minutes`: after which the search ends with the trials
    that it has, of which one at least is fitted to its end; None: no limit.
    """
    parent_run = tracking.run_of(execution)
    tracking.close_abandoned_trials(parent_run)
    _log_dataset(data, tracking, parent_run, dataset_id, contract)
    with tempfile.TemporaryDirectory(prefix="tune-") as folder:
        journal = Path(folder) / "journal.log"
        resume(models, keys.study(execution), journal)
        study = open_study(journal)
        abandon_running(study)
        remaining, timed_out = trials - count_finished(study), False
        if remaining > 0:
            say(f"{remaining} of {write_count(trials, 'trial')} to go, parent run {parent_run}")
            count = min(processes or os.cpu_count() or 1, remaining)
            here = fit_in_processes(data, dataset_id, contract, count=count, seed=seed)
            with (
                fitting or here as (fitters, uploaded),  # forked before any thread
                TrialLog(
                    tracking, parent_run, tracking.experiment_id(), contract.objective.metric
                ) as log,
            ):
                if uploaded:
                    try_both_weights_first(study)
                seconds = None if minutes is None else 60.0 * minutes
                search = Search(study, fitters, remaining, seed, say, uploaded, seconds)
                for done, params in search.run():
                    models.upload(journal, keys.study(execution))
                    log.add(done, params)
                log.settle(say)
                timed_out = search.timed_out
                if timed_out:
                    ended = write_count(search.done, "trial")
                    say(f"The time of {minutes} min was over after {ended}.")
        return _read_best(study, parent_run, timed_out=timed_out)


@contextlib.contextmanager
def fit_in_processes(
    data: Bucket, dataset_id: str, contract: Contract, *, count: int, seed: int
) -> Iterator[tuple[Fitters, bool]]:
    """Processes of this task, and whether the weight of uploaded rows is searched, too."""
    with (
        opened(data, dataset_id, "train", contract) as train,
        opened(data, dataset_id, "valid", contract) as valid,
    ):
        binned = TrainingData.of(train, valid, contract, seed=seed)
    uploaded = binned.weights is not None and binned.weights.search_uploaded
    with Fitters(binned, count=count, seed=seed) as fitters:
        yield fitters, uploaded


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


def _read_best(study: optuna.Study, parent_run: str, *, timed_out: bool) -> Tuned:
    return Tuned(
        trials=count_finished(study),
        pruned=len(study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))),
        best_trial=study.best_trial.number,
        valid_log_loss=study.best_value,
        params=study.best_params,
        run_id=parent_run,
        timed_out=timed_out,
    )
