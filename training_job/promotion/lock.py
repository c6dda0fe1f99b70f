"""A lock object, so that only one execution trains at a time.

It is never released: the next training replaces a lock whose execution no longer runs.
"""

import json
from collections.abc import Callable

from adapters.s3 import Bucket, Conflict, Stored
from domain import keys
from training_job.errors import TrainingInProgress


def take(models: Bucket, execution: str, *, is_running: Callable[[str], bool]) -> None:
    """Take the lock for this execution; raises TrainingInProgress."""
    stored = models.get(keys.LOCK)
    holder = _read_holder(stored)
    if holder not in (None, execution) and is_running(str(holder)):
        raise TrainingInProgress(_refusal(str(holder)))
    content = json.dumps({"execution": execution}).encode()
    try:
        models.put_if(keys.LOCK, content, etag=stored.etag if stored else None)
    except Conflict:
        raise TrainingInProgress(_refusal("another execution")) from None


def _read_holder(stored: Stored | None) -> str | None:
    """The execution that holds the lock; None for a lock that can't be read."""
    try:
        return str(json.loads(stored.data)["execution"]) if stored else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _refusal(holder: str) -> str:
    return f"{holder} is training; wait for it or stop it, then start again."
