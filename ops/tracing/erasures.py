"""What erasures have taken from the datasets of versions."""

import json

from adapters.s3 import Bucket
from domain import keys


def count_erased_rows(data: Bucket, dataset_id: str) -> int:
    """How many rows a dataset has lost to erasures, as its manifest says."""
    stored = data.get(keys.manifest(dataset_id))
    try:
        manifest = json.loads(stored.data if stored else b"{}")
        return sum(int(one["rows"]) for one in manifest.get("erased", ()))
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0
