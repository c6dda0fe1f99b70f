"""Choose the model to promote: the evaluated one, the previous champion, or a named version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain.errors import BadBundle
from domain.model.champion import Action, ModelRef
from domain.training.steps import Approval, Evaluated
from training_job.errors import NothingToPromote
from training_job.inputs import State
from training_job.promotion.pointer import read_pointer

Resolve = Callable[[], tuple[ModelRef, str | None]]
"""Finds the model and the ETag of the pointer that it may replace; raises NothingToPromote."""

CHANGED = "Kept: the champion changed since the evaluation; nothing was overwritten."
OVERTAKEN = "Another promotion was faster: nothing changed."
BY_OPERATOR: Mapping[Action, str] = {
    "rollback": "Rolled back by an operator.",
    "promote": "Promoted by an operator.",
}
APPROVED = "An operator approved it."


@dataclass(frozen=True, slots=True)
class Choice:
    """What to promote, and how the ledger speaks of it.

    `replaces_seq`: the only pointer that may be replaced, by its number (0: none yet); None for
    the one that `resolve` names. `overtaken`: what to say when another pointer is there by then.
    """

    resolve: Resolve
    action: Action
    reasons: tuple[str, ...]
    replaces_seq: int | None = None
    overtaken: str = OVERTAKEN

    @classmethod
    def of(cls, models: Bucket, state: State) -> "Choice":
        """Read the execution's input; a version that served before makes it a rollback."""
        asked, version = state.input, state.input.promote_version
        if asked.rollback:
            reasons = (BY_OPERATOR["rollback"],)
            return cls(lambda: find_previous(models), "rollback", reasons, asked.replaces_seq)
        if version is None:
            approval = Approval.of(state.results)
            approved = (APPROVED,) if approval is not None else ()
            return _choose_evaluated(state.result(Evaluated), approved)
        action: Action = "rollback" if _has_served(models, version) else "promote"
        reasons = (asked.reason or BY_OPERATOR[action],)
        return cls(lambda: find_named(models, version), action, reasons, asked.replaces_seq)


def _choose_evaluated(evaluated: Evaluated, approved: tuple[str, ...]) -> Choice:
    model = ModelRef.of_version(evaluated.version, evaluated.sha256)
    etag = evaluated.champion_etag
    reasons = (*evaluated.reasons, *approved)
    return Choice(lambda: (model, etag), "promote", reasons, overtaken=CHANGED)


def find_previous(models: Bucket) -> tuple[ModelRef, str]:
    """``(model, etag)`` to roll back to: the pointer's previous model; raises NothingToPromote."""
    pointer = read_pointer(ModelStore(models))
    if pointer is None:
        raise NothingToPromote("There is no champion yet, so nothing to roll back to.")
    model = pointer.champion.previous
    if model is None:
        raise NothingToPromote("The first champion serves: there is nothing to roll back to.")
    return model, pointer.etag


def find_named(models: Bucket, version: str) -> tuple[ModelRef, str | None]:
    """``(model, etag)`` of a version by name; raises NothingToPromote."""
    store = ModelStore(models)
    try:
        model = store.find_model(version)
    except BadBundle as error:
        raise NothingToPromote(f"Version {version} can't be promoted: {error}") from None
    pointer = read_pointer(store)
    return model, pointer.etag if pointer else None


def _has_served(models: Bucket, version: str) -> bool:
    """Whether the ledger has an entry of the version."""
    return any(version == served for _, _, served in ModelStore(models).list_ledger())
