"""A merged object: many small ones as one, which names in its footer what it was made of."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from adapters.s3 import Bucket, Listed
from domain import times
from tabular.log_objects import read_footer

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
