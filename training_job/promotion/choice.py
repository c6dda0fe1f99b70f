"""Choose the model to promote: the evaluated one, the previous champion, or a named version."""

from collections.abc import Callable
from dataclasses import dataclass

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys
from domain.errors import BadBundle
from domain.model.champion import Action, ModelRef
from domain.training.steps import Evaluated
from training_job.errors import NothingToPromote
from training_job.inputs import State

Resolve = Callable[[], tuple[ModelRef, str | None]]
"""Finds the model and the ETag of the pointer that it may replace; raises NothingToPromote."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What to promote, and the ledger's action and reasons."""

    resolve: Resolve
    action: Action
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, models: Bucket, state: State) -> "Choice":
        """Read the execution's input; a version that served before makes it a rollback."""
        asked = state.input
        if asked.rollback:
            return cls(lambda: find_previous(models), "rollback", ("Rolled back by an operator.",))
        version = asked.promote_version
        if version is None:
            return _choose_evaluated(state.result(Evaluated))
        if _has_served(models, version):
            reasons = ("Rolled back by an operator.",)
            return cls(lambda: find_named(models, version), "rollback", reasons)
        return cls(lambda: find_named(models, version), "promote", ("Promoted by an operator.",))


def _choose_evaluated(evaluated: Evaluated) -> Choice:
    model = ModelRef(evaluated.version, keys.bundle(evaluated.version), evaluated.sha256)
    return Choice(lambda: (model, evaluated.champion_etag), "promote", evaluated.reasons)


def find_previous(models: Bucket) -> tuple[ModelRef, str]:
    """``(model, etag)`` to roll back to: the pointer's previous model; raises NothingToPromote."""
    pointer = ModelStore(models).read_pointer()
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
    pointer = store.read_pointer()
    return model, pointer.etag if pointer else None


def _has_served(models: Bucket, version: str) -> bool:
    """Whether the ledger has an entry of the version."""
    return any(version == served for _, _, served in ModelStore(models).list_ledger())
