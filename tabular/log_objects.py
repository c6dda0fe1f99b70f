"""Read the objects of the prediction log as Arrow tables, a batch at a time.

Firehose writes Parquet; records that it refused are JSON lines under the fallback prefix. Nothing
in an object stops the reading: what can't be read is counted.
"""

import json
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from adapters import partitions
from adapters.s3 import Bucket, Listed
from domain import keys, times
from domain.times import DAY
from tabular.footers import BAD_DATA, count_rows
from tabular.merged_objects import ListedMerged, replace_sources

BATCH_ROWS = 16_384
PARALLEL = 16
SMALL_BYTES = 4 * 1024 * 1024
"""Objects up to this size are fetched ahead into memory; larger ones are downloaded to a file."""
BUFFER_BYTES = 256 * 1024
"""How much of one column of a large object is read at a time."""
KEPT_BYTES = 64 * 1024 * 1024
ROW_BYTES = 16
"""The least that a row of the log takes: its id is 16 random bytes, written as text."""
Part = Literal["stream", "fallback"]
UNUSED_COLUMNS = frozenset({"contract_version", "threshold", "predicted"})


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of the log.

    `rows`: their number. `columns`: name → Arrow array, or list of decoded JSON values, which may
    have mixed types. Any column may be absent.
    """

    rows: int
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Damage:
    """Counts of what could not be used: `malformed` rows by reason, `unreadable` objects by key."""

    malformed: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Damage") -> None:
        """Count what another one has counted."""
        self.malformed.update(other.malformed)
        self.unreadable.update(other.unreadable)


def touched_days(days: Iterable[date]) -> list[date]:
    """The partitions to read for a window: its days, one day before and one day after.

    Firehose files an object under the day of its oldest record.
    """
    touched = list(days)
    return [touched[0] - DAY, *touched, touched[-1] + DAY]


@dataclass(slots=True)
class LogObjects:
    """The log in the predictions bucket, with a cache of fetched objects."""

    bucket: Bucket
    _kept: dict[str, bytes] = field(default_factory=dict, repr=False)
    _kept_bytes: int = 0

    def list_objects(
        self,
        days: Iterable[date],
        *,
        since: int = 0,
        stream: str = "log",
        parts: tuple[Part, ...] = ("stream", "fallback"),
    ) -> Iterator[Listed]:
        """List the objects in the partitions of `days` that were stored at `since` or later.

        `since`: UTC milliseconds; rows are stored after they were predicted, so an older object
        can't hold a newer row. `stream`: ``log`` or ``labels``. `parts`: what Firehose wrote, and
        the records that it refused. A merged object stands for its sources while they are still
        there (`ListedMerged`), so that no row is listed twice.
        """
        folder = {"stream": keys.stream, "fallback": keys.fallback_day}
        for day in days:
            for prefix in (folder[part](stream, day) for part in parts):
                for entry in replace_sources(self.bucket, self.bucket.list(prefix)):
                    if (
                        entry.size
                        and times.to_millis(entry.modified) >= since - times.CLOCK_SKEW_MS
                    ):
                        yield entry

    def estimate_rows(self, days: Iterable[date], *, since: int, enough: int) -> int:
        """Estimate how many rows the stream's objects in these partitions hold, in all versions.

        The rows per byte are those of the largest object. It is read only if the objects are large
        enough for `enough` rows; otherwise the estimate is 0, as it is without a readable object.
        """
        size, largest = 0, None
        for entry in self.list_objects(days, since=since, parts=("stream",)):
            size += entry.size
            if largest is None or entry.size > largest.size:
                largest = entry
        if largest is None or size < enough * ROW_BYTES:
            return 0
        rows = count_rows(self.bucket, largest.key)
        return 0 if rows is None else round(rows * size / largest.size)

    def list_days(self, stream: str = "log") -> list[date]:
        """List the days with a partition in the stream or its fallback, the latest first."""
        return partitions.list_days(self.bucket, stream)

    def read_batches(
        self,
        entries: Iterable[Listed],
        damage: Damage,
        *,
        columns: frozenset[str] | None = None,
        keep: bool = False,
    ) -> Iterator[Batch]:
        """Read the rows of objects; `columns` limits what is read (None: all that are used).

        At any time, memory holds PARALLEL small objects or one batch of a large one. `keep` caches
        up to KEPT_BYTES of small objects for another reading.
        """
        small: list[pa.RecordBatch] = []
        held = 0
        for batch in self._read_objects(entries, damage, columns, keep):
            if isinstance(batch, Batch):
                yield batch
                continue
            full = held + batch.num_rows > BATCH_ROWS
            if small and (full or batch.schema != small[0].schema):
                yield _merge(small)
                small, held = [], 0
            small.append(batch)
            held += batch.num_rows
        if small:
            yield _merge(small)

    def _read_objects(
        self, entries: Iterable[Listed], damage: Damage, columns: frozenset[str] | None, keep: bool
    ) -> Iterator[pa.RecordBatch | Batch]:
        for entry, data in self._fetch(entries):
            if data is None:
                yield from self._read_large(entry.key, damage, columns)
            else:
                if keep and self._kept_bytes < KEPT_BYTES:
                    self._kept[entry.key] = data
                    self._kept_bytes += len(data)
                yield from _read_rows(entry.key, pa.BufferReader(data), damage, columns)
            if isinstance(entry, ListedMerged) and entry.key in damage.unreadable:
                yield from self._read_objects(entry.sources, damage, columns, keep)

    def _fetch(self, entries: Iterable[Listed]) -> Iterator[tuple[Listed, bytes | None]]:
        """Yield objects in order, small ones fetched ahead in parallel, large ones without data."""
        with ThreadPoolExecutor(PARALLEL) as pool:
            ahead: deque[tuple[Listed, Future[bytes] | None]] = deque()
            for entry in entries:
                small = entry.size <= SMALL_BYTES
                ahead.append((entry, pool.submit(self._get, entry.key) if small else None))
                if len(ahead) >= PARALLEL:
                    yield _take_next(ahead)
            while ahead:
                yield _take_next(ahead)

    def _get(self, key: str) -> bytes:
        if key in self._kept:
            return self._kept[key]
        stored = self.bucket.get(key)
        return stored.data if stored else b""  # expired after it was listed: counted as unreadable

    def _read_large(
        self, key: str, damage: Damage, columns: frozenset[str] | None
    ) -> Iterator[pa.RecordBatch | Batch]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "object"
            try:
                self.bucket.download(key, path)
            except ClientError:
                if self.bucket.exists(key):
                    raise
                damage.unreadable[key] += 1  # expired, too
                return
            with pa.OSFile(str(path)) as source:
                yield from _read_rows(key, source, damage, columns)


def _take_next(ahead: "deque[tuple[Listed, Future[bytes] | None]]") -> tuple[Listed, bytes | None]:
    entry, future = ahead.popleft()
    return entry, future.result() if future else None


def _merge(batches: list[pa.RecordBatch]) -> Batch:
    """Merge batches into one: a stream may have written one object per record."""
    merged = pa.concat_batches(batches)
    columns = zip(merged.schema.names, map(_replace_bad_text, merged.columns), strict=True)
    return Batch(sum(batch.num_rows for batch in batches), dict(columns))


def _replace_bad_text(column: pa.Array) -> pa.Array:
    """Replace bytes that are not valid UTF-8; Arrow does not check text while it reads."""
    if not pa.types.is_string(column.type):
        return column
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        texts = column.cast(pa.binary()).to_pylist()
        return pa.array([t if t is None else t.decode(errors="replace") for t in texts])
    return column


def _read_rows(
    key: str, source: pa.NativeFile, damage: Damage, columns: frozenset[str] | None
) -> Iterator[pa.RecordBatch | Batch]:
    if key.endswith(".jsonl"):
        yield from _read_json_lines(source.read(), damage, columns)
        return
    try:
        yield from _read_parquet(source, columns)
    except (*BAD_DATA, OSError):
        damage.unreadable[key] += 1


def _read_parquet(
    source: pa.NativeFile, columns: frozenset[str] | None
) -> Iterator[pa.RecordBatch]:
    # Without these options, a whole row group or a column per thread would be held in memory.
    with pq.ParquetFile(source, pre_buffer=False, buffer_size=BUFFER_BYTES) as file:
        names = file.schema_arrow.names
        wanted = [name for name in names if _is_wanted(name, columns)]
        yield from file.iter_batches(batch_size=BATCH_ROWS, columns=wanted, use_threads=False)


def _is_wanted(name: str, columns: frozenset[str] | None) -> bool:
    return name in columns if columns else name not in UNUSED_COLUMNS


def _read_json_lines(
    data: bytes, damage: Damage, columns: frozenset[str] | None
) -> Iterator[Batch]:
    rows: list[dict[str, Any]] = []
    for line in data.splitlines():
        row = _decode(line)
        if row is None:
            damage.malformed["not a JSON object"] += 1
        else:
            rows.append(row)
    names = {name for row in rows for name in row if _is_wanted(name, columns)}
    if rows:
        yield Batch(len(rows), {name: [row.get(name) for row in rows] for name in names})


def _decode(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
