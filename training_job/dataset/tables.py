"""Tables between a bucket and this machine: found, fetched, stored."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from adapters.s3 import Bucket, Listed
from domain import keys


def find(bucket: Bucket, place: str) -> tuple[list[Listed], list[str]]:
    """``(tables, keys of what is none)``; `place`: a folder, which ends with a slash, or a key."""
    here = [e for e in bucket.list(place) if place.endswith("/") or e.key == place]
    here = [entry for entry in here if not entry.key.endswith("/")]
    tables = [entry for entry in here if keys.is_data(entry.key, place)]
    others = [entry.key for entry in here if not keys.is_data(entry.key, place)]
    return tables, others


@contextmanager
def fetched(bucket: Bucket, key: str) -> Iterator[Path]:
    """An object as a temporary file."""
    with tempfile.TemporaryDirectory(prefix="table-") as folder:
        path = Path(folder) / "file"
        bucket.download(key, path)
        yield path


def store(table: pa.Table, bucket: Bucket, key: str, *, compression: str = "zstd") -> None:
    """Write a table as one Parquet object."""
    with tempfile.TemporaryDirectory(prefix="table-") as folder:
        path = Path(folder) / "file"
        pyarrow.parquet.write_table(table, path, compression=compression)
        bucket.upload(path, key)
