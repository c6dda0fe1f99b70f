"""Which days of a stream have records, found in two listings however many days there are."""

from contextlib import suppress
from datetime import date

from adapters.s3 import Bucket
from domain import keys


def list_days(bucket: Bucket, stream: str) -> list[date]:
    """List the days with a partition in the stream or its fallback, the latest first.

    `bucket`: the predictions bucket. `stream`: ``log`` or ``labels``.
    """
    found = set()
    for prefix in (f"{stream}/", f"{keys.FALLBACK}{stream}/"):
        for folder in bucket.folders(prefix):
            with suppress(ValueError):  # not a partition
                found.add(date.fromisoformat(folder.rstrip("/").rpartition("dt=")[2]))
    return sorted(found, reverse=True)
