"""Promote: replace the pointer by compare-and-swap, then write the ledger, then move the alias.

If a promotion stops between two of these writes, the next one completes what is missing.
"""

import contextlib
import time
from collections.abc import Callable

from adapters.model_store import ModelStore
from adapters.registry import RegistryUnavailable, Tracking
from adapters.s3 import Bucket, Conflict
from domain import keys
from domain.errors import BadBundle, BadRecord
from domain.model.champion import Champion, LedgerEntry, ModelRef
from domain.training.steps import Promoted, Registry
from training_job.errors import AwsUnavailable, NothingToPromote
from training_job.promotion.choice import Choice

CHANGED = "Kept: the champion changed since the evaluation; nothing was overwritten."
COMPLETED_LATER = "Recorded by the promotion that followed."


def promote(
    *,
    models: Bucket,
    tracking: Tracking,
    choice: Choice,
    execution: str,
    say: Callable[[str], None],
) -> Promoted:
    """Make the chosen model the champion, if the pointer still has exactly the choice's ETag.

    Safe to repeat: an earlier promotion by this execution is found in the pointer or the ledger.
    Then nothing is chosen again, and only the missing ledger entry and alias are written. Raises
    NothingToPromote when the bundle is missing or damaged, and AwsUnavailable when S3 refuses the
    write although the pointer has not changed.
    """
    current, seen = _read_pointer(models)
    made = _find_promotion(models, current, execution, choice.reasons)
    if made is None:
        model, etag = choice.resolve()
        _check(models, model)
        if current is not None:
            _record(models, LedgerEntry.of(current, (COMPLETED_LATER,)))
        successor = Champion.successor(
            current, model, action=choice.action, execution=execution, now=time.time_ns() // 10**6
        )
        if seen == etag:
            _swap(models, successor, etag)
        # Read again: boto3 repeats a write whose answer got lost, and the repetition conflicts.
        current, now = _read_pointer(models)
        made = _find_promotion(models, current, execution, choice.reasons)
        if made is None and now == etag:
            raise AwsUnavailable("S3 refused to replace the champion pointer, which is unchanged.")
        if made is None:
            say(CHANGED)
            return Promoted(
                promoted=False,
                version=model.version,
                reasons=(CHANGED,),
                seq=current.seq if current else 0,
                champion_version=current.version if current else None,
            )
    _record(models, made)
    registry = align_registry(models, tracking)
    say(f"champion {made.version}, seq {made.seq}, registry {registry}")
    return Promoted(
        promoted=True,
        version=made.version,
        reasons=choice.reasons,
        seq=made.seq,
        champion_version=current.version if current else None,
        registry=registry,
    )


def align_registry(models: Bucket, tracking: Tracking) -> Registry:
    """Point the registry's alias at the champion: ``done``, ``pending`` or ``unknown_version``.

    ``pending``: MLflow can't be reached. ``unknown_version``: the registry has another model under
    that number, or none (its database was rebuilt, for example); the alias is left as it is. The
    pointer is read again after each write, so that the alias follows the last of two promotions.
    """
    try:
        while True:
            champion, _ = _read_pointer(models)
            if champion is None:
                return "done"
            number = keys.registry_number(champion.version)
            if tracking.sha256_of(number) != champion.sha256:
                return "unknown_version"
            if tracking.champion() == number:
                return "done"
            tracking.set_champion(number)
    except RegistryUnavailable:
        return "pending"


def _read_pointer(models: Bucket) -> tuple[Champion | None, str | None]:
    pointer = ModelStore(models).read_pointer()
    return (pointer.champion, pointer.etag) if pointer else (None, None)


def _find_promotion(
    models: Bucket, current: Champion | None, execution: str, reasons: tuple[str, ...]
) -> LedgerEntry | None:
    """The execution's own promotion, even if it was replaced since; None if it made none."""
    if current is None or current.execution == execution:
        return LedgerEntry.of(current, reasons) if current else None
    for listed in reversed(list(models.list(keys.LEDGER))):
        with contextlib.suppress(BadRecord):
            entry = ModelStore(models).read_entry(listed.key)
            if entry.execution == execution:
                return entry
    return None


def _check(models: Bucket, model: ModelRef) -> None:
    """Load the bundle as the predictor will."""
    try:
        ModelStore(models).load_bundle(model)
    except BadBundle as error:
        raise NothingToPromote(f"Version {model.version} can't be served: {error}") from None


def _swap(models: Bucket, champion: Champion, etag: str | None) -> None:
    with contextlib.suppress(Conflict):  # who won is read from the pointer
        ModelStore(models).replace_pointer(champion, etag)


def _record(models: Bucket, entry: LedgerEntry) -> None:
    with contextlib.suppress(Conflict):  # it is already recorded
        models.put_if(entry.key, entry.to_json(), etag=None)
