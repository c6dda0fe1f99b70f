"""A prepared split in Parquet: written by `prepare`, read by `tune` and `evaluate`."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet

from adapters.s3 import Bucket
from domain import keys
from domain.contract import Contract
from domain.feature import Value
from training_job.validation import MISSING, Columns

BATCH_ROWS = 20_000
"""So many rows are Python objects at a time."""


def to_table(columns: Columns, contract: Contract) -> pa.Table:
    """Checked columns, the target too, as an Arrow table under the contract's own names."""
    arrays = to_arrays(columns, contract)
    return pa.table({**arrays, contract.target: pa.array(columns[contract.target])})


def to_arrays(columns: Columns, contract: Contract) -> dict[str, pa.Array]:
    """Checked features as Arrow arrays, null where missing."""
    arrays: dict[str, pa.Array] = {}
    for feature in contract.features:
        values = columns[feature.name]
        if feature.kind == "category":
            codes = pa.array(values, mask=values == MISSING)
            arrays[feature.name] = pa.DictionaryArray.from_arrays(codes, list(feature.categories))
        elif feature.kind == "flag":
            arrays[feature.name] = pa.array(values, mask=values == MISSING)
        else:
            arrays[feature.name] = pa.array(values, from_pandas=True)
    return arrays


@dataclass(frozen=True, slots=True)
class Split:
    """One side of a dataset: a row per patient, the labels 0 or 1."""

    table: pa.Table
    labels: npt.NDArray[np.int8]

    @classmethod
    def download(cls, bucket: Bucket, dataset_id: str, side: str, contract: Contract) -> "Split":
        """One side of a dataset from the data bucket."""
        with tempfile.TemporaryDirectory(prefix="split-") as folder:
            path = Path(folder) / "split.parquet"
            bucket.download(keys.dataset(dataset_id, side), path)
            return cls.read(path, contract)

    @classmethod
    def read(cls, path: Path, contract: Contract) -> "Split":
        """Load a split's Parquet file."""
        # This pool gives freed memory back at once: what is binned needs no table any more.
        pa.set_memory_pool(pa.system_memory_pool())
        dictionaries = [f.name for f in contract.features if f.kind == "category"]
        table = pyarrow.parquet.read_table(path, read_dictionary=dictionaries)
        return cls(table, table.column(contract.target).to_numpy().astype(np.int8))

    def head(self, rows: int) -> "Split":
        """A copy of the first rows, which doesn't keep the others in memory."""
        first = np.arange(min(rows, len(self.labels)))
        return Split(self.table.take(pa.array(first)), self.labels[first])

    def batches(self) -> Iterator["Split"]:
        """The same rows, a few at a time."""
        for start in range(0, len(self.labels), BATCH_ROWS):
            rows = slice(start, start + BATCH_ROWS)
            yield Split(self.table.slice(start, BATCH_ROWS), self.labels[rows])

    def rows(self, contract: Contract) -> Iterator[tuple[Value, ...]]:
        """The features row by row in the contract's order, None for missing."""
        names = [feature.name for feature in contract.features]
        for batch in self.batches():
            columns = (batch.table.column(name).to_pylist() for name in names)
            yield from zip(*columns, strict=True)
