"""Merge small Parquet objects of one day into one file, in constant memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tabular.arrow_types import ARROW_TYPES
from tabular.footers import BAD_DATA
from tabular.merged_objects import SOURCES, Source, encode_sources
from training_job.errors import BadData

ROW_GROUP_ROWS = 131_072

Columns = Mapping[str, pa.DataType]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A small object that was copied into a file."""

    name: str
    etag: str
    path: Path


@dataclass(slots=True)
class Batch:
    """Objects whose columns of the same name have the same type, so that one file can hold them."""

    columns: dict[str, pa.DataType]
    objects: list[Fetched]

    def takes(self, columns: Columns) -> bool:
        """Whether an object with these columns fits."""
        return all(self.columns.get(name, kind) == kind for name, kind in columns.items())


def read_columns(path: Path) -> Columns:
    """Name → type, of columns that have one; raises BadData for what the log's table can't hold."""
    try:
        schema = pq.read_schema(path)
    except (*BAD_DATA, OSError):
        raise BadData("it can't be read") from None
    if len(set(schema.names)) < len(schema.names):
        raise BadData("two of its columns have one name")
    columns = {field.name: field.type for field in schema if not pa.types.is_null(field.type)}
    others = sorted(n for n, kind in columns.items() if kind not in ARROW_TYPES.values())
    if others:
        raise BadData(f"the log's table has no column like its {', '.join(others)}")
    return columns


def form_batches(objects: Iterable[tuple[Fetched, Columns]]) -> list[Batch]:
    """Put objects together that fit; those of one contract version always do."""
    batches: list[Batch] = []
    for fetched, columns in objects:
        batch = next((one for one in batches if one.takes(columns)), None)
        if batch is None:
            batch = Batch({}, [])
            batches.append(batch)
        batch.columns.update(columns)
        batch.objects.append(fetched)
    return batches


def write_merged(batch: Batch, target: Path) -> tuple[list[Source], list[Fetched]]:
    """Write the rows of all objects, in their order; returns what was merged, and what is damaged.

    A damaged object is left out as a whole. Columns that an object lacks are null in its rows. The
    footer names what was merged.
    """
    schema = pa.schema(list(batch.columns.items()))
    merged: list[Source] = []
    damaged: list[Fetched] = []
    held: list[pa.Table] = []
    with pq.ParquetWriter(target, schema, compression="snappy", store_schema=False) as writer:
        for one in batch.objects:
            try:
                with pq.ParquetFile(one.path) as file:
                    table = file.read(use_threads=False)
            except (*BAD_DATA, OSError):
                damaged.append(one)
                continue
            merged.append(Source(one.name, one.etag, table.num_rows))
            held.append(_complete(table, schema))
            if sum(part.num_rows for part in held) >= ROW_GROUP_ROWS:
                _write(writer, held)
                held = []
        _write(writer, held)
        writer.add_key_value_metadata({SOURCES: encode_sources(merged)})
    if pq.read_metadata(target).num_rows != sum(one.rows for one in merged):
        raise BadData("The merged object has not as many rows as what it was made of.")
    return merged, damaged


def _complete(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with all columns; one without a type is null, as one that is missing."""
    columns = [
        table[field.name]
        if field.name in table.column_names and table[field.name].type == field.type
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _write(writer: pq.ParquetWriter, tables: list[pa.Table]) -> None:
    rows = sum(table.num_rows for table in tables)
    if rows:
        writer.write_table(pa.concat_tables(tables), row_group_size=rows)
