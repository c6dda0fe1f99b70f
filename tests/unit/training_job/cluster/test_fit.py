"""A fit on a cluster, compared with the fit of one machine on the same rows."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from adapters.s3 import Bucket
from benchmarks.folder_bucket import FolderS3
from domain import keys
from domain.contract.contract import Contract
from tests.unit.patients import csv, patients
from tests.unit.training_job.cluster.conftest import running
from training_job.cluster.cluster import Cluster
from training_job.dataset.dataset import Split, list_parts
from training_job.dataset.partitioned.prepare import prepare
from training_job.evaluation.final import Final, fit_final, fit_final_on
from training_job.model.masking import SHARE, Masking
from training_job.model.model import predict_split
from training_job.search.cluster_fitters import ClusterFitters
from training_job.search.fitters import Done, Task

PARAMS = {"max_depth": 4, "learning_rate": 0.2, "subsample": 0.9}


@pytest.fixture
def alone() -> Iterator[Cluster]:
    """A single worker; closed before another cluster fits, as XGBoost takes the newest client."""
    with running(1) as found:
        yield found


class Dataset:
    """A dataset that a cluster has prepared."""

    def __init__(self, folder: Path, contract: Contract, cluster: Cluster, ranges: int) -> None:
        self.contract, self.open = contract, partial(FolderS3(folder).bucket, "data")
        self.data: Bucket = self.open()
        self.data.put(f"{keys.RAW}a.csv", csv(patients(6_000, seed=1)))
        self.id = prepare(
            cluster=cluster,
            open_bucket=self.open,
            contract=contract,
            bucket=self.data,
            raw_prefix=keys.RAW,
            salt="s",
            bad_row_share=0.01,
            execution="e",
            say=lambda _: None,
            ranges=ranges,
        ).dataset_id

    def fit(self, cluster: Cluster | None) -> Final:
        place = (self.data, self.id, self.contract, PARAMS)
        if cluster is None:
            return fit_final(*place, seed=1)
        return fit_final_on(*place, cluster=cluster, open_data=self.open, seed=1)

    def score(self, final: Final) -> tuple[Any, Any]:
        """Test labels and probabilities."""
        test = Split.download(self.data, self.id, "test", self.contract)
        return test.labels, predict_split(final.fitted.booster, test, self.contract)


def test_one_worker_and_one_part_make_the_model_of_one_machine(
    tmp_path: Path, contract: Contract, alone: Cluster
) -> None:
    dataset = Dataset(tmp_path, contract, alone, ranges=1)
    here, there = dataset.fit(None), dataset.fit(alone)
    assert here.fitted.booster.save_raw() == there.fitted.booster.save_raw()
    assert here.fitted.threshold == there.fitted.threshold
    assert here.fitted.valid_log_loss == there.fitted.valid_log_loss
    assert (here.rows, here.prevalence, here.masked) == (there.rows, there.prevalence, there.masked)


def test_many_parts_on_two_workers_make_as_good_a_model_and_the_same_one_again(
    tmp_path: Path, contract: Contract, cluster: Cluster
) -> None:
    dataset = Dataset(tmp_path, contract, cluster, ranges=5)
    here, there, again = dataset.fit(None), dataset.fit(cluster), dataset.fit(cluster)
    assert there.fitted.booster.save_raw() == again.fitted.booster.save_raw()
    areas = [roc_auc_score(*dataset.score(final)) for final in (here, there)]
    assert areas[0] == pytest.approx(areas[1], abs=0.002)


def test_trials_are_fitted_on_all_workers(
    tmp_path: Path, contract: Contract, cluster: Cluster
) -> None:
    from training_job.model.cluster_fit import ClusterData

    dataset = Dataset(tmp_path, contract, cluster, ranges=2)
    train, valid = (list_parts(dataset.data, dataset.id, side) for side in ("train", "valid"))
    rows = ClusterData.open(cluster, dataset.open, contract, train=[*train], valid=[*valid], seed=1)
    fitters = ClusterFitters(rows, seed=1)
    assert fitters.idle()
    assert fitters.start(Task(3, PARAMS)) is None
    assert not fitters.idle()
    (done,) = fitters.receive()
    assert isinstance(done, Done)
    assert 3 == done.number
    assert done.log_loss is not None
    assert 0 < done.log_loss < 0.6
    assert not fitters.busy


def test_parts_are_blanked_where_the_whole_is_blanked(contract: Contract) -> None:
    width = len(contract.encoded_names)
    masking = Masking.of_names(["bmi", "smoking_history"], contract, seed=3)
    whole = np.zeros((1_000, width), np.float32)
    for batch, start in enumerate(range(0, 1_000, 300)):
        masking.apply(whole[start : start + 300], batch)
    parts = np.zeros((1_000, width), np.float32)
    for start, stop in ((0, 10), (10, 700), (700, 700), (700, 1_000)):
        masking.apply_within(parts[start:stop], start, rows=1_000, batch_rows=300)
    assert np.array_equal(whole, parts, equal_nan=True)
    assert SHARE == pytest.approx(np.isnan(parts).any(axis=1).mean() / 2, abs=0.02)
