"""Merged objects that an erasure has made stale: all of their sources are there, and have changed.

A reader can't take such an object in place of its sources any more, so it would read both and count
twice what has no id. Everything is in the sources: the merged object goes, and the next compaction
merges what is there.
"""

from collections.abc import Iterable

from adapters.s3 import Bucket
from adapters.s3_versions import erase_key
from domain import keys
from domain.erasure import ErasedObject
from tabular.merged_objects import read_merged


def withdraw_stale(predictions: Bucket, erased: Iterable[ErasedObject]) -> list[str]:
    """Remove those among the erased objects with all their versions; returns their keys.

    One of which a source is gone stays, since it alone has that source's rows.
    """
    withdrawn = []
    changed = {one.key for one in erased if one.bucket == "predictions"}
    for key in sorted(key for key in changed if keys.parse_compacted(key) is not None):
        here = {entry.key: entry for entry in predictions.list(key.rpartition("/")[0] + "/")}
        merged = read_merged(predictions, here[key]) if key in here else None
        if merged is None:
            continue
        found = [here.get(f"{merged.folder}{source.name}") for source in merged.sources]
        pairs = zip(found, merged.sources, strict=True)
        if None not in found and any(entry and entry.etag != one.etag for entry, one in pairs):
            erase_key(predictions, key)
            withdrawn.append(key)
    return withdrawn
