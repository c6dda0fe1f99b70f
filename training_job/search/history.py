"""Read a study from its journal, for the evaluation and for `ops train`."""

import tempfile
from pathlib import Path

from adapters.s3 import Bucket
from domain import keys


def read_finished(models: Bucket, execution: str) -> list[float | None]:
    """Validation log loss of each finished trial, in order; None for one that was stopped early.

    Empty before the first trial ended, since the journal is copied after each trial.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage
    from optuna.trial import TrialState

    from training_job.search.study import (  # not at the top: a command line imports this
        FINISHED,
        resume,
    )

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="study-") as folder:
        journal = Path(folder) / "journal.log"
        resume(models, keys.study(execution), journal)
        if not journal.exists():
            return []
        storage = JournalStorage(JournalFileBackend(str(journal)))
        trials = [
            trial
            for study in storage.get_all_studies()
            for trial in storage.get_all_trials(study._study_id, deepcopy=False, states=FINISHED)
        ]
    return [t.value if t.state == TrialState.COMPLETE else None for t in trials]
