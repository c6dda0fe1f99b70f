"""The model that serves: loaded once, checked at intervals, and replaced as one object."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from adapters.aws import UNREACHABLE, error_code
from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain.contract.contract import Contract
from domain.contract.deployed_context import DeployedContext
from domain.errors import BadBundle, BadRecord, DomainError
from domain.model.bundle import Bundle
from domain.model.champion import Champion, ModelRef

if TYPE_CHECKING:
    from domain.model.card import ModelCard

ABSENCE_SECONDS = 1.0
"""How long the absence of a model is cached, so that the first promotion is seen quickly."""

NO_CHAMPION = "No model serves yet. Ask an operator to train one, then send the request again."


class NoModel(DomainError):
    """No model can be served; the message says why and what to do."""


@dataclass(frozen=True)
class Model:
    """A loaded model with everything an answer needs. It is replaced as a whole.

    `contract`: the bundle's own, with the deployment's context columns.
    """

    ref: ModelRef
    bundle: Bundle
    contract: Contract

    @property
    def version(self) -> str:
        """Its name everywhere outside the registry."""
        return self.ref.version

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The features' names in the log, in the contract's order."""
        return tuple(feature.column for feature in self.contract.features)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state after one check.

    `troubles`: what failed, in sentences. `etag`: of the pointer for which `model` was loaded, so
    that an unchanged pointer isn't read again; None makes the next check read it.
    """

    model: Model | None
    etag: str | None
    checked_at: float
    troubles: tuple[str, ...]

    def serving(self) -> Model:
        """Return the model; raises NoModel if there is none."""
        if self.model is None:
            raise NoModel(self.troubles[0] if self.troubles else NO_CHAMPION)
        return self.model


@dataclass
class ModelCache:
    """Reads the champion pointer at most once per `seconds`, and keeps the last good model.

    `context` is the deployment's: a model's bundle has none. A request uses one snapshot from start
    to end. `on_check` is called with each new snapshot.
    """

    bucket: Bucket
    seconds: float
    context: DeployedContext
    on_check: Callable[[Snapshot], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._lock = threading.Lock()
        self._store = ModelStore(self.bucket)

    def current(self) -> Snapshot:
        """Return a snapshot that is at most `seconds` old."""
        snapshot = self._snapshot
        if snapshot and self._is_fresh(snapshot):
            return snapshot
        with self._lock:
            snapshot = self._snapshot
            if snapshot is None or not self._is_fresh(snapshot):
                snapshot = self._check(snapshot)
                self._snapshot = snapshot
                self.on_check(snapshot)
        return snapshot

    def card(self, model: Model) -> "ModelCard | None":
        """Return the model's card; None if it can't be read, because serving doesn't need it."""
        try:
            return self._store.read_card(model.version)
        except UNREACHABLE:
            return None

    def _is_fresh(self, snapshot: Snapshot) -> bool:
        seconds = self.seconds if snapshot.model else min(self.seconds, ABSENCE_SECONDS)
        return self.clock() - snapshot.checked_at < seconds

    def _check(self, last: Snapshot | None) -> Snapshot:
        model, etag = (last.model, last.etag) if last else (None, None)
        try:
            store = self._store
            pointer = store.read_pointer_if_changed(etag) if etag else store.read_pointer()
        except UNREACHABLE as error:
            return self._snapshot_of(model, etag, _unreadable("champion pointer", error))
        except BadRecord as error:
            return self._snapshot_of(model, None, str(error))
        if pointer == "unchanged":
            return self._snapshot_of(model, etag)
        if pointer is None:
            gone = ["The champion pointer is gone; the last model keeps serving."] if model else []
            return self._snapshot_of(model, None, *gone)
        return self._follow(pointer.champion, pointer.etag, model)

    def _follow(self, champion: Champion, etag: str, model: Model | None) -> Snapshot:
        """Load the champion. If that fails, keep the model, or load the previous champion."""
        if model and model.ref == champion.model:
            return self._snapshot_of(model, etag)
        troubles = []
        for ref in (champion.model, None if model else champion.previous):
            if ref is None:
                continue
            try:
                bundle = self._store.load_bundle(ref)
                loaded = Model(ref, bundle, self.context.add_to(bundle.contract))
            except BadBundle as error:
                troubles.append(f"Version {ref.version}: {error}")
            except UNREACHABLE as error:
                troubles.append(_unreadable(f"bundle of version {ref.version}", error))
            else:
                is_champion = ref == champion.model
                return self._snapshot_of(loaded, etag if is_champion else None, *troubles)
        return self._snapshot_of(model, None, *troubles)

    def _snapshot_of(self, model: Model | None, etag: str | None, *troubles: str) -> Snapshot:
        return Snapshot(model, etag, self.clock(), troubles)


def _unreadable(what: str, error: Exception) -> str:
    code = error_code(error) or type(error).__name__
    return f"The {what} can't be read from S3 ({code}); the next check tries again."
