"""Which predictions are theirs: what labels, scores and answers are found by."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adapters.s3 import Bucket
from adapters.s3_versions import download, list_versions
from domain import keys
from training_job.dataset.files.content import PARQUET
from training_job.dataset.ids import read_ids
from training_job.erasure import json_records, parquet
from training_job.erasure.journal import Links
from training_job.erasure.wanted import Wanted

LOGS = ("log/", f"{keys.FALLBACK}log/", keys.rejected("log"))

Batch = Mapping[str, pa.Array]


def find_links(predictions: Bucket, wanted: Wanted, known: Links) -> Links:
    """Read the log, every version of it, for the ids and references of their predictions."""
    ids, references = set(known.predictions), set(known.references)
    for batch in _read_log(predictions):
        theirs = _is_theirs(batch, wanted)
        if theirs.any():
            ids |= _texts(batch, "prediction_id", theirs)
            references |= _texts(batch, "reference", theirs)
    shared = set(known.shared)
    if references:
        values = pa.array(sorted(references), pa.string())
        for batch in _read_log(predictions):
            column = batch.get("reference")
            if column is not None:
                matched = pc.is_in(column.cast(pa.string()), value_set=values)
                others = np.asarray(matched) & ~_is_theirs(batch, wanted)
                shared |= _texts(batch, "reference", others)
    return Links(frozenset(ids), frozenset(references), frozenset(shared))


def _is_theirs(batch: Batch, wanted: Wanted) -> "np.typing.NDArray[np.bool_]":
    column = batch.get("subject")
    if column is None:
        return np.zeros(len(next(iter(batch.values()))), bool)
    values = pa.array(sorted(wanted.subject_texts), pa.string())
    return np.asarray(pc.is_in(read_ids(column), value_set=values).to_numpy(zero_copy_only=False))


def _texts(batch: Batch, name: str, rows: "np.typing.NDArray[np.bool_]") -> set[str]:
    column = batch.get(name)
    if column is None:
        return set()
    return {str(text) for text in column.filter(pa.array(rows)).to_pylist() if text is not None}


def _read_log(predictions: Bucket) -> Iterator[Batch]:
    with tempfile.TemporaryDirectory(prefix="erase-") as folder:
        path = Path(folder) / "object"
        for prefix in LOGS:
            for version in list_versions(predictions, prefix):
                if not version.size or not download(predictions, version, path):
                    continue
                try:
                    with path.open("rb") as file:
                        is_parquet = file.read(4) == PARQUET
                    if is_parquet:
                        yield from parquet.read_people(path)
                    else:
                        yield from json_records.read_people(path.read_bytes())
                except (pa.ArrowException, OSError):
                    continue  # the pass over all objects names it
