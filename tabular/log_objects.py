"""The objects of the prediction log as Arrow tables, a batch at a time.

Firehose writes Parquet; what it refused lies as JSON lines in the fallback. Nothing that an
object contains stops the reading: what can't be read is counted.
"""

import json
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from adapters.s3 import Bucket, Listed
from domain import keys, times
from domain.times import DAY

BATCH_ROWS = 16_384
PARALLEL = 16
SMALL_BYTES = 4 * 1024 * 1024
"""Objects up to this size are fetched ahead, in memory; larger ones pass through a file."""
BUFFER_BYTES = 256 * 1024
"""Read at a time of a column of a large object."""
KEPT_BYTES = 64 * 1024 * 1024
UNUSED_COLUMNS = frozenset({"contract_version", "threshold", "predicted", "source"})

BAD_DATA = (pa.ArrowException, ValueError, TypeError, ArithmeticError)
"""What treating an object's content may raise: never a bucket's own errors."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`rows` many rows. `columns`: name → Arrow array, or list of decoded JSON values where types
    may be mixed; any column may be absent.
    """

    rows: int
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Damage:
    """What could not be used, counted while reading: rows by reason, and objects by key."""

    malformed: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)


def partitions(days: Iterable[date]) -> list[date]:
    """The days to read for a window: Firehose dates an object by its oldest record, so one
    day before the first to one after the last.
    """
    touched = list(days)
    return [touched[0] - DAY, *touched, touched[-1] + DAY]


@dataclass(slots=True)
class LogObjects:
    """The log's objects in the predictions bucket, and those already fetched."""

    bucket: Bucket
    _kept: dict[str, bytes] = field(default_factory=dict, repr=False)
    _kept_bytes: int = 0

    def listed(
        self, days: Iterable[date], *, since: int = 0, stream: str = "log"
    ) -> Iterator[Listed]:
        """The objects of the partitions of `days`, without those stored before `since` (UTC ms).

        A row is stored after it was predicted, so an older object can't hold a newer row.
        `stream`: ``log`` or ``labels``.
        """
        for day in days:
            for prefix in (keys.stream(stream, day), keys.fallback_day(stream, day)):
                for entry in self.bucket.list(prefix):
                    if (
                        entry.size
                        and times.to_millis(entry.modified) >= since - times.CLOCK_SKEW_MS
                    ):
                        yield entry

    def days(self, stream: str = "log") -> list[date]:
        """Days with a partition in the stream or its fallback, the latest first."""
        found = set()
        for prefix in (f"{stream}/", f"{keys.FALLBACK}{stream}/"):
            for folder in self.bucket.folders(prefix):
                with suppress(ValueError):  # not a partition
                    found.add(date.fromisoformat(folder.rstrip("/").rpartition("dt=")[2]))
        return sorted(found, reverse=True)

    def batches(
        self,
        entries: Iterable[Listed],
        damage: Damage,
        *,
        columns: frozenset[str] | None = None,
        keep: bool = False,
    ) -> Iterator[Batch]:
        """Their rows; `columns` limits what is read (None: all used).

        In memory at a time: `PARALLEL` small objects or one batch of a large one; with `keep`, up
        to KEPT_BYTES of small ones for another reading.
        """
        small: list[pa.RecordBatch] = []
        held = 0
        for batch in self._batches(entries, damage, columns, keep):
            if isinstance(batch, Batch):
                yield batch
                continue
            full = held + batch.num_rows > BATCH_ROWS
            if small and (full or batch.schema != small[0].schema):
                yield _merged(small)
                small, held = [], 0
            small.append(batch)
            held += batch.num_rows
        if small:
            yield _merged(small)

    def _batches(
        self, entries: Iterable[Listed], damage: Damage, columns: frozenset[str] | None, keep: bool
    ) -> Iterator[pa.RecordBatch | Batch]:
        for entry, data in self._fetched(entries):
            if data is None:
                yield from self._large(entry.key, damage, columns)
                continue
            if keep and self._kept_bytes < KEPT_BYTES:
                self._kept[entry.key] = data
                self._kept_bytes += len(data)
            yield from _rows(entry.key, pa.BufferReader(data), damage, columns)

    def _fetched(self, entries: Iterable[Listed]) -> Iterator[tuple[Listed, bytes | None]]:
        """Objects in order, the small ones fetched ahead in parallel; None for a large one."""
        with ThreadPoolExecutor(PARALLEL) as pool:
            ahead: deque[tuple[Listed, Future[bytes] | None]] = deque()
            for entry in entries:
                small = entry.size <= SMALL_BYTES
                ahead.append((entry, pool.submit(self._get, entry.key) if small else None))
                if len(ahead) >= PARALLEL:
                    yield _next(ahead)
            while ahead:
                yield _next(ahead)

    def _get(self, key: str) -> bytes:
        if key in self._kept:
            return self._kept[key]
        stored = self.bucket.get(key)
        return stored.data if stored else b""  # expired since it was listed: unreadable, counted

    def _large(
        self, key: str, damage: Damage, columns: frozenset[str] | None
    ) -> Iterator[pa.RecordBatch | Batch]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "object"
            try:
                self.bucket.download(key, path)
            except ClientError:
                if self.bucket.exists(key):
                    raise
                damage.unreadable[key] += 1  # likewise
                return
            with pa.OSFile(str(path)) as source:
                yield from _rows(key, source, damage, columns)


def _next(ahead: "deque[tuple[Listed, Future[bytes] | None]]") -> tuple[Listed, bytes | None]:
    entry, future = ahead.popleft()
    return entry, future.result() if future else None


def _merged(batches: list[pa.RecordBatch]) -> Batch:
    """One batch of many: a stream may have written an object per record."""
    merged = pa.concat_batches(batches)
    columns = zip(merged.schema.names, map(_text, merged.columns), strict=True)
    return Batch(sum(batch.num_rows for batch in batches), dict(columns))


def _text(column: pa.Array) -> pa.Array:
    """Arrow takes its text for valid UTF-8 without looking: bytes that aren't are replaced."""
    if not pa.types.is_string(column.type):
        return column
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        texts = column.cast(pa.binary()).to_pylist()
        return pa.array([t if t is None else t.decode(errors="replace") for t in texts])
    return column


def _rows(
    key: str, source: pa.NativeFile, damage: Damage, columns: frozenset[str] | None
) -> Iterator[pa.RecordBatch | Batch]:
    if key.endswith(".jsonl"):
        yield from _json_lines(source.read(), damage)
        return
    try:
        yield from _parquet(source, columns)
    except (*BAD_DATA, OSError):
        damage.unreadable[key] += 1


def _parquet(source: pa.NativeFile, columns: frozenset[str] | None) -> Iterator[pa.RecordBatch]:
    # Neither a whole row group in memory nor a column per thread: a large log costs no more.
    with pq.ParquetFile(source, pre_buffer=False, buffer_size=BUFFER_BYTES) as file:
        names = file.schema_arrow.names
        wanted = [n for n in names if (n in columns if columns else n not in UNUSED_COLUMNS)]
        yield from file.iter_batches(batch_size=BATCH_ROWS, columns=wanted, use_threads=False)


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
        yield Batch(len(rows), {name: [row.get(name) for row in rows] for name in names})


def _decoded(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
