"""A file of any columns, read once: what each column looks like, and some of the rows."""

import codecs
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from domain.contract.file_format import FileColumn, FileFormat
from ops.drafting.column import Column
from ops.errors import OpsError
from training_job.dataset.files.content import open_content
from training_job.dataset.files.csv_header import find_header
from training_job.dataset.files.csv_reading import CsvFile
from training_job.dataset.files.parquet_reading import ParquetFile, refuse_damage
from training_job.dataset.files.raw_batch import RawBatch
from training_job.dataset.files.text_blocks import read_utf8

MOST_SAMPLED = 200_000
WESTERN = "cp1252"
"""The encoding of most files that aren't in UTF-8."""
NEXT = "Give a CSV or Parquet file with a header and rows."


@dataclass(frozen=True, slots=True)
class Table:
    """`columns`: by their names in the file. `sample`: every n-th row, as texts or typed values.

    `separator` and `encoding`: of a CSV file that needs them declared, else empty. `unnamed`:
    columns without a name; `nested`: those of lists, records or bytes; `malformed`: rows that can't
    be read.
    """

    columns: dict[str, Column]
    sample: pa.Table
    separator: str
    encoding: str
    unnamed: int
    nested: tuple[str, ...]
    malformed: int

    @property
    def rows(self) -> int:
        """Rows that could be read."""
        return next(iter(self.columns.values())).total


def read_table(
    path: Path, check: Callable[[Sequence[str]], None], advance: Callable[[float], None]
) -> Table:
    """Read the whole file, once `check` has seen the names of its columns.

    `advance` gets the share that has been read. Raises OpsError for a file without rows, BadData
    for one that can't be read, and what `check` raises.
    """
    with _open(path) as (header, separator, encoding, batches):
        check(header)
        names = [name for name in header if name]
        columns = {name: Column(name) for name in names}
        sample, malformed = _Sample(), 0
        for batch in batches:
            for name in batch.table.column_names:
                columns[name].add(batch.table.column(name))
            sample.add(batch.table)
            malformed += len(batch.malformed.numbers)
            advance(batch.share)
    if not columns or not sample.tables:
        raise OpsError(f"{path} has no rows.", NEXT)
    nested = [name for name in columns if name not in sample.tables[0].column_names]
    return Table(
        columns={name: column for name, column in columns.items() if name not in nested},
        sample=pa.concat_tables(sample.tables),
        separator=separator,
        encoding=encoding,
        unnamed=len(header) - len(names),
        nested=tuple(nested),
        malformed=malformed,
    )


class _Sample:
    """Every n-th row, where n doubles whenever there are more rows than MOST_SAMPLED."""

    def __init__(self) -> None:
        self.tables: list[pa.Table] = []
        self._every, self._rows = 1, 0

    def add(self, table: pa.Table) -> None:
        first = -self._rows % self._every
        self._rows += table.num_rows
        chosen = pa.array(range(first, table.num_rows, self._every), pa.int64())
        self.tables.append(table.take(chosen))
        if sum(kept.num_rows for kept in self.tables) > MOST_SAMPLED:
            whole = pa.concat_tables(self.tables)
            self.tables = [whole.take(pa.array(range(0, whole.num_rows, 2)))]
            self._every *= 2


Opened = tuple[Sequence[str], str, str, Iterator[RawBatch]]
"""Names in the header, separator, encoding, and the rows."""


@contextmanager
def _open(path: Path) -> Iterator[Opened]:
    with open_content(path, path.name) as (kind, unpacked, stored):
        if kind == "parquet":
            with refuse_damage(path.name):
                schema = pyarrow.parquet.read_schema(path)
            header: Sequence[str] = schema.names
            parquet = ParquetFile.open(path, path.name, _wanted(_find_readable(schema)))
            if parquet is None:
                raise OpsError(f"{path} has no rows.", NEXT)
            with parquet.file:
                yield header, "", "", parquet.read()
            return
        encoding = "" if _is_utf8(next(read_utf8(unpacked, ""), b"")) else WESTERN
        unpacked.seek(0)
        found = find_header(next(read_utf8(unpacked, encoding), b""), [], "")
        unpacked.seek(0)
        files = FileFormat(encoding=encoding)
        text = found and CsvFile.open(unpacked, path.name, _wanted(found.names), files)
        if not text:
            raise OpsError(f"{path} has no rows.", NEXT)
        size = max(path.stat().st_size, 1)
        batches = text.read(lambda _: False, lambda: stored.tell() / size)
        yield text.header.names, text.header.separator, encoding, batches


def _find_readable(schema: pa.Schema) -> list[str]:
    """Columns whose values are texts, or would be in a CSV file."""
    unreadable = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary)
    return [field.name for field in schema if not any(test(field.type) for test in unreadable)]


def _wanted(header: Sequence[str]) -> list[FileColumn]:
    return [FileColumn(name, name, required=True) for name in header if name]


def _is_utf8(start: bytes) -> bool:
    """Whether the start of a file is UTF-8, which may break off within a character."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return True
