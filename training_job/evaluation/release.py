"""A version's immutable objects: bundle, reference sample, model card."""

import pyarrow as pa
import pyarrow.parquet

from adapters.s3 import Bucket, Conflict
from domain import keys
from domain.model.card import ModelCard
from domain.model.champion import ModelRef


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
