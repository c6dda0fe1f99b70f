"""One raw file as a frame of checked rows, on a worker."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from adapters.s3 import Bucket
from domain.contract.contract import Contract
from domain.contract.feature import Kind
from training_job.dataset import hashing, repeats, tables
from training_job.dataset.raw_files import FileRows, hash_content
from training_job.dataset.validation import Columns, has_values, target_feature
from training_job.errors import BadData

KEY = ":key"
"""Column by which rows are brought together: the id of a row, or the hash of one without an id."""
PLACE = ":place"
"""Column with a row's file and number; no contract can name a column so."""
PLACE_BITS = 40
"""Bits of a place that are the number of the row in its file."""

OpenBucket = Callable[[], Bucket]
"""Makes a client on the worker, since a client can't be sent there."""

_TYPES: dict[Kind, type[np.generic]] = {
    "category": np.int16,
    "flag": np.int8,
    "number": np.float64,
}


@dataclass(frozen=True, slots=True)
class FileReport:
    """What the step needs to know of a file whose rows stay on the workers.

    `file`: without its rows; None of a file that was refused for the reason `refusal`. `digest` and
    `surprise`: see `training_job.dataset.repeats`, where another file has the same size. `rows`
    are the valid ones, `positives` of them are positive. `filled`: context columns with any value.
    """

    file: FileRows | None
    refusal: str = ""
    digest: bytes = b""
    surprise: float = 0.0
    rows: int = 0
    positives: int = 0
    filled: frozenset[str] = frozenset()


def make_empty(contract: Contract) -> pd.DataFrame:
    """A frame without rows, with the columns and types that every file's frame has."""
    features = (*contract.features, target_feature(contract), *contract.segment_context)
    types: dict[str, type[np.generic]] = {f.name: _TYPES[f.kind] for f in features}
    types |= dict.fromkeys(contract.training_columns.names, np.float64)
    types |= {entry.name: np.uint64 for entry in contract.identifying_context}
    types |= {PLACE: np.int64, KEY: np.uint64}
    return pd.DataFrame({name: np.empty(0, kind) for name, kind in types.items()})


def read_file(
    open_bucket: OpenBucket, key: str, index: int, contract: Contract, *, has_twin: bool
) -> tuple[pd.DataFrame, FileReport]:
    """Read and check the file of that key and position among all files.

    `has_twin`: whether another file has as many bytes.
    """
    empty = make_empty(contract)
    digest = b""
    with tables.fetched(open_bucket(), key) as path:
        if has_twin:
            digest = hash_content(path)
        try:
            file = FileRows.read(path, key, contract, number=True)
        except BadData as error:
            return empty, FileReport(None, refusal=str(error))
    frame = _make_frame(file, index, contract, empty)
    labels = frame[contract.target].to_numpy()
    grouping = contract.segment_context
    report = FileReport(
        replace(file, parts=[], numbers=[]),
        digest=digest,
        surprise=repeats.measure_surprise(frame[KEY].to_numpy()) if has_twin else 0.0,
        rows=len(frame),
        positives=int(labels.sum()),
        filled=frozenset(f.name for f in grouping if has_values(frame[f.name].to_numpy(), f)),
    )
    return frame, report


def _make_frame(
    file: FileRows, index: int, contract: Contract, empty: pd.DataFrame
) -> pd.DataFrame:
    if not file.parts:
        return empty
    names = [name for name in empty.columns if name not in (PLACE, KEY)]
    columns: Columns = {
        name: np.concatenate([part.pop(name) for part in file.parts]) for name in names
    }
    numbers = np.concatenate(file.numbers)
    row_id = contract.context_column("row_id")
    place = (np.int64(index) << PLACE_BITS) + numbers
    key = hashing.hash_rows(columns, contract) if row_id is None else columns[row_id]
    return pd.DataFrame(
        {**columns, PLACE: place, KEY: key.astype(np.uint64, copy=False)}, copy=False
    )
