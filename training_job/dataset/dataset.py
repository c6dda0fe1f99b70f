"""A prepared split in Parquet: written by `prepare`, read by `tune` and `evaluate`."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.contract.feature import Feature, Value
from domain.contract.file_values import MISSING
from domain.contract.records import SAMPLING_WEIGHT, SUBJECT_KEY
from domain.model.left_out import LeftOut
from domain.model.production import Production
from domain.typed_json import decode
from training_job.dataset.hashing import NO_TEXT, Hashes
from training_job.dataset.tables import fetched
from training_job.dataset.validation import Columns
from training_job.errors import BadData

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

PREDICTION_ID = "prediction_id"
"""Column of datasets with production rows; null in uploaded ones."""
BATCH_ROWS = 20_000
"""How many rows are Python objects at a time."""


def to_table(
    columns: Columns,
    contract: Contract,
    subjects: Hashes | None = None,
    weights: Floats | None = None,
) -> pa.Table:
    """Checked columns, the target too, as an Arrow table under the contract's own names.

    Context columns that define segments are in it where the columns have them. `subjects`: a hash
    of each row's subject, which becomes the column `SUBJECT_KEY`. `weights`: how many rows each
    counts for, which becomes `SAMPLING_WEIGHT`.
    """
    grouping = [feature for feature in contract.segment_context if feature.name in columns]
    arrays = to_arrays(columns, (*contract.features, *grouping))
    arrays[contract.target] = pa.array(columns[contract.target])
    if subjects is not None:
        arrays[SUBJECT_KEY] = pa.array(subjects, mask=subjects == NO_TEXT)
    if weights is not None:
        arrays[SAMPLING_WEIGHT] = pa.array(weights)
    return pa.table(arrays)


def to_arrays(columns: Columns, features: Iterable[Feature]) -> dict[str, pa.Array]:
    """Checked features, or context columns, as Arrow arrays, null where missing."""
    arrays: dict[str, pa.Array] = {}
    for feature in features:
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
        with _fetched_parts(bucket, dataset_id, side) as paths:
            return cls.read(*paths, contract=contract)

    @classmethod
    def read(cls, *paths: Path, contract: Contract) -> "Split":
        """Load a split's Parquet file, or its parts."""
        # This pool gives freed memory back at once: what is binned needs no table any more.
        pa.set_memory_pool(pa.system_memory_pool())
        dictionaries = [f.name for f in contract.features if f.kind == "category"]
        tables = [pyarrow.parquet.read_table(p, read_dictionary=dictionaries) for p in paths]
        return cls.join(
            [
                cls(table, table.column(contract.target).to_numpy().astype(np.int8))
                for table in tables
            ]
        )

    @classmethod
    def join(cls, parts: Sequence["Split"]) -> "Split":
        """The rows of all parts, one after the other."""
        if len(parts) == 1:
            return parts[0]
        table = pa.concat_tables([part.table for part in parts], promote_options="default")
        return cls(table.unify_dictionaries(), np.concatenate([part.labels for part in parts]))

    def take(self, rows: npt.NDArray[np.intp]) -> "Split":
        """Some of the rows, by their places."""
        return Split(self.table.take(pa.array(rows)), self.labels[rows])

    @property
    def weights(self) -> Floats | None:
        """How many rows each counts for; None where every row counts once."""
        return _read_weights(self.table)

    @property
    def uploaded(self) -> Bools:
        """Which rows are uploaded ones, not predictions."""
        return _find_uploaded(self.table)

    def count_missing(self, name: str) -> int:
        """Rows without a value of that feature."""
        return int(self.table.column(name).null_count)

    def batches(self, rows: int) -> Iterator["Split"]:
        """The same rows, so many at a time."""
        for start in range(0, len(self.labels), rows):
            yield Split(self.table.slice(start, rows), self.labels[start : start + rows])

    def rows(self, contract: Contract) -> Iterator[tuple[Value, ...]]:
        """The features row by row in the contract's order, None for missing."""
        names = [feature.name for feature in contract.features]
        for batch in self.batches(BATCH_ROWS):
            columns = (batch.table.column(name).to_pylist() for name in names)
            yield from zip(*columns, strict=True)


