"""Promote: the pointer by compare-and-set, then the ledger, then the registry's alias.

Whatever happens between two of these writes, the next promoter completes what is missing.
"""

import time
from collections.abc import Callable
from typing import Any

from adapters import bundles
from adapters.registry import RegistryUnavailable, Tracking
from adapters.s3 import Bucket, Conflict
from domain import keys
from domain.bundle import digest
from domain.champion import Action, Champion, LedgerEntry, ModelRef
from domain.errors import BadBundle
from training_job.errors import NothingToPromote

CHANGED = "Kept: the champion changed since the evaluation; nothing was overwritten."
COMPLETED_LATER = "Recorded by the promotion that followed."


def promote(
    *,
    models: Bucket,
    tracking: Tracking,
    model: ModelRef,
    action: Action,
    reasons: tuple[str, ...],
    execution: str,
    etag: str | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Make `model` the champion if the pointer still has exactly `etag` (None: is absent).

    Safe to repeat: when the pointer already names this execution, only what follows the write is
    completed. Returns ``promoted``, ``seq``, ``version``, ``reasons`` and ``registry`` (``done``
    or ``pending``). Raises NothingToPromote when the bundle is missing or damaged.
    """
    stored = models.get(keys.CHAMPION)
    current = Champion.from_json(stored.data) if stored else None
    if current is None or current.execution != execution:
        # A repeated rollback resolves its target anew, and that may be the damaged one it left.
        _check(models, model)
        if current is not None:
            _record(models, current, (COMPLETED_LATER,))
        successor = Champion.succeeding(
            current, model, action=action, execution=execution, now=int(time.time() * 1000)
        )
        if (stored.etag if stored else None) != etag or not _swap(models, successor, etag):
            say(CHANGED)
            return _result(False, current, model.version, (CHANGED,), "untouched")
        current = successor
    _record(models, current, reasons)
    registry = align_registry(models, tracking)
    say(f"champion {current.version}, seq {current.seq}, registry {registry}")
    return _result(True, current, current.version, reasons, registry)


def previous(models: Bucket) -> tuple[ModelRef, str]:
    """``(model, etag)`` to roll back to: the pointer's previous model; raises NothingToPromote."""
    stored = models.get(keys.CHAMPION)
    if stored is None:
        raise NothingToPromote("There is no champion yet, so nothing to roll back to.")
    model = Champion.from_json(stored.data).previous
    if model is None:
        raise NothingToPromote("The first champion serves: there is nothing to roll back to.")
    return model, stored.etag


def named(models: Bucket, version: str) -> tuple[ModelRef, str | None]:
    """``(model, etag)`` of a version by name; raises NothingToPromote."""
    bundle = models.get(keys.bundle(version))
    if bundle is None:
        raise NothingToPromote(f"There is no bundle of version {version}.")
    model = ModelRef.of(keys.registry_number(version), digest(bundle.data))
    if model.version != version:
        raise NothingToPromote(f"The bundle of version {version} is damaged: its hash differs.")
    stored = models.get(keys.CHAMPION)
    return model, stored.etag if stored else None


def align_registry(models: Bucket, tracking: Tracking) -> str:
    """Let the alias name what the pointer names; ``pending`` when MLflow can't be reached.

    The pointer is read again after each write, so that of two promoters the last one's model wins.
    """
    try:
        while True:
            stored = models.get(keys.CHAMPION)
            if stored is None:
                return "done"
            number = keys.registry_number(Champion.from_json(stored.data).version)
            if tracking.champion() == number:
                return "done"
            tracking.set_champion(number)
    except RegistryUnavailable:
        return "pending"


def _check(models: Bucket, model: ModelRef) -> None:
    """Load the bundle as the predictor will."""
    try:
        bundles.load(models, model)
    except BadBundle as error:
        raise NothingToPromote(f"Version {model.version} can't be served: {error}") from None


def _swap(models: Bucket, champion: Champion, etag: str | None) -> bool:
    try:
        models.put_if(keys.CHAMPION, champion.to_json(), etag=etag)
    except Conflict:
        return False
    return True


def _record(models: Bucket, champion: Champion, reasons: tuple[str, ...]) -> None:
    entry = LedgerEntry.of(champion, reasons)
    try:
        models.put_if(entry.key, entry.to_json(), etag=None)
    except Conflict:
        return  # it is already recorded


def _result(
    promoted: bool, champion: Champion | None, version: str, reasons: tuple[str, ...], registry: str
) -> dict[str, Any]:
    return {
        "promoted": promoted,
        "seq": champion.seq if champion else 0,
        "version": version,
        "champion_version": champion.version if champion else None,
        "reasons": list(reasons),
        "registry": registry,
    }
