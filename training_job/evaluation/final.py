"""The final model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from adapters.s3 import Bucket, OpenBucket
from domain.contract.contract import Contract
from training_job.dataset.dataset import list_parts, opened
from training_job.model.masking import rarely_missing
from training_job.model.model import Fitted, TrainingData, fit

if TYPE_CHECKING:
    from training_job.cluster.cluster import Cluster

FitFinal = Callable[..., "Final"]
"""`fit_final`, or another function of the same arguments."""


@dataclass(frozen=True, slots=True)
class Final:
    """`prevalence`: share of positive training rows, each counted by its weight.

    `masked`: features whose values were blanked at random in training.
    """

    fitted: Fitted
    rows: dict[str, int]
    prevalence: float
    masked: tuple[str, ...]


def fit_final(
    data: Bucket,
    dataset_id: str,
    contract: Contract,
    params: Mapping[str, float],
    *,
    seed: int,
) -> Final:
    """Fit on the training rows; early stopping and the threshold use the validation rows."""
    with (
        opened(data, dataset_id, "train", contract) as train,
        opened(data, dataset_id, "valid", contract) as valid,
    ):
        binned = TrainingData.of(train, valid, contract, seed=seed)
        masked = rarely_missing(train, contract)
    rows = {"train": len(train.labels), "valid": len(valid.labels)}
    fitted = fit(binned, params, seed=seed)
    prevalence = float(np.average(train.labels, weights=train.weights))
    return Final(fitted, rows, prevalence, masked)


def fit_final_on(
    data: Bucket,
    dataset_id: str,
    contract: Contract,
    params: Mapping[str, float],
    *,
    seed: int,
    cluster: "Cluster",
    open_data: OpenBucket,
) -> Final:
    """The same on a cluster; `open_data` makes a client of the bucket `data` on a worker."""
    from training_job.model.cluster_fit import ClusterData

    train, valid = (list_parts(data, dataset_id, side) for side in ("train", "valid"))
    rows = ClusterData.open(cluster, open_data, contract, train=[*train], valid=[*valid], seed=seed)
    fitted = rows.fit(params, seed=seed)
    counts = {"train": rows.train.rows, "valid": rows.valid.rows}
    return Final(fitted, counts, rows.train.prevalence, rows.masked)
