"""Parts of a dataset's side, encoded on the workers that hold them."""

from dataclasses import dataclass

import numpy as np
import pyarrow.parquet
import xgboost as xgb

from adapters.s3 import OpenBucket
from domain.contract.contract import Contract
from training_job.dataset.dataset import Bools, Floats, SplitFile
from training_job.dataset.tables import fetched
from training_job.model.encoding import Matrix, encode, rows_per_batch
from training_job.model.masking import Masking
from training_job.model.model import Labels, Probabilities, predict, scale_uploaded
from training_job.model.scored_lines import ScoredLines


@dataclass(frozen=True, slots=True)
class PartFacts:
    """What the step needs to know of a part: its rows, and missing values by nullable feature."""

    rows: int
    positives: float
    weight: float
    weighted: bool
    missing: dict[str, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part's rows begin among the `rows` of its side."""

    start: int
    rows: int


@dataclass(frozen=True, slots=True)
class PartLabels:
    """Labels and weights of a part's rows; `weights` are None where every row counts once."""

    labels: Labels
    weights: Floats | None
    uploaded: Bools


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
            missing={name: file.count_missing(name) for name in nullable},
        )


def read_labels(open_bucket: OpenBucket, key: str, contract: Contract) -> PartLabels:
    """Read what else than features a part has."""
    with fetched(open_bucket(), key) as path:
        file = SplitFile.open(path, contract=contract)
        return PartLabels(file.labels, file.weights, file.uploaded)


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


def score_part(part: Loaded, booster: xgb.Booster) -> Probabilities:
    """Probabilities of a loaded part's rows."""
    return predict(booster, part[0])


def count_scores(part: Loaded, booster: xgb.Booster) -> ScoredLines:
    """A loaded part's rows by probability and label."""
    return ScoredLines.of_rows(predict(booster, part[0]), [part[1] == 1]).condense()
