"""The encoder over whole columns: rows as the float32 matrix that XGBoost takes.

`domain.contract.encoder` does the same for one row; a test compares the two.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.contract import Contract
from domain.contract.feature import Feature
from domain.contract.file_values import MISSING
from training_job.dataset.validation import Columns

Matrix = npt.NDArray[np.float32]

MOST_ROWS = 262_144
MOST_CELLS = 16_777_216
"""Cells of float32 that a batch may have: 64 MiB, however many categories there are."""


def rows_per_batch(contract: Contract) -> int:
    """How many rows to encode at a time."""
    return max(1, min(MOST_ROWS, MOST_CELLS // len(contract.encoded_names)))


def encode(table: pa.Table, contract: Contract) -> Matrix:
    """`table` with the contract's columns → ``(rows, len(contract.encoded_names))`` float32."""
    return encode_columns(
        {f.name: _values(table.column(f.name), f) for f in contract.features}, contract
    )


def encode_columns(columns: Columns, contract: Contract) -> Matrix:
    """Checked columns → ``(rows, len(contract.encoded_names))`` float32."""
    rows = len(columns[contract.features[0].name])
    matrix = np.empty((rows, len(contract.encoded_names)), dtype=np.float32)
    start = 0
    for feature in contract.features:
        values = columns[feature.name]
        if feature.kind == "category":
            part = matrix[:, start : start + len(feature.encoded_names)]
            missing = values == MISSING
            part[:] = np.where(missing, np.float32(np.nan), np.float32(0))[:, None]
            present = np.flatnonzero(~missing)
            part[present, values[present].astype(np.intp)] = 1
        else:
            matrix[:, start] = values
            if feature.kind == "flag":
                matrix[values == MISSING, start] = np.nan
        start += len(feature.encoded_names)
    return matrix


def _values(column: pa.ChunkedArray, feature: Feature) -> npt.NDArray[np.generic]:
    """A table's column as checked columns hold it."""
    if feature.kind == "category":
        texts = pc.cast(column, pa.string())
        codes = pc.index_in(texts, value_set=pa.array(feature.categories, pa.string()))
        return np.asarray(pc.fill_null(codes, MISSING).to_numpy())  # int32
    if feature.kind == "flag":
        return np.asarray(pc.fill_null(pc.cast(column, pa.int8()), MISSING).to_numpy())
    return np.asarray(pc.cast(column, pa.float64()).to_numpy(), dtype=np.float64)
