"""A study's journal, read from its copy in the bucket while it is being written."""

from pathlib import Path

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage

from adapters.s3 import Bucket
from domain import keys
from training_job.search.history import read_finished


def test_finished_trials_are_told_in_order_with_none_for_one_given_up(
    moto_bucket: Bucket, tmp_path: Path
) -> None:
    assert [] == read_finished(moto_bucket, "one")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal = tmp_path / "journal.log"
    storage = JournalStorage(JournalFileBackend(str(journal)))
    study = optuna.create_study(study_name="log_loss", storage=storage, direction="minimize")
    study.tell(study.ask(), 0.7)
    study.tell(study.ask(), state=optuna.trial.TrialState.PRUNED)
    study.tell(study.ask(), 0.8)
    study.ask()  # still running
    moto_bucket.put(keys.study("one"), journal.read_bytes() + b'{"cut sho')
    assert [0.7, None, 0.8] == read_finished(moto_bucket, "one")
