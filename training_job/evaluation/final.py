"""The final model, and what is kept of the rows that it was fitted on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from adapters.s3 import Bucket
from domain.contract.contract import Contract
from training_job.dataset.dataset import BATCH_ROWS, Split, SplitFile, opened
from training_job.model.masking import rarely_missing
from training_job.model.model import Fitted, TrainingData, fit

ENOUGH_ROWS = 1_000
"""So many production rows make a reference sample by themselves."""


@dataclass(frozen=True, slots=True)
class Final:
    """`sample`: rows of the validation side, see `_choose_sample`. `prevalence`: share of positive
    training rows, each counted by its weight.

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
        sample = _choose_sample(valid, sample_rows, seed)
        masked = rarely_missing(train, contract)
    rows = {"train": len(train.labels), "valid": len(valid.labels)}
    fitted = fit(binned, params, seed=seed)
    prevalence = float(np.average(train.labels, weights=train.weights))
    return Final(fitted, sample, rows, prevalence, masked)


def _choose_sample(valid: SplitFile, rows: int, seed: int) -> Split:
    """Production rows where there are enough, since new predictions should look like these.

    A row is kept with a chance that is proportional to its weight, so that those that are kept are
    like all predictions, and nobody is there twice. Otherwise the first rows, whose hashes are the
    lowest, so random.
    """
    if valid.weights is not None:
        chances = np.where(valid.uploaded, 0.0, valid.weights)
        kept = np.random.default_rng(seed).random(len(chances)) * chances.max() < chances
        if np.count_nonzero(kept) >= ENOUGH_ROWS:
            return _take(valid, np.flatnonzero(kept)[:rows])
    return next(valid.batches(rows))


def _take(valid: SplitFile, rows: npt.NDArray[np.intp]) -> Split:
    """Some rows of a file, in ascending order."""
    parts, start = [], 0
    for part in valid.batches(BATCH_ROWS):
        end = start + len(part.labels)
        here = rows[(rows >= start) & (rows < end)] - start
        parts.append(part.table.take(pa.array(here)))
        start = end
    return Split(pa.concat_tables(parts).unify_dictionaries(), valid.labels[rows])
