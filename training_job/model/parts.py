"""Parts of a dataset's side, encoded on the workers that hold them."""

from dataclasses import dataclass

import numpy as np
import pyarrow.parquet
import xgboost as xgb

from adapters.s3 import OpenBucket
from domain.contract.contract import Contract
from training_job.dataset.dataset import Floats, SplitFile
from training_job.dataset.tables import fetched
from training_job.model.encoding import Matrix, encode, rows_per_batch
from training_job.model.masking import Masking
from training_job.model.model import Labels, count_scores, predict, scale_uploaded
from training_job.model.scored_lines import ScoredLines


@dataclass(frozen=True, slots=True)
class PartFacts:
    """What the step needs to know of a part.

    `positives`: their weight, as `weight` is that of all rows. `produced`, `produced_positives`:
    numbers of production rows. `missing`: values by nullable feature.
    """

    rows: int
    positives: float
    weight: float
    weighted: bool
    produced: int
    produced_positives: int
    missing: dict[str, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part's rows begin among the `rows` of its side."""

    start: int
    rows: int


Loaded = tuple[Matrix, Labels, Floats]
"""Encoded rows, their labels and their weights."""


def read_facts(open_bucket: OpenBucket, key: str, contract: Contract) -> PartFacts:
    """Describe a part."""
    with fetched(open_bucket(), key) as path:
        file = SplitFile.open(path, contract=contract)
        nullable = [feature.name for feature in contract.features if feature.nullable]
        weights = np.ones(len(file.labels)) if file.weights is None else file.weights
        return PartFacts(
            rows=pyarrow.parquet.read_metadata(path).num_rows,
            positives=float(weights[file.labels == 1].sum()),
            weight=float(weights.sum()),
            weighted=file.weights is not None,
            produced=int(np.count_nonzero(~file.uploaded)),
            produced_positives=int(np.count_nonzero(file.labels[~file.uploaded] == 1)),
            missing={name: file.count_missing(name) for name in nullable},
        )


def load(
    open_bucket: OpenBucket,
    key: str,
    place: Place,
    contract: Contract,
    *,
    masking: Masking | None = None,
    uploaded_weight: float = 1.0,
) -> Loaded:
    """Encode a part; `masking` blanks the values that it blanks on one machine."""
    step = rows_per_batch(contract)
    with fetched(open_bucket(), key) as path:
        file = SplitFile.open(path, contract=contract)
        matrix = np.empty((len(file.labels), len(contract.encoded_names)), np.float32)
        start = 0
        for batch in file.batches(step):
            end = start + len(batch.labels)
            matrix[start:end] = encode(batch.table, contract)
            start = end
    if masking is not None:
        masking.apply_within(matrix, place.start, rows=place.rows, batch_rows=step)
    weights = np.ones(len(file.labels)) if file.weights is None else file.weights
    return matrix, file.labels, scale_uploaded(weights, file.uploaded, uploaded_weight)


def count_part(part: Loaded, booster: xgb.Booster, *, weighted: bool) -> ScoredLines:
    """A loaded part's rows by probability, label and weight."""
    matrix, labels, weights = part
    return count_scores(predict(booster, matrix), labels, weights if weighted else None)
