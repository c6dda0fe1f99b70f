"""The reference sample of a version: what the predictions to come are compared with.

It comes from the source whose rows decided the promotion. Otherwise the first day after a changed
concept was learned would be compared with the outcomes of before, and the incident would not close.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from adapters.s3 import Bucket
from domain.contract.contract import Contract
from domain.contract.feature import COLUMN_TYPES
from domain.contract.records import SAMPLING_WEIGHT, SUBJECT_KEY
from domain.drift.drift import MINIMUM_VALUES
from tabular.arrow_types import ARROW_TYPES
from tabular.classification import Bools, Floats
from tabular.coverage import thin
from training_job.dataset.dataset import (
    BATCH_ROWS,
    PREDICTION_ID,
    Split,
    SplitFile,
    list_parts,
    read_first,
)
from training_job.dataset.tables import fetched
from training_job.model.encoding import encode
from training_job.model.model import Fitted, predict

REFERENCE_ROWS = 10_000
UPLOADED_ROWS = 10 * REFERENCE_ROWS
"""Uploaded rows that are read, and thinned by their weight."""
ENOUGH_ROWS = 1_000
"""With so many production rows for validation, they are the reference sample."""


def draw_sample(
    data: Bucket, dataset_id: str, contract: Contract, newest: Split | None, *, seed: int
) -> Split:
    """Draw up to REFERENCE_ROWS rows that the model was not fitted on; see `choose_sample`.

    Where no row has a weight or is a prediction, these are the first ones, and no others are read.
    """
    first = read_first(data, dataset_id, "valid", contract, REFERENCE_ROWS)
    if newest is None and not {SAMPLING_WEIGHT, PREDICTION_ID} & {*first.table.column_names}:
        return first
    valid = read_candidates(data, dataset_id, contract)
    return choose_sample(valid, newest, seed=seed, most=REFERENCE_ROWS)


def read_candidates(data: Bucket, dataset_id: str, contract: Contract) -> Split:
    """The production rows for validation, and the first UPLOADED_ROWS of the uploaded ones.

    The first rows have the lowest hashes, so they are random. The other uploaded rows are never in
    memory.
    """
    parts: list[Split] = []
    left = UPLOADED_ROWS
    for key in list_parts(data, dataset_id, "valid"):
        with fetched(data, key) as path:
            for batch in SplitFile.open(path, contract=contract).batches(BATCH_ROWS):
                uploaded = batch.uploaded
                wanted = ~uploaded | (np.cumsum(uploaded) <= left)
                left -= int(np.count_nonzero(uploaded & wanted))
                parts.append(batch.take(np.flatnonzero(wanted)))
                if not left and PREDICTION_ID not in batch.table.column_names:
                    return Split.join(parts)
    return Split.join(parts)


def choose_sample(valid: Split, newest: Split | None, *, seed: int, most: int) -> Split:
    """Choose rows of the source that decided; `newest`: production rows, if these did.

    Then these and the production rows for validation are the sample. Otherwise it holds rows for
    validation: those of production if there are enough, since new predictions should look like
    these, and else the uploaded ones.

    A row is kept with a chance that is proportional to its weight, so that those that are kept are
    like all predictions, and each is there once.
    """
    rng = np.random.default_rng(seed)
    older = np.where(valid.uploaded, 0.0, _weigh(valid))
    if newest is None:
        kept = thin(older, rng)
        if np.count_nonzero(kept) < ENOUGH_ROWS:
            return valid.take(np.flatnonzero(_thin_uploaded(valid, rng))[:most])
        return valid.take(_limit(kept, most, rng))
    chances = np.concatenate([_weigh(newest), older])
    kept = thin(chances, rng)
    if np.count_nonzero(kept) < MINIMUM_VALUES:  # of fewer rows nothing can be compared
        kept = chances > 0
    places, split = _limit(kept, most, rng), len(newest.labels)
    return Split.join(
        [newest.take(places[places < split]), valid.take(places[places >= split] - split)]
    )


def _thin_uploaded(valid: Split, rng: np.random.Generator) -> Bools:
    """Which uploaded rows represent all uploaded ones."""
    weights = np.where(valid.uploaded, _weigh(valid), 0.0)
    kept = thin(weights, rng)
    return kept if np.count_nonzero(kept) >= MINIMUM_VALUES else weights > 0


def _weigh(rows: Split) -> Floats:
    return np.ones(len(rows.labels)) if rows.weights is None else rows.weights


def _limit(kept: Bools, most: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Places of the rows that are kept, or of so many of them."""
    places = np.flatnonzero(kept)
    return places if len(places) <= most else np.sort(rng.choice(places, most, replace=False))


def make_reference(sample: Split, fitted: Fitted, contract: Contract) -> pa.Table:
    """Score the version's own sample.

    Context columns that define segments, and the subjects' hashes, are in it where the dataset has
    them.
    """
    table = sample.table
    probabilities = predict(fitted.booster, encode(table, contract)).astype(np.float64)
    columns: dict[str, object] = {}
    grouping = [f for f in contract.segment_context if f.name in table.column_names]
    for feature in (*contract.features, *grouping):
        column = table.column(feature.name)
        columns[feature.column] = column.cast(ARROW_TYPES[COLUMN_TYPES[feature.kind]])
    if SUBJECT_KEY in table.column_names:
        columns[SUBJECT_KEY] = table.column(SUBJECT_KEY)
    return pa.table(
        columns
        | {
            "probability": probabilities,
            "predicted": probabilities >= fitted.threshold,
            "label": sample.labels.astype(bool),
        }
    )
