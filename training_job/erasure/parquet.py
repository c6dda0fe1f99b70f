"""Take people's rows out of a Parquet file; the others keep their values, order and types."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from domain.contract.contract import Contract
from training_job.erasure.wanted import Roles, Wanted

BATCH_ROWS = 131_072
BUFFER_BYTES = 1024 * 1024


def count_rows(source: Path, wanted: Wanted, contract: Contract) -> int:
    """How many rows are theirs; only the columns that say so are read."""
    with _open(source) as file:
        names = file.schema_arrow.names
        roles = Roles.of(names, contract)
        if not roles.positions:
            return 0
        columns = [names[place] for place in roles.positions]
        batches = file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False)
        return sum(int(_find_rows(batch, roles, names, wanted).sum()) for batch in batches)


def rewrite(source: Path, target: Path, wanted: Wanted, contract: Contract) -> int:
    """Write the file without their rows; returns how many were left out."""
    erased = 0
    with _open(source) as file:
        names = file.schema_arrow.names
        roles = Roles.of(names, contract)
        with pq.ParquetWriter(
            target,
            file.schema_arrow,
            compression=_compressions(file),
            use_deprecated_int96_timestamps=_has_int96(file),
        ) as writer:
            for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
                theirs = _find_rows(batch, roles, names, wanted)
                erased += int(theirs.sum())
                writer.write_batch(batch.filter(pa.array(~theirs)) if theirs.any() else batch)
    return erased


def read_people(source: Path) -> Iterator[dict[str, pa.Array]]:
    """Subject, prediction and reference of each row of a log's object, where it has them."""
    with _open(source) as file:
        held = [
            n for n in ("subject", "prediction_id", "reference") if n in file.schema_arrow.names
        ]
        if "subject" in held or "reference" in held:
            for batch in file.iter_batches(BATCH_ROWS, columns=held, use_threads=False):
                yield dict(zip(batch.schema.names, batch.columns, strict=True))


def _open(source: Path) -> pq.ParquetFile:
    # Else a whole row group is in memory, which a file may have only one of.
    return pq.ParquetFile(source, pre_buffer=False, buffer_size=BUFFER_BYTES)


def _find_rows(
    batch: pa.RecordBatch, roles: Roles, names: list[str], wanted: Wanted
) -> "np.typing.NDArray[np.bool_]":
    arrays = {place: batch.column(names[place]) for place in roles.positions}
    return wanted.find_rows(roles.choose(arrays), batch.num_rows)


def _compressions(file: pq.ParquetFile) -> str | dict[str, str]:
    """The compression of each column, as it was."""
    if not file.metadata.num_row_groups:
        return "snappy"
    group = file.metadata.row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    codecs = {column.path_in_schema: column.compression for column in columns}
    return codecs if len(set(codecs.values())) > 1 else next(iter(codecs.values()), "snappy")


def _has_int96(file: pq.ParquetFile) -> bool:
    schema = file.schema
    return any(schema.column(place).physical_type == "INT96" for place in range(len(schema)))
