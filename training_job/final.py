"""The final model, and the little that is kept of the rows that made it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from adapters.s3 import Bucket
from domain.contract import Contract
from training_job.dataset import Split
from training_job.model import Fitted, TrainingData, fit


@dataclass(frozen=True, slots=True)
class Final:
    """`sample`: the first validation rows. `prevalence`: share of positives it was fitted on."""

    fitted: Fitted
    sample: Split
    rows: dict[str, int]
    prevalence: float


def fit_final(
    data: Bucket,
    dataset_id: str,
    contract: Contract,
    params: Mapping[str, Any],
    *,
    seed: int,
    sample_rows: int,
) -> Final:
    """Fit on train; early stopping and the threshold come from valid.

    Binned rows need their tables no more: memory holds both only while they are binned.
    """
    train = Split.download(data, dataset_id, "train", contract)
    valid = Split.download(data, dataset_id, "valid", contract)
    rows = {"train": len(train.labels), "valid": len(valid.labels)}
    prevalence, sample = float(np.mean(train.labels)), valid.head(sample_rows)
    binned = TrainingData.of(train, valid, contract)
    del train, valid
    return Final(fit(binned, params, seed=seed), sample, rows, prevalence)
