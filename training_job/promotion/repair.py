"""Repair: restore the champion pointer from the ledger when it is damaged or gone."""

import time
from collections.abc import Callable

from adapters.model_store import ModelStore
from adapters.registry import Tracking
from adapters.s3 import Bucket, Conflict
from domain import keys
from domain.errors import BadBundle, BadRecord
from domain.model.actor import UNPROVEN
from domain.model.champion import Champion, LedgerEntry, ModelRef
from domain.training.steps import Promoted
from training_job.errors import NothingToPromote, PointerLost
from training_job.promotion.choice import OVERTAKEN
from training_job.promotion.pointer import read_pointer
from training_job.promotion.promote import describe_kept, finish

SOUND = "The champion pointer can be read: there is nothing to repair."
RESTORED = "The champion pointer was lost: the newest version of the ledger serves again."


def repair(
    *,
    models: Bucket,
    tracking: Tracking,
    execution: str,
    say: Callable[[str], None],
    actor: str = UNPROVEN,
) -> Promoted:
    """Let the newest version of the ledger serve again, as a change of its own with the next seq.

    Of versions whose bundle is damaged the next older one is taken. Safe to repeat. `actor`: who
    asked for it, for the ledger. Raises NothingToPromote when no entry leads to a bundle that can
    be served.
    """
    store = ModelStore(models)
    champion = _read_sound(store)
    if champion is None:
        lost = models.get(keys.CHAMPION)
        restored = _restore(store, execution, actor)
        try:
            store.replace_pointer(restored, lost.etag if lost else None)
        except Conflict:
            say(OVERTAKEN)
            return describe_kept(restored.version, _read_sound(store), OVERTAKEN)
        champion = restored
    elif champion.execution != execution:
        say(SOUND)
        return describe_kept(champion.version, champion, SOUND)
    made = LedgerEntry.of(champion, (RESTORED,))
    return finish(store, tracking, made, serving=champion, say=say)


def _read_sound(store: ModelStore) -> Champion | None:
    """The champion, or None when the pointer is lost; raises NothingToPromote before the first."""
    try:
        pointer = read_pointer(store)
    except PointerLost:
        return None
    if pointer is None:
        raise NothingToPromote("There is no champion yet, so there is no pointer to restore.")
    return pointer.champion


def _restore(store: ModelStore, execution: str, actor: str) -> Champion:
    """The pointer that the ledger leads to; raises NothingToPromote."""
    listed = store.list_ledger()
    for seq, action, version in reversed(listed):
        model = _find_servable(store, version)
        if model is None:
            continue
        try:
            entry = store.read_entry(keys.ledger_entry(seq, action, version))
            before = entry.previous_version
        except BadRecord:
            before = None
        return Champion(
            seq=max(seq for seq, _, _ in listed) + 1,
            version=model.version,
            bundle_key=model.bundle_key,
            sha256=model.sha256,
            previous=_find_servable(store, before) if before else None,
            action="repair",
            execution=execution,
            promoted_at=time.time_ns() // 1_000_000,
            actor=actor,
        )
    raise NothingToPromote(
        "No entry of the ledger leads to a bundle that can be served: delete"
        f" {keys.CHAMPION} and {keys.LEDGER}, then train."
    )


def _find_servable(store: ModelStore, version: str) -> ModelRef | None:
    """The version's model, if the predictor could load it."""
    try:
        model = store.find_model(version)
        store.load_bundle(model)
    except BadBundle:
        return None
    return model
