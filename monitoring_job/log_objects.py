"""The objects of the prediction log as Arrow tables, a batch at a time.

Firehose writes Parquet; what it refused lies as JSON lines in the fallback. Nothing that an
object contains stops the reading: what can't be read is counted.
"""

import json
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.s3 import Bucket, Listed
from domain import keys
from domain.times import DAY

BATCH_ROWS = 65_536
PARALLEL = 16
SMALL_BYTES = 4 * 1024 * 1024
"""Objects up to this size are fetched ahead, in memory; larger ones pass through a file."""
UNUSED_COLUMNS = frozenset({"contract_version", "threshold", "predicted", "source"})

Batch = dict[str, Any]
"""Column name → Arrow array, or list of decoded JSON values where types may be mixed."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What could not be used, counted while reading."""

    malformed: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)


def partitions(days: Iterable[date]) -> list[date]:
    """The days to read for a window: Firehose dates an object by its oldest record, so one
    day before the first to one after the last.
    """
    touched = list(days)
    return [touched[0] - DAY, *touched, touched[-1] + DAY]


def batches(
    bucket: Bucket, days: Iterable[date], damage: Damage, *, columns: frozenset[str] | None = None
) -> Iterator[Batch]:
    """The rows of the partitions of `days`; `columns` limits what is read (None: all used).

    In memory at a time: `PARALLEL` small objects or one batch of a large one.
    """
    small: list[pa.RecordBatch] = []
    for batch in _batches(bucket, days, damage, columns):
        if isinstance(batch, dict):
            yield batch
            continue
        full = sum(part.num_rows for part in small) + batch.num_rows > BATCH_ROWS
        if small and (full or batch.schema != small[0].schema):
            yield _merged(small)
            small = []
        small.append(batch)
    if small:
        yield _merged(small)


def _merged(batches: list[pa.RecordBatch]) -> Batch:
    """One batch of many: a stream may have written an object per record."""
    merged = pa.concat_batches(batches)
    return dict(zip(merged.schema.names, merged.columns, strict=True))


def _batches(
    bucket: Bucket, days: Iterable[date], damage: Damage, columns: frozenset[str] | None
) -> Iterator[pa.RecordBatch | Batch]:
    listed = (
        entry
        for day in days
        for prefix in (keys.stream("log", day), keys.fallback_day("log", day))
        for entry in bucket.list(prefix)
        if entry.size
    )
    for entry, data in _fetched(bucket, listed):
        with tempfile.TemporaryDirectory() as folder:
            if data is None:
                path = Path(folder) / "object"
                bucket.download(entry.key, path)
            if entry.key.endswith(".jsonl"):
                yield from _json_lines(path.read_bytes() if data is None else data, damage)
                continue
            source = pa.memory_map(str(path)) if data is None else pa.BufferReader(data)
            try:
                yield from _parquet(source, columns)
            except (pa.ArrowException, OSError):
                damage.unreadable[entry.key] += 1


def _fetched(bucket: Bucket, listed: Iterable[Listed]) -> Iterator[tuple[Listed, bytes | None]]:
    """Objects in order, the small ones fetched ahead in parallel; None for a large one."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        ahead: deque[tuple[Listed, Future[bytes] | None]] = deque()
        for entry in listed:
            small = entry.size <= SMALL_BYTES
            ahead.append((entry, pool.submit(_get, bucket, entry.key) if small else None))
            if len(ahead) >= PARALLEL:
                yield _next(ahead)
        while ahead:
            yield _next(ahead)


def _next(ahead: "deque[tuple[Listed, Future[bytes] | None]]") -> tuple[Listed, bytes | None]:
    entry, future = ahead.popleft()
    return entry, future.result() if future else None


def _get(bucket: Bucket, key: str) -> bytes:
    stored = bucket.get(key)
    return stored.data if stored else b""  # expired since it was listed: unreadable, counted


def _parquet(source: Any, columns: frozenset[str] | None) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(source) as file:
        names = file.schema_arrow.names
        wanted = [n for n in names if (n in columns if columns else n not in UNUSED_COLUMNS)]
        yield from file.iter_batches(batch_size=BATCH_ROWS, columns=wanted)


def _json_lines(data: bytes, damage: Damage) -> Iterator[Batch]:
    rows: list[dict[str, Any]] = []
    for line in data.splitlines():
        row = _decoded(line)
        if row is None:
            damage.malformed["not a JSON object"] += 1
        else:
            rows.append(row)
    names = {name for row in rows for name in row if name not in UNUSED_COLUMNS}
    if rows:
        yield {name: [row.get(name) for row in rows] for name in names}


def _decoded(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
