"""Read several objects of a bucket at a time, or the newest."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from adapters.s3 import Bucket

T = TypeVar("T")

PARALLEL = 10
"""As many connections as a client keeps."""


def objects(bucket: Bucket, keys: Iterable[str]) -> list[bytes | None]:
    """The content under each of `keys`, in their order; None where there is none."""
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        found = pool.map(bucket.get, keys)
        return [stored.data if stored else None for stored in found]


def decode_newest(bucket: Bucket, prefix: str, decode: Callable[[bytes], T]) -> T | None:
    """The object under a prefix that was written last; raises the DomainError of `decode`."""
    newest = max(bucket.list(prefix), key=lambda listed: listed.modified, default=None)
    return bucket.read(newest.key, decode) if newest else None
