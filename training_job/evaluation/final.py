"""The final model, and what is kept of the rows that it was fitted on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adapters.s3 import Bucket
from domain.contract.contract import Contract
from training_job.dataset.dataset import Split, opened
from training_job.model.masking import rarely_missing
from training_job.model.model import Fitted, TrainingData, fit


@dataclass(frozen=True, slots=True)
class Final:
    """`sample`: the first validation rows. `prevalence`: share of positive training rows.

    `masked`: features whose values were blanked at random in training.
    """

    fitted: Fitted
    sample: Split
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
    sample_rows: int,
) -> Final:
    """Fit on the training rows; early stopping and the threshold use the validation rows."""
    with (
        opened(data, dataset_id, "train", contract) as train,
        opened(data, dataset_id, "valid", contract) as valid,
    ):
        binned = TrainingData.of(train, valid, contract, seed=seed)
        sample = next(valid.batches(sample_rows))
        masked = rarely_missing(train, contract)
    rows = {"train": len(train.labels), "valid": len(valid.labels)}
    fitted = fit(binned, params, seed=seed)
    return Final(fitted, sample, rows, float(np.mean(train.labels)), masked)
