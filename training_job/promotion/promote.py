"""Promote: replace the pointer by compare-and-swap, then write the ledger, then move the alias.

If a promotion stops between two of these writes, the next one completes what is missing.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

from adapters.model_store import ModelStore
from adapters.registry import RegistryUnavailable, Tracking
from adapters.s3 import Bucket, Conflict
from domain import keys, times
from domain.errors import BadBundle, BadRecord
from domain.model.actor import UNPROVEN
from domain.model.champion import Champion, LedgerEntry, ModelRef
from domain.training.steps import Promoted, Registry
from training_job.errors import AwsUnavailable, NothingToPromote
from training_job.promotion.choice import Choice
from training_job.promotion.pointer import read_pointer

COMPLETED_LATER = "Recorded by the promotion that followed."


def promote(
    *,
    models: Bucket,
    tracking: Tracking,
    choice: Choice,
    execution: str,
    say: Callable[[str], None],
    actor: str = UNPROVEN,
    started_at: int | None = None,
) -> Promoted:
    """Make the chosen model the champion, if the pointer is still the one that the choice names.

    Safe to repeat: an earlier promotion by this execution is found in the pointer or the ledger.
    Then nothing is chosen again, and only the missing ledger entry and alias are written.
    `actor`: who stands behind it, for the ledger (see `domain.model.actor`). `started_at` is when
    the execution started (UTC milliseconds); older entries aren't read. Raises
    NothingToPromote when the bundle is missing or damaged, PointerLost when the pointer is, and
    AwsUnavailable when S3 refuses the write although the pointer has not changed.
    """
    store = ModelStore(models)
    current, seen = _read_pointer(store)
    made = _find_promotion(store, current, execution, choice.reasons, started_at)
    if made is None:
        model, etag = choice.resolve()
        _check(store, model)
        if current is not None:
            _record(models, LedgerEntry.of(current, (COMPLETED_LATER,)))
        successor = Champion.successor(
            current,
            model,
            action=choice.action,
            execution=execution,
            now=time.time_ns() // 10**6,
            actor=actor,
        )
        is_chosen = choice.replaces_seq in (None, current.seq if current else 0)
        writes = is_chosen and seen == etag
        if writes:
            with contextlib.suppress(Conflict):  # who won is read from the pointer
                store.replace_pointer(successor, etag)
        current, now = _read_pointer(store)
        made = _find_promotion(store, current, execution, choice.reasons, started_at)
        if made is None and writes and now == etag:
            raise AwsUnavailable("S3 refused to replace the champion pointer, which is unchanged.")
        if made is None:
            say(choice.overtaken)
            return describe_kept(model.version, current, choice.overtaken)
    return finish(store, tracking, made, serving=current, say=say)


def finish(
    store: ModelStore,
    tracking: Tracking,
    made: LedgerEntry,
    *,
    serving: Champion | None,
    say: Callable[[str], None],
) -> Promoted:
    """Complete what follows the write of the pointer: the ledger's entry, the registry's alias."""
    _record(store.bucket, made)
    registry = align_registry(store.bucket, tracking)
    say(f"champion {made.version}, seq {made.seq}, registry {registry}")
    return Promoted(
        promoted=True,
        version=made.version,
        reasons=made.reasons,
        seq=made.seq,
        champion_version=serving.version if serving else None,
        registry=registry,
    )


def describe_kept(version: str, serving: Champion | None, reason: str) -> Promoted:
    """The result of a promotion of `version` that changed nothing."""
    return Promoted(
        promoted=False,
        version=version,
        reasons=(reason,),
        seq=serving.seq if serving else 0,
        champion_version=serving.version if serving else None,
    )


def align_registry(models: Bucket, tracking: Tracking) -> Registry:
    """Point the registry's alias at the champion: ``done``, ``pending`` or ``unknown_version``.

    ``pending``: MLflow can't be reached. ``unknown_version``: the registry has another model under
    that number, or none (its database was rebuilt, for example); the alias is left as it is. The
    pointer is read again after each write, so that the alias follows the last of two promotions.
    """
    try:
        while True:
            champion = ModelStore(models).read_champion()
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


def _read_pointer(store: ModelStore) -> tuple[Champion | None, str | None]:
    pointer = read_pointer(store)
    return (pointer.champion, pointer.etag) if pointer else (None, None)


def _find_promotion(
    store: ModelStore,
    current: Champion | None,
    execution: str,
    reasons: tuple[str, ...],
    started_at: int | None,
) -> LedgerEntry | None:
    """The execution's own promotion, even if it was replaced since; None if it made none."""
    if current is None:
        return None
    if current.execution == execution:
        return LedgerEntry.of(current, reasons)
    oldest = 0 if started_at is None else started_at - times.CLOCK_SKEW_MS
    for listed in reversed(list(store.bucket.list(keys.LEDGER))):
        if times.to_millis(listed.modified) < oldest:
            continue
        with contextlib.suppress(BadRecord):
            entry = store.read_entry(listed.key)
            if entry.execution == execution:
                return replace(entry, reasons=reasons)
    return None


def _check(store: ModelStore, model: ModelRef) -> None:
    """Load the bundle as the predictor will."""
    try:
        store.load_bundle(model)
    except BadBundle as error:
        raise NothingToPromote(f"Version {model.version} can't be served: {error}") from None


def _record(models: Bucket, entry: LedgerEntry) -> None:
    with contextlib.suppress(Conflict):  # it is already recorded
        models.put_if(entry.key, entry.to_json(), etag=None)
