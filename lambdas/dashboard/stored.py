"""JSON documents of a bucket, several at a time."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from adapters.s3 import Bucket

PARALLEL = 10
"""As many connections as a client keeps."""


def document(bucket: Bucket, key: str) -> dict[str, Any] | None:
    """The object under `key`; None when there is none, or when it is no JSON object."""
    stored = bucket.get(key)
    try:
        found = json.loads(stored.data) if stored else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def documents(bucket: Bucket, keys: Iterable[str]) -> list[dict[str, Any] | None]:
    """The objects under `keys`, in their order."""
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        return list(pool.map(lambda key: document(bucket, key), keys))