@dataclass(frozen=True, slots=True)
class SplitFile:
    """The same in files, of which only the labels and weights are in memory."""

    paths: tuple[Path, ...]
    contract: Contract
    labels: npt.NDArray[np.int8]
    weights: Floats | None = None
    uploaded: Bools = field(default_factory=lambda: np.ones(0, bool))

    @classmethod
    def open(cls, *paths: Path, contract: Contract) -> "SplitFile":
        """A split's Parquet file, or its parts, which have to stay there."""
        wanted = {contract.target, SAMPLING_WEIGHT, PREDICTION_ID}
        tables = []
        for path in paths:
            names = pyarrow.parquet.read_schema(path).names
            columns = [name for name in names if name in wanted]
            tables.append(pyarrow.parquet.read_table(path, columns=columns))
        table = pa.concat_tables(tables, promote_options="default")
        labels = table.column(contract.target).to_numpy().astype(np.int8)
        return cls(paths, contract, labels, _read_weights(table), _find_uploaded(table))

    def count_missing(self, name: str) -> int:
        """Rows without a value of that feature, by the files' own statistics."""
        return sum(_count_nulls(path, name) for path in self.paths)

    def batches(self, rows: int) -> Iterator[Split]:
        """Its rows, so many at a time."""
        texts = [f.name for f in self.contract.features if f.kind == "category"]
        start = 0
        for path in self.paths:
            with pyarrow.parquet.ParquetFile(path, read_dictionary=texts) as file:
                for batch in file.iter_batches(rows, use_threads=False):
                    end = start + batch.num_rows
                    yield Split(pa.Table.from_batches([batch]), self.labels[start:end])
                    start = end


def _count_nulls(path: Path, name: str) -> int:
    metadata = pyarrow.parquet.read_metadata(path)
    index = metadata.schema.names.index(name)
    groups = (metadata.row_group(group) for group in range(metadata.num_row_groups))
    return sum(group.column(index).statistics.null_count for group in groups)


def _read_weights(table: pa.Table) -> Floats | None:
    if SAMPLING_WEIGHT not in table.column_names:
        return None
    return np.asarray(table.column(SAMPLING_WEIGHT).to_numpy(), np.float64)


def _find_uploaded(table: pa.Table) -> Bools:
    if PREDICTION_ID not in table.column_names:
        return np.ones(table.num_rows, bool)
    return np.asarray(table.column(PREDICTION_ID).is_null().to_numpy(), bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The part of a dataset's manifest that the evaluation needs; it ignores the rest."""

    left_out: LeftOut
    test_rows_id: str = ""
    production: Production | None = None


def read_manifest(bucket: Bucket, dataset_id: str) -> Manifest:
    """What the dataset's manifest says of it; raises BadData when it can't be read."""
    stored = bucket.get(keys.manifest(dataset_id))
    try:
        return decode(Manifest, json.loads(stored.data if stored else b""))
    except (ValueError, KeyError, TypeError):  # BadRecord is a ValueError
        raise BadData(
            f"{keys.manifest(dataset_id)} is missing or damaged; train again to make it anew."
        ) from None


def list_parts(bucket: Bucket, dataset_id: str, side: str) -> dict[str, int | None]:
    """Keys of the objects that hold a side, in order, each with its number of rows.

    A dataset that several machines made has parts, which its manifest names; an object that it
    doesn't name was left by an attempt that didn't finish. A side that is a single object has None
    in place of the number.
    """
    stored = bucket.get(keys.manifest(dataset_id))
    try:
        parts = json.loads(stored.data).get("parts", {}).get(side) if stored else None
    except (ValueError, AttributeError):
        parts = None
    if not isinstance(parts, dict) or not parts:
        return {keys.dataset(dataset_id, side): None}
    return {keys.dataset(dataset_id, part): rows for part, rows in sorted(parts.items())}


@contextmanager
def _fetched_parts(bucket: Bucket, dataset_id: str, side: str) -> Iterator[tuple[Path, ...]]:
    with ExitStack() as stack:
        found = list_parts(bucket, dataset_id, side)
        yield tuple(stack.enter_context(fetched(bucket, key)) for key in found)


def read_first(bucket: Bucket, dataset_id: str, side: str, contract: Contract, rows: int) -> Split:
    """The first rows of a side, at most so many."""
    parts: list[Split] = []
    left = rows
    for key in list_parts(bucket, dataset_id, side):
        with fetched(bucket, key) as path:
            for batch in SplitFile.open(path, contract=contract).batches(BATCH_ROWS):
                part = Split(batch.table.slice(0, left), batch.labels[:left])
                parts.append(part)
                left -= len(part.labels)
                if not left:
                    return Split.join(parts)
    return Split.join(parts)


@contextmanager
def opened(bucket: Bucket, dataset_id: str, side: str, contract: Contract) -> Iterator[SplitFile]:
    """One side of a dataset as temporary files."""
    with _fetched_parts(bucket, dataset_id, side) as paths:
        yield SplitFile.open(*paths, contract=contract)
