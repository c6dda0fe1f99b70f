"""A version's immutable objects: bundle, reference sample, model card."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from adapters.s3 import Bucket, Conflict
from domain import keys
from domain.contract.contract import Contract
from domain.contract.feature import COLUMN_TYPES
from domain.contract.records import SUBJECT_KEY
from domain.model.card import ModelCard
from domain.model.champion import ModelRef
from tabular.arrow_types import ARROW_TYPES
from training_job.dataset.dataset import Split
from training_job.model.encoding import encode
from training_job.model.model import Fitted, predict

REFERENCE_ROWS = 10_000


def make_reference(sample: Split, fitted: Fitted, contract: Contract) -> pa.Table:
    """Score the version's own sample: the validation rows with the lowest (so random) hashes.

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


def store(
    models: Bucket, model: ModelRef, content: bytes, reference: pa.Table, card: ModelCard
) -> None:
    """Write the version's three objects; one that exists already is left as it is."""
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(reference, sink, compression="zstd")
    objects = {
        keys.reference(model.version): (sink.getvalue().to_pybytes(), "application/octet-stream"),
        keys.card(model.version): (card.to_json(), "application/json"),
        model.bundle_key: (content, "application/gzip"),
    }
    for key, (body, content_type) in objects.items():
        try:
            models.put_if(key, body, etag=None, content_type=content_type)
        except Conflict:
            continue
