"""The search as an Optuna study in a journal file: its space, sampler and pruner.

It minimises the log loss on the validation rows, whatever the contract's objective is (ADR 12).
"""

from pathlib import Path

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import TrialState

from adapters.s3 import Bucket
from training_job.model.model import UPLOADED_WEIGHT

UPLOADED_WEIGHTS = (0.01, 1.0)
STUDY = "log_loss"
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
STARTUP_TRIALS = 8
"""This many trials run to their end before any is stopped early."""
PRUNED_BELOW = 25.0
"""Percentage of trials, those with the worst log loss at a round, that stop early."""


def space(trial: optuna.Trial, *, uploaded: bool = False) -> dict[str, float]:
    """The hyperparameters searched: trees no deeper than 6, so that a request walks them fast.

    `uploaded`: search the weight of uploaded rows beside production rows, too.
    """
    found = {
        "max_depth": trial.suggest_int("max_depth", 2, 6),
        "learning_rate": trial.suggest_float("learning_rate", 0.05, 0.3, log=True),
        "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 50.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.6, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.6, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 10.0, log=True),
        "gamma": trial.suggest_float("gamma", 0.0, 3.0),
    }
    if uploaded:
        low, high = UPLOADED_WEIGHTS
        found[UPLOADED_WEIGHT] = trial.suggest_float(UPLOADED_WEIGHT, low, high, log=True)
    return found


def try_both_weights_first(study: optuna.Study) -> None:
    """Begin a new search with uploaded rows that count in full, and then hardly."""
    if not study.get_trials(deepcopy=False):
        for weight in reversed(UPLOADED_WEIGHTS):
            study.enqueue_trial({UPLOADED_WEIGHT: weight})


def open_study(journal: Path) -> optuna.Study:
    """Open the study in the journal, or begin it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        study_name=STUDY,
        storage=JournalStorage(JournalFileBackend(str(journal))),
        pruner=optuna.pruners.PercentilePruner(
            100.0 - PRUNED_BELOW, n_startup_trials=STARTUP_TRIALS
        ),
        direction="minimize",
        load_if_exists=True,
    )


def ask(study: optuna.Study, seed: int) -> optuna.Trial:
    """Begin the next trial; its number seeds the sampler, so that a resumed search repeats it."""
    trials = study.get_trials(deepcopy=False)
    number = sum(trial.state != TrialState.WAITING for trial in trials)
    study.sampler = optuna.samplers.TPESampler(
        seed=seed + number, multivariate=True, constant_liar=True
    )
    return study.ask()


def count_finished(study: optuna.Study) -> int:
    """Number of trials that ended, stopped early or not."""
    return len(study.get_trials(deepcopy=False, states=FINISHED))


def resume(models: Bucket, key: str, journal: Path) -> None:
    """Download the journal, if there is one, without an incomplete last line."""
    stored = models.get(key)
    if stored is not None:
        journal.write_bytes(stored.data[: stored.data.rfind(b"\n") + 1])


def abandon_running(study: optuna.Study) -> None:
    """Mark the trials of an earlier, dead process as failed."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
