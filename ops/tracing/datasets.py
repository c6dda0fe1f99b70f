"""What is left of the dataset that a version was trained on."""

import json

from adapters.s3 import Bucket
from domain import keys
from domain.plural import agree, write_count


def describe_dataset(data: Bucket, dataset_id: str, *, kept_days: int | None) -> str:
    """The dataset's name, and what it has lost since.

    `kept_days`: after how many days datasets expire; None: never.
    """
    stored = data.get(keys.manifest(dataset_id))
    if stored is None:
        days = "" if kept_days is None else write_count(kept_days, "day")
        since = f": datasets expire after {days}" if days else ""
        return f"{dataset_id}, which is no longer there{since}"
    rows = _count_erased_rows(stored.data)
    if not rows:
        return dataset_id
    were = agree(rows, "was", "were")
    return f"{dataset_id}, of which {write_count(rows, 'row')} {were} erased since"


def _count_erased_rows(manifest: bytes) -> int:
    try:
        return sum(int(one["rows"]) for one in json.loads(manifest).get("erased", ()))
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0
