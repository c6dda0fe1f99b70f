"""Read several objects of a bucket at a time."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from adapters.s3 import Bucket

PARALLEL = 10
"""As many connections as a client keeps."""


def documents(bucket: Bucket, keys: Iterable[str]) -> list[dict[str, Any] | None]:
    """The objects under `keys`, in their order."""
    return list(map(_decode, objects(bucket, keys)))


def objects(bucket: Bucket, keys: Iterable[str]) -> list[bytes | None]:
    """The content under each of `keys`, in their order; None where there is none."""
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        found = pool.map(bucket.get, keys)
        return [stored.data if stored else None for stored in found]


def _decode(data: bytes | None) -> dict[str, Any] | None:
    try:
        found = json.loads(data) if data else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
