"""A merged object: the rows of many small objects of a day, which its footer names as its sources.

A compaction writes it beside its sources and deletes them half a day later
(`training_job.compaction`). Until then a reader takes the merged object and leaves the sources.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from adapters.s3 import Bucket, Listed
from domain import keys, times
from tabular.footers import read_footer

SOURCES = b"circle.sources"
"""Key of the footer's entry: a list of [name in the same folder, ETag, rows]."""


@dataclass(frozen=True, slots=True)
class Source:
    """A small object as it was merged: its name within the day's folder, its ETag, its rows."""

    name: str
    etag: str
    rows: int


def encode_sources(sources: Iterable[Source]) -> bytes:
    """As the footer holds them."""
    listed = [[one.name, one.etag, one.rows] for one in sources]
    return json.dumps(listed, separators=(",", ":")).encode()


def hash_sources(sources: Iterable[Source]) -> str:
    """16 hexadecimal digits: whoever merges the same objects writes the same key."""
    return hashlib.sha256(encode_sources(sources)).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Merged:
    """A merged object. `written_at`: UTC milliseconds; `rows`: how many it has now."""

    key: str
    written_at: int
    rows: int
    sources: tuple[Source, ...]

    @property
    def folder(self) -> str:
        """Its folder, and that of its sources."""
        return self.key.rpartition("/")[0] + "/"

    @property
    def holds_all(self) -> bool:
        """Whether it has as many rows as its sources had: an erasure may have taken some out."""
        return self.rows == sum(one.rows for one in self.sources)


def read_merged(bucket: Bucket, entry: Listed) -> Merged | None:
    """What a merged object says of itself; None if its footer can't be read."""
    footer = read_footer(bucket, entry.key)
    if footer is None:
        return None
    try:
        sources = tuple(Source(*one) for one in json.loads((footer.metadata or {})[SOURCES]))
    except (KeyError, ValueError, TypeError):
        return None
    return Merged(entry.key, times.to_millis(entry.modified), footer.num_rows, sources)


@dataclass(frozen=True, slots=True)
class ListedMerged(Listed):
    """A merged object in a listing that leaves out its sources, which are all still there.

    Whoever finds that the merged object is gone or damaged reads the sources.
    """

    sources: tuple[Listed, ...]


def replace_sources(bucket: Bucket, listed: Iterable[Listed]) -> Iterator[Listed]:
    """Leave out of a day's listing the sources for which a merged object stands.

    Where a source has changed or is gone, or the merged object has lost rows, an erasure or a
    deletion is under way. Then everything stays in the listing, so that no row is missing.
    """
    entries = {entry.key: entry for entry in listed}
    merged = [entry for key, entry in entries.items() if keys.parse_compacted(key) is not None]
    if len(merged) < len(entries):
        for entry in merged:
            sources = _find_sources(read_merged(bucket, entry), entries)
            if sources:
                entries[entry.key] = ListedMerged(
                    entry.key, entry.size, entry.modified, entry.etag, sources
                )
                for source in sources:
                    entries.pop(source.key, None)
    yield from entries.values()


def _find_sources(one: Merged | None, entries: Mapping[str, Listed]) -> tuple[Listed, ...]:
    """The sources if all are there as they were merged, and all their rows are; else nothing."""
    if one is None or not one.holds_all:
        return ()
    found = [entries.get(f"{one.folder}{source.name}") for source in one.sources]
    same = [
        entry
        for entry, source in zip(found, one.sources, strict=True)
        if entry is not None and entry.etag == source.etag
    ]
    return tuple(same) if len(same) == len(one.sources) else ()
