"""Raw files as a stream of batches, whatever their format and dialect.

A file is what its first bytes say, not what its name says. Text becomes CSV columns of texts,
Parquet keeps its types; `training_job.dataset.validation` makes values of both.
"""

import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from domain.contract.contract import Contract
from domain.contract.file_format import FileColumn
from training_job.dataset.files.content import open_content
from training_job.dataset.files.csv_reading import CsvFile
from training_job.dataset.files.headers import count_matches, loosen
from training_job.dataset.files.parquet_reading import ParquetFile
from training_job.dataset.files.raw_batch import RawBatch
from training_job.dataset.validation import check
from training_job.errors import BadData

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""The folder that Hive and Spark make for a missing value."""


@dataclass(frozen=True, slots=True)
class RawFile:
    """An open file. Its rows can be read once.

    `extra`: columns that the contract doesn't want. `absent`: columns that may be missing and are,
    so that every value of them is missing. `skipped_lines`: comments before a CSV's header.
    """

    batches: Iterator[RawBatch]
    extra: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    skipped_lines: int = 0


@contextmanager
def open_raw(
    path: Path, key: str, contract: Contract, *, labelled: bool, kept: Sequence[FileColumn] = ()
) -> Iterator[RawFile]:
    """Open one local file; a file without rows and columns has no batch.

    `key` names the file in messages, and its folders hold the partition columns. `labelled`:
    whether it must have the target. `kept`: further columns, which nothing is asked of. Raises
    BadData, from the batches too.
    """
    columns = (*contract.file_columns(labelled=labelled), *kept)
    partitions = read_partitions(key, contract, columns)
    wanted = [column for column in columns if column.name not in partitions]
    hint = _undeclared_partitions(key, wanted)
    with open_content(path, key) as (kind, unpacked, stored):
        if kind == "parquet":
            parquet = ParquetFile.open(path, key, wanted, hint)
            if parquet is None:
                yield RawFile(iter(()))
                return
            with parquet.file:
                matched = parquet.matched
                _refuse_folders(key, wanted, matched.absent)
                _refuse_second_source(key, matched.extra, columns, partitions)
                batches = _complete(parquet.read(), columns, partitions)
                yield RawFile(batches, matched.extra, matched.absent)
            return
        text = CsvFile.open(unpacked, key, wanted, contract.files, hint)
        if text is None:
            yield RawFile(iter(()))
            return
        matched, size = text.matched, max(path.stat().st_size, 1)
        _refuse_folders(key, wanted, matched.absent)
        _refuse_second_source(key, matched.extra, columns, partitions)

        def holds_row(rows: Sequence[Sequence[str]]) -> bool:
            found = {
                name: pa.array([row[place] for row in rows], pa.string())
                for name, place in matched.positions.items()
            }
            table = _add_constants(pa.table(found), columns, partitions)
            return bool(check(table, contract, labelled=labelled).valid.any())

        batches = text.read(holds_row, lambda: stored.tell() / size)
        yield RawFile(
            _complete(batches, columns, partitions),
            matched.extra,
            matched.absent,
            text.header.skipped,
        )


def _complete(
    batches: Iterator[RawBatch], columns: Sequence[FileColumn], partitions: dict[str, str | None]
) -> Iterator[RawBatch]:
    for batch in batches:
        yield replace(batch, table=_add_constants(batch.table, columns, partitions))


def _add_constants(
    table: pa.Table, columns: Sequence[FileColumn], partitions: dict[str, str | None]
) -> pa.Table:
    """The table with every wanted column: a partition's value, or nothing where it is absent."""
    rows = table.num_rows
    arrays = {}
    for column in columns:
        if column.name in table.column_names:
            arrays[column.name] = table.column(column.name)
        else:
            value = pa.scalar(partitions.get(column.name), pa.string())
            arrays[column.name] = pa.repeat(value, rows)
    return pa.table(arrays)


def read_partitions(
    key: str, contract: Contract, columns: Sequence[FileColumn]
) -> dict[str, str | None]:
    """The partition columns' values from the names of the folders; raises BadData."""
    values = _folder_values(key)
    found: dict[str, str | None] = {}
    for column in columns:
        if column.name not in contract.files.partition_columns:
            continue
        value = values.get(loosen(column.source), values.get(loosen(column.name)))
        if value is None:
            raise BadData(
                f"{key} lies in no folder {column.source}=..., though the contract's [files] say"
                f" that {column.name} is a partition column."
            )
        found[column.name] = None if value == NO_VALUE else value
    return found


def _refuse_second_source(
    key: str,
    extra: Sequence[str],
    columns: Sequence[FileColumn],
    partitions: dict[str, str | None],
) -> None:
    """Raise BadData if a file has a column of its own for what its folder says."""
    for column in columns:
        if column.name in partitions and count_matches(extra, [column]):
            raise BadData(
                f"{key} has a column {column.source}, which its folder names too: take"
                f" {column.name} out of partition_columns in the contract, or out of the file."
            )


def _refuse_folders(key: str, columns: Sequence[FileColumn], absent: Sequence[str]) -> None:
    """Raise BadData if a folder has the name of a column that may be absent and is."""
    if hint := _undeclared_partitions(key, [c for c in columns if c.name in absent]):
        raise BadData(f"{key} lacks the column{'s'[: len(absent) > 1]} {', '.join(absent)}.{hint}")


def _folder_values(key: str) -> dict[str, str]:
    """What folders such as ``gender=Male/`` say, by the loosened name; raises BadData."""
    found: dict[str, str] = {}
    for folder in (part for part in key.split("/")[:-1] if "=" in part):
        name, _, value = map(urllib.parse.unquote, folder.partition("="))
        if found.setdefault(loosen(name), value) != value:
            raise BadData(f"{key} lies in two folders {name}=... that say different things.")
    return found


def _undeclared_partitions(key: str, columns: Sequence[FileColumn]) -> str:
    """The end of a refusal where a folder has the name of a column that the contract wants."""
    folders = _folder_values(key)
    named = [c.name for c in columns if folders.keys() & {loosen(c.name), loosen(c.source)}]
    if not named:
        return ""
    listed = ", ".join(f'"{name}"' for name in named)
    return (
        f" A folder is named after {', '.join(named)}: if it holds the column's value, write"
        f" partition_columns = [{listed}] under [files] in the contract."
    )
