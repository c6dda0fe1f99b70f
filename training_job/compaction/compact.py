"""Compact: merge the many small objects of a closed day into few, beside readers and writers.

1. Merge. The rows of a day's small objects are written as one new object into the same folder. Its
   footer names each source with its ETag, so one atomic write is the whole commit. From then on
   the rows are there twice. Readers that list the objects leave the sources out
   (`tabular.merged_objects`); for Athena the copies are repeated deliveries, which count once.
2. Delete. Once nobody can be reading a listing from before, a later execution deletes the sources,
   as far as they are still those that were merged.

Where a source has changed before the first was deleted, an erasure took rows out of it, perhaps
while it was merged. The merged object is then withdrawn with all its versions, and the next
execution merges what is there. Nothing depends on a memory of this process.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from adapters import partitions
from adapters.s3 import Bucket, Listed
from adapters.s3_versions import erase_key
from domain import keys, times
from domain.plural import write_count
from domain.retention import Retention
from domain.training.steps import Compacted
from tabular.merged_objects import Merged, Source, hash_sources, read_merged
from training_job.compaction.compact_request import (
    CLOSED_DAYS,
    GRACE_MS,
    USUAL_DAYS,
    CompactRequest,
)
from training_job.compaction.merging import Batch, Fetched, form_batches, read_columns, write_merged
from training_job.errors import BadData, BadInput

STREAMS = ("log", "labels")
LEAST_OBJECTS = 20
"""Fewer small objects of a day are left as they are."""
SMALL_BYTES = 8 * 1024 * 1024
"""Objects up to this size are merged; each is held in memory as a whole."""
LARGEST_BYTES = 256 * 1024 * 1024
"""What is merged into one object: the drift function's disk has to hold it."""
MOST_SOURCES = 2_000
"""So that the footer, which names them, stays small."""
PARALLEL = 8
REASONS = 20
"""How many objects that were left are named in the result; the task's log names all."""

Listing = Mapping[str, Listed]
"""Name within the day's folder → object."""


def compact(
    *,
    request: CompactRequest,
    predictions: Bucket,
    retention: Retention,
    now: int,
    say: Callable[[str], None],
) -> Compacted:
    """Compact both logs, or say what would be done; `now`: UTC milliseconds. Raises BadInput."""
    limited = retention.log is not None or retention.labels is not None
    if limited and request.days > USUAL_DAYS:
        raise BadInput(
            f"compact.days must be at most {USUAL_DAYS} where the logs have a retention: rows would"
            " be kept as many days longer as they are old when they are merged."
        )
    run = _Run(predictions, now=now, dry_run=request.dry_run, say=say)
    today = times.from_millis(now).date()
    first, last = (today - timedelta(days=days) for days in (request.days, CLOSED_DAYS))
    for stream in STREAMS:
        for day in partitions.list_days(predictions, stream):
            # Sources are deleted on any day, however long ago they were merged.
            if day <= last:
                run.work_on(stream, day, merge=day >= first)
    return run.summarise()


