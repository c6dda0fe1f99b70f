"""The current champion as an evaluation finds it, and its answers to the test rows."""

from dataclasses import dataclass

import numpy as np

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain.contract.contract import Contract
from domain.contract.objective import Metric
from domain.errors import BadBundle
from domain.model.bundle import Bundle
from domain.model.champion import Champion
from domain.model.gate.evidence import Case, Unscorable
from tabular.classification import Bools, Floats
from training_job.dataset.dataset import Split
from training_job.model.encoding import encode, rows_per_batch
from training_job.model.walk import Walk
from training_job.promotion.pointer import read_pointer


@dataclass(frozen=True, slots=True)
class Incumbent:
    """The champion pointer with its ETag, and the champion's bundle where it can be scored.

    `etag` and `champion` are None when nothing serves yet. Where a champion can't be scored on the
    test rows, `bundle` is None and `unscorable` says why.
    """

    etag: str | None = None
    champion: Champion | None = None
    bundle: Bundle | None = None
    unscorable: Unscorable | None = None

    @classmethod
    def read(cls, models: Bucket, contract: Contract) -> "Incumbent":
        """Look at the pointer and load the model it names."""
        store = ModelStore(models)
        pointer = read_pointer(store)
        if pointer is None:
            return cls()
        champion = pointer.champion
        bundle = _load(store, champion)
        if bundle is None:
            case: Case = "bundle_damaged"
        elif bundle.contract.version != contract.version:
            case = "contract_changed"
        else:
            return cls(pointer.etag, champion, bundle)
        recorded = _read_recorded(store, champion.version, contract.objective.metric)
        return cls(pointer.etag, champion, unscorable=Unscorable(champion.version, case, recorded))

    @property
    def version(self) -> str | None:
        """The champion's version; None when nothing serves yet."""
        return self.champion.version if self.champion else None

    def predict(self, test: Split) -> Bools:
        """The champion's answers to the test rows; ValueError if it can't be scored."""
        scores = self.score(test)
        return np.asarray(scores >= self.bundle.threshold) if self.bundle else np.empty(0, bool)

    def score(self, rows: Split) -> Floats:
        """The champion's probabilities for rows; ValueError if it can't be scored."""
        if self.bundle is None:
            raise ValueError("No champion can be scored on these rows.")
        contract = self.bundle.contract
        walk = Walk(self.bundle.forest)
        parts = (encode(part.table, contract) for part in rows.batches(rows_per_batch(contract)))
        return np.concatenate([np.empty(0), *(walk.probabilities(matrix) for matrix in parts)])


def _load(store: ModelStore, champion: Champion) -> Bundle | None:
    try:
        return store.load_bundle(champion.model)
    except BadBundle:
        return None


def _read_recorded(store: ModelStore, version: str, metric: Metric) -> float | None:
    """The test metric on a version's own card; None where it, or the card, isn't there."""
    card = store.read_card(version)
    return card.metrics.get(metric) if card else None
