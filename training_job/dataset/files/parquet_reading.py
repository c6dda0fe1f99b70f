"""Parquet as batches of typed columns."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from domain.contract.file_format import FileColumn
from training_job.dataset.files.headers import Matched, match_columns
from training_job.dataset.files.raw_batch import Malformed, RawBatch, make_batch
from training_job.errors import BadData

BATCH_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """An open Parquet file whose columns are known."""

    name: str
    file: pyarrow.parquet.ParquetFile
    matched: Matched

    @classmethod
    def open(
        cls, path: Path, name: str, columns: Sequence[FileColumn], hint: str = ""
    ) -> "ParquetFile | None":
        """Read the schema; None for a table without columns and rows.

        Raises BadData; `hint` ends the refusal of a header.
        """
        with refuse_damage(name):
            file = pyarrow.parquet.ParquetFile(path)
            header = file.schema_arrow.names
        if not header and not file.metadata.num_rows:
            return None
        return cls(name, file, match_columns(header, columns, name, hint))

    def read(self) -> Iterator[RawBatch]:
        """All rows in batches, the first row being row 1."""
        header = self.file.schema_arrow.names
        wanted = {name: header[place] for name, place in self.matched.positions.items()}
        first, rows = 1, self.file.metadata.num_rows
        with refuse_damage(self.name):
            for batch in self.file.iter_batches(
                BATCH_ROWS, columns=list(wanted.values()), use_threads=False
            ):
                numbers = np.arange(first, first + batch.num_rows)
                first += batch.num_rows
                columns = {name: batch.column(source) for name, source in wanted.items()}
                yield make_batch(columns, numbers, Malformed(), (first - 1) / rows)


@contextmanager
def refuse_damage(name: str) -> Iterator[None]:
    """Raise BadData where the file called `name` can't be read as Parquet."""
    try:
        yield
    except (pa.ArrowException, OSError):
        raise BadData(
            f"{name} is damaged: it begins as Parquet, but can't be read to its end. Upload it"
            " again."
        ) from None
