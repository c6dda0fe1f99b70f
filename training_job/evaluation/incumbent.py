"""The champion as an evaluation finds it: what serves, and what it says on the test rows."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain.contract.contract import Contract
from domain.contract.feature import Value
from domain.errors import BadBundle
from domain.model.bundle import Bundle
from domain.model.champion import Champion
from domain.model.gate import Case, Unscorable
from training_job.evaluation.bootstrap import Bools


@dataclass(frozen=True, slots=True)
class Incumbent:
    """The pointer with its ETag, and the model behind it, unless that can't be used here.

    `etag` and `champion` are None when there is none; `unscorable` says why `bundle` is None.
    """

    etag: str | None = None
    champion: Champion | None = None
    bundle: Bundle | None = None
    unscorable: Unscorable | None = None

    @classmethod
    def read(cls, models: Bucket, contract: Contract) -> "Incumbent":
        """Look at the pointer and load the model it names."""
        store = ModelStore(models)
        pointer = store.read_pointer()
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
        recorded = _recorded_f1(store, champion.version)
        return cls(pointer.etag, champion, unscorable=Unscorable(champion.version, case, recorded))

    def predict(self, rows: Iterable[tuple[Value, ...]]) -> Bools:
        """The champion's answers to rows of the contract it was loaded with."""
        if self.bundle is None:
            raise ValueError("There is no champion that can be scored.")
        bundle = self.bundle
        answers = (bundle.probability(row) >= bundle.threshold for row in rows)
        return np.fromiter(answers, np.bool_)


def _load(store: ModelStore, champion: Champion) -> Bundle | None:
    try:
        return store.load_bundle(champion.model)
    except BadBundle:
        return None


def _recorded_f1(store: ModelStore, version: str) -> float | None:
    """The test F1 on a version's own card; None when there is none to read."""
    try:
        card = store.read_card(version) or {}
        return float(card["metrics"]["f1"])
    except (ValueError, KeyError, TypeError):  # a damaged card is a ValueError too
        return None
