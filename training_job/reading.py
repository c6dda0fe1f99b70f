"""Raw files as a stream of Arrow batches, whatever their format."""

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

FORMATS = (".csv", ".csv.gz", ".parquet")
NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]
BLOCK_BYTES = 8 * 1024 * 1024
BATCH_ROWS = 200_000
MALFORMED = "has another number of fields than the header"
"""The reason of a `Malformed` row."""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Some rows of one file: the wanted columns, and each row's number in the file (from 1)."""

    table: pa.Table
    numbers: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Malformed:
    """Rows of a file that aren't rows: their numbers."""

    numbers: list[int]


def read(path: Path, name: str, columns: Sequence[str]) -> Iterator[RawBatch | Malformed]:
    """Stream the wanted columns of one local file.

    `name` is how messages call the file. CSV columns come as text, Parquet's as they are. Raises
    BadData when the file is empty, lacks columns or can't be read at all.
    """
    with _named_errors(path, name):
        if name.endswith(".parquet"):
            yield from _parquet(path, name, columns)
        else:
            yield from _csv(path, name, columns)


def extra_columns(path: Path, name: str, columns: Sequence[str]) -> list[str]:
    """Columns of the file that the contract doesn't want."""
    with _named_errors(path, name):
        return [column for column in _header(path, name) if column not in columns]


@contextmanager
def _named_errors(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        empty = not path.stat().st_size or "Empty CSV" in str(error)
        trouble = "an empty file" if empty else "damaged or not of the format its name says"
        raise BadData(f"{name} is {trouble}.") from None


def _header(path: Path, name: str) -> list[str]:
    if name.endswith(".parquet"):
        return list(pyarrow.parquet.read_schema(path).names)
    with _open_csv(path, name, []) as reader:
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
        start = 1
        for batch in file.iter_batches(BATCH_ROWS, columns=list(columns), use_threads=False):
            numbers = np.arange(start, start + batch.num_rows)
            yield RawBatch(pa.Table.from_batches([batch]).select(columns), numbers)
            start += batch.num_rows


def _csv(path: Path, name: str, columns: Sequence[str]) -> Iterator[RawBatch | Malformed]:
    malformed: list[int] = []
    _check_header(_header(path, name), name, columns)
    first = 2  # row 1 is the header
    with _open_csv(path, name, columns, malformed) as reader:
        for batch in reader:
            numbers, first = _row_numbers(batch.num_rows, first, malformed)
            yield RawBatch(pa.Table.from_batches([batch]).select(columns), numbers)
    if malformed:
        yield Malformed(malformed)


def _row_numbers(
    rows: int, first: int, malformed: Sequence[int]
) -> tuple[npt.NDArray[np.int64], int]:
    """Numbers of the next `rows` rows from `first` on that aren't malformed; and the next first."""
    skipped = [number for number in malformed if number >= first]
    numbers = np.arange(first, first + rows + len(skipped))
    numbers = numbers[~np.isin(numbers, skipped)][:rows]
    return numbers, int(numbers[-1]) + 1 if rows else first


def _open_csv(
    path: Path, name: str, columns: Sequence[str], malformed: list[int] | None = None
) -> pyarrow.csv.CSVStreamingReader:
    def note(row: pyarrow.csv.InvalidRow) -> str:
        if malformed is not None:
            malformed.append(row.number or 0)
        return "skip"

    compression = "gzip" if name.endswith(".gz") else None
    return pyarrow.csv.open_csv(
        pa.input_stream(str(path), compression=compression),
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
