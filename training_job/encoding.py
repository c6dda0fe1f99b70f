"""The encoder over whole columns: a split as the float32 matrix that XGBoost trains on.

`domain.encoder` does the same for one row; a test compares the two.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract import Contract, Feature

Matrix = npt.NDArray[np.float32]


def encode(table: pa.Table, contract: Contract) -> Matrix:
    """`table` with the contract's columns → ``(rows, len(contract.encoded_names))`` float32."""
    matrix = np.empty((table.num_rows, len(contract.encoded_names)), dtype=np.float32, order="F")
    start = 0
    for feature in contract.features:
        width = len(feature.encoded_names)
        block = matrix[:, start : start + width]
        column = table.column(feature.name)
        if feature.kind == "category":
            _one_hot(column, feature, block)
        else:
            block[:, 0] = pc.cast(column, pa.float64()).to_numpy()
        start += width
    return np.ascontiguousarray(matrix)


def _one_hot(column: pa.ChunkedArray, feature: Feature, block: Matrix) -> None:
    texts = pc.cast(column, pa.string())
    codes = pc.index_in(texts, value_set=pa.array(feature.categories, pa.string()))
    positions = pc.fill_null(codes, -1).to_numpy()
    for index in range(block.shape[1]):
        block[:, index] = positions == index
    block[positions < 0] = np.nan
