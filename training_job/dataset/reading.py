"""Raw files as a stream of Arrow batches, whatever their format."""

import bisect
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from training_job.errors import BadData

Numbers = npt.NDArray[np.int64]

NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]
BLOCK_BYTES = 8 * 1024 * 1024
BATCH_ROWS = 200_000
MALFORMED = "has another number of fields than the header"
"""The reason of a row that isn't one."""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Some rows of one file: the wanted columns, and each row's number in the file (from 1).

    `malformed`: numbers of rows between these that aren't rows. `share`: of the file's bytes or
    rows that have been read so far.
    """

    table: pa.Table
    numbers: Numbers
    malformed: Numbers
    share: float


def read(path: Path, name: str, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Stream the wanted columns of one local file in the order of its rows; nothing if it is empty.

    `name` is how messages call the file. CSV columns come as text, Parquet's as they are. Raises
    BadData when the file lacks columns or can't be read at all.
    """
    with _named_errors(path, name):
        if _is_parquet(name):
            yield from _parquet(path, name, columns)
        else:
            yield from _csv(path, name, columns)


def extra_columns(path: Path, name: str, columns: Sequence[str]) -> list[str]:
    """Columns of the file that the contract doesn't want."""
    header: list[str] = []
    with _named_errors(path, name):
        header = _header(path, name)
    return [column for column in header if column not in columns]


@contextmanager
def _named_errors(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        if path.stat().st_size and "Empty CSV" not in str(error):
            raise BadData(f"{name} is damaged or not of the format its name says.") from None


def _header(path: Path, name: str) -> list[str]:
    if _is_parquet(name):
        return list(pyarrow.parquet.read_schema(path).names)
    with pa.OSFile(str(path)) as file, _open_csv(file, name, []) as reader:
        return list(reader.schema.names)


def _check_header(header: Sequence[str], name: str, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in header]
    if missing:
        raise BadData(f"{name} lacks the column{'s'[: len(missing) > 1]} {', '.join(missing)}.")
    repeated = sorted({column for column in columns if list(header).count(column) > 1})
    if repeated:
        raise BadData(f"{name} has the column {', '.join(repeated)} more than once.")


def _parquet(path: Path, name: str, columns: Sequence[str]) -> Iterator[RawBatch]:
    with pyarrow.parquet.ParquetFile(path) as file:
        _check_header(file.schema_arrow.names, name, columns)
        start, rows, none = 1, file.metadata.num_rows, np.empty(0, np.int64)
        for batch in file.iter_batches(BATCH_ROWS, columns=list(columns), use_threads=False):
            numbers = np.arange(start, start + batch.num_rows)
            start += batch.num_rows
            table = pa.Table.from_batches([batch]).select(columns)
            yield RawBatch(table, numbers, none, (start - 1) / rows)


def _csv(path: Path, name: str, columns: Sequence[str]) -> Iterator[RawBatch]:
    _check_header(_header(path, name), name, columns)
    noted, taken = array("q"), 0  # rows that the parser skipped, noted ahead of the batches
    first, size = 2, path.stat().st_size  # row 1 is the header
    with pa.OSFile(str(path)) as file, _open_csv(file, name, columns, noted) as reader:
        for batch in reader:
            numbers = _row_numbers(batch.num_rows, first, np.array(noted[taken:], np.int64))
            first = int(numbers[-1]) + 1 if len(numbers) else first
            passed = bisect.bisect_left(noted, first)
            malformed, taken = np.array(noted[taken:passed], np.int64), passed
            table = pa.Table.from_batches([batch]).select(columns)
            yield RawBatch(table, numbers, malformed, file.tell() / size)
    if taken < len(noted):
        nothing = pa.table({column: pa.array([], pa.string()) for column in columns})
        left = np.array(noted[taken:], np.int64)
        yield RawBatch(nothing, np.empty(0, np.int64), left, 1.0)


def _row_numbers(rows: int, first: int, malformed: Numbers) -> Numbers:
    """Numbers of the next `rows` rows from `first` on that aren't malformed."""
    numbers = np.arange(first, first + rows + len(malformed))
    return numbers[~np.isin(numbers, malformed)][:rows]


def _is_parquet(name: str) -> bool:
    return name.lower().endswith(".parquet")


def _open_csv(
    file: pa.NativeFile, name: str, columns: Sequence[str], malformed: "array[int] | None" = None
) -> pyarrow.csv.CSVStreamingReader:
    def note(row: pyarrow.csv.InvalidRow) -> str:
        if malformed is not None:
            malformed.append(row.number or 0)
        return "skip"

    compressed = name.lower().endswith(".gz")
    return pyarrow.csv.open_csv(
        pa.CompressedInputStream(file, "gzip") if compressed else file,
        read_options=pyarrow.csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=note),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            include_columns=list(columns),
            null_values=NULLS,
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
