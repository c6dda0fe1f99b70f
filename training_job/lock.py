"""One training at a time: a lock object that belongs to an execution.

Nobody has to release it: a lock whose execution isn't running is replaced.
"""

import json
from collections.abc import Callable

from adapters.s3 import Bucket, Conflict
from domain import keys
from training_job.errors import TrainingInProgress


def take(models: Bucket, execution: str, *, is_running: Callable[[str], bool]) -> None:
    """Take the lock for this execution; raises TrainingInProgress."""
    stored = models.get(keys.LOCK)
    if stored is not None:
        holder = str(json.loads(stored.data)["execution"])
        if holder != execution and is_running(holder):
            raise TrainingInProgress(_refusal(holder))
    content = json.dumps({"execution": execution}).encode()
    try:
        models.put_if(keys.LOCK, content, etag=stored.etag if stored else None)
    except Conflict:
        raise TrainingInProgress(_refusal("another execution")) from None


def _refusal(holder: str) -> str:
    return f"{holder} is training; wait for it or stop it, then start again."
