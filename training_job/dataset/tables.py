"""Tables between a bucket and this machine: found, fetched, stored."""

import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from adapters.s3 import Bucket, Listed
from domain import keys

SHOWN = 5
"""How many files that aren't read a refusal names at most."""


def find(bucket: Bucket, place: str) -> tuple[list[Listed], list[str]]:
    """``(tables, other keys)``; `place`: a folder, which ends with a slash, or a key."""
    here = [e for e in bucket.list(place) if place.endswith("/") or e.key == place]
    here = [entry for entry in here if not entry.key.endswith("/")]
    tables = [entry for entry in here if keys.is_data(entry.key, place)]
    others = [entry.key for entry in here if not keys.is_data(entry.key, place)]
    return tables, others


def describe_others(others: Sequence[str]) -> str:
    """A sentence for a refusal that says which files are there, or nothing."""
    if not others:
        return ""
    more = f" and {len(others) - SHOWN:,} more" if len(others) > SHOWN else ""
    return (
        " Found and not read, since their names end otherwise or begin with a dot, underscore or"
        f" ~$: {', '.join(others[:SHOWN])}{more}."
    )


@contextmanager
def fetched(bucket: Bucket, key: str) -> Iterator[Path]:
    """An object as a temporary file."""
    with tempfile.TemporaryDirectory(prefix="table-") as folder:
        path = Path(folder) / "file"
        bucket.download(key, path)
        yield path


def store(
    table: pa.Table,
    bucket: Bucket,
    key: str,
    *,
    compression: str = "zstd",
    unlike: Collection[str] = (),
) -> None:
    """Write a table as one Parquet object.

    `unlike`: columns without a dictionary, as their values hardly repeat: it would take time only.
    """
    repeating = [name for name in table.column_names if name not in unlike]
    with tempfile.TemporaryDirectory(prefix="table-") as folder:
        path = Path(folder) / "file"
        pyarrow.parquet.write_table(table, path, compression=compression, use_dictionary=repeating)
        bucket.upload(path, key)
