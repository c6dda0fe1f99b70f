"""The encoder over whole columns: rows as the float32 matrix that XGBoost takes.

`domain.contract.encoder` does the same for one row; a test compares the two.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.contract import Contract
from domain.contract.feature import Feature
from training_job.dataset.validation import MISSING, Columns

Matrix = npt.NDArray[np.float32]


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
            width = len(feature.encoded_names)
            # The last row of the table, which is what -1 points to, is the missing category.
            table = np.vstack([np.eye(width), np.full(width, np.nan)]).astype(np.float32)
            matrix[:, start : start + width] = table[values.astype(np.intp)]
        else:
            matrix[:, start] = values
            if feature.kind == "flag":
                matrix[values == MISSING, start] = np.nan
        start += len(feature.encoded_names)
    return matrix


def _values(column: pa.ChunkedArray, feature: Feature) -> npt.NDArray[np.generic]:
    """A table's column as `Columns` hold it."""
    if feature.kind == "category":
        texts = pc.cast(column, pa.string())
        codes = pc.index_in(texts, value_set=pa.array(feature.categories, pa.string()))
        return np.asarray(pc.fill_null(codes, MISSING).to_numpy())
    if feature.kind == "flag":
        return np.asarray(pc.fill_null(pc.cast(column, pa.int8()), MISSING).to_numpy())
    return np.asarray(pc.cast(column, pa.float64()).to_numpy(), dtype=np.float64)