@dataclass(slots=True)
class _Run:
    bucket: Bucket
    now: int
    dry_run: bool
    say: Callable[[str], None]
    merged: int = 0
    objects: int = 0
    rows: int = 0
    deleted: int = 0
    withdrawn: int = 0
    left: list[str] = field(default_factory=list)

    def work_on(self, stream: str, day: date, *, merge: bool) -> None:
        """Finish earlier merges; then merge what isn't merged yet."""
        folder = keys.stream(stream, day)
        here = self._list(folder)
        made = [entry for entry in here.values() if keys.parse_compacted(entry.key) is not None]
        if len(made) == len(here):  # all sources are deleted, and nothing came late
            return
        held: set[str] = set()
        for entry in made:
            one = read_merged(self.bucket, entry)
            if one is None:
                self._leave(entry.key, "its footer can't be read, so the day stays as it is")
                return
            held |= self._finish(one, here)
        if not merge:
            return
        small = [
            entry
            for name, entry in here.items()
            if 0 < entry.size <= SMALL_BYTES and name not in held and entry not in made
        ]
        for group in _group(small):
            if self.dry_run:
                self.merged, self.objects = self.merged + len(group), self.objects + 1
            else:
                self._merge(stream, day, group)

    def summarise(self) -> Compacted:
        """What was done."""
        return Compacted(
            dry_run=self.dry_run,
            merged=self.merged,
            objects=self.objects,
            rows=self.rows,
            deleted=self.deleted,
            withdrawn=self.withdrawn,
            left=len(self.left),
            reasons=tuple(self.left[:REASONS]),
        )

    def _list(self, folder: str) -> dict[str, Listed]:
        return {entry.key.removeprefix(folder): entry for entry in self.bucket.list(folder)}

    def _finish(self, one: Merged, here: Listing) -> set[str]:
        """Delete the sources of a merged object once it is time; returns those that are left."""
        there = [source for source in one.sources if source.name in here]
        same = [source.name for source in there if _is_same(source, here)]
        if len(same) < len(there) == len(one.sources):
            self._withdraw(one.key)
            return set()
        if not same or self.now - one.written_at < GRACE_MS:
            return set(same)
        if not one.holds_all:  # an erasure has not come to all of them yet
            self._leave(one.key, "it has fewer rows than what it was made of, which stays")
            return set(same)
        if not self.dry_run:
            self.bucket.delete_all([f"{one.folder}{name}" for name in same])
            self.say(f"{one.folder}: deleted {write_count(len(same), 'merged object')}")
        self.deleted += len(same)
        return set(same)

    def _withdraw(self, key: str) -> None:
        if not self.dry_run:
            erase_key(self.bucket, key)
        self.withdrawn += 1
        self.say(f"{key} is withdrawn: an object that it was made of has changed")

    def _leave(self, key: str, why: str) -> None:
        self.left.append(f"{key}: {why}.")
        self.say(self.left[-1])

    def _merge(self, stream: str, day: date, group: Sequence[Listed]) -> None:
        with tempfile.TemporaryDirectory(prefix="compact-") as folder:
            for batch in self._fetch(keys.stream(stream, day), group, Path(folder)):
                if len(batch.objects) >= LEAST_OBJECTS:
                    self._write(stream, day, batch, group, Path(folder) / "merged")

    def _fetch(self, prefix: str, group: Sequence[Listed], folder: Path) -> list[Batch]:
        """Copy the objects into files; one that has changed since it was listed is left."""

        def fetch(number: int, entry: Listed) -> Fetched | None:
            stored = self.bucket.get(entry.key)
            if stored is None or stored.etag != entry.etag:
                return None
            path = folder / str(number)
            path.write_bytes(stored.data)
            return Fetched(entry.key.removeprefix(prefix), entry.etag, path)

        usable = []
        with ThreadPoolExecutor(PARALLEL) as pool:
            for one in pool.map(fetch, range(len(group)), group):
                if one is None:
                    continue
                try:
                    usable.append((one, read_columns(one.path)))
                except BadData as error:
                    self._leave(f"{prefix}{one.name}", str(error))
        return form_batches(usable)

    def _write(
        self, stream: str, day: date, batch: Batch, group: Sequence[Listed], path: Path
    ) -> None:
        prefix = keys.stream(stream, day)
        sources, damaged = write_merged(batch, path)
        for one in damaged:
            self._leave(f"{prefix}{one.name}", "it can't be read to its end")
        if len(sources) < LEAST_OBJECTS:
            return
        names = {f"{prefix}{source.name}" for source in sources}
        newest = max(times.to_millis(entry.modified) for entry in group if entry.key in names)
        key = keys.compacted(stream, day, newest, hash_sources(sources))
        self.bucket.create(key, path)
        here = self._list(prefix)
        if not all(_is_same(source, here) for source in sources):
            self._withdraw(key)
            return
        self.merged += len(sources)
        self.objects += 1
        self.rows += sum(source.rows for source in sources)
        self.say(
            f"{prefix}: {write_count(len(sources), 'object')} merged into "
            f"{key.removeprefix(prefix)}"
        )


def _is_same(source: Source, here: Listing) -> bool:
    """Whether a source is there as it was merged."""
    entry = here.get(source.name)
    return entry is not None and entry.etag == source.etag


def _group(entries: Sequence[Listed]) -> Iterator[list[Listed]]:
    """Cut a day's small objects, in the order of their keys, into what becomes one object each."""
    group: list[Listed] = []
    size = 0
    for entry in entries:
        if group and (size + entry.size > LARGEST_BYTES or len(group) == MOST_SOURCES):
            yield group
            group, size = [], 0
        group.append(entry)
        size += entry.size
    if len(group) >= LEAST_OBJECTS:
        yield group
