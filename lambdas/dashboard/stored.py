"""Read several objects of a bucket at a time."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from adapters.s3 import Bucket

PARALLEL = 10
"""As many connections as a client keeps."""


def objects(bucket: Bucket, keys: Iterable[str]) -> list[bytes | None]:
    """The content under each of `keys`, in their order; None where there is none."""
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        found = pool.map(bucket.get, keys)
        return [stored.data if stored else None for stored in found]
