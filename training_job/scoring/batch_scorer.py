"""A model over whole columns, in XGBoost, proved against the bundle's own scorer."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import xgboost as xgb

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain.contract.contract import Contract
from domain.contract.deployed_context import NO_CONTEXT, DeployedContext
from domain.contract.feature import Value
from domain.contract.file_values import MISSING
from domain.errors import BadBundle
from domain.model.bundle import Bundle
from training_job.dataset.validation import Columns
from training_job.errors import ExportDisagrees, NothingToScoreWith
from training_job.model.encoding import encode_columns, rows_per_batch
from training_job.model.model import Probabilities, predict
from training_job.model.proof import TOLERANCE
from training_job.model.rebuild import rebuild

PROVED_ROWS = 200


@dataclass(frozen=True, slots=True)
class BatchScorer:
    """A version's bundle and the booster made from it.

    `contract`: the bundle's own, with the deployment's context columns.
    """

    version: str
    bundle: Bundle
    booster: xgb.Booster
    contract: Contract

    @classmethod
    def of(cls, version: str, bundle: Bundle, context: DeployedContext) -> Self:
        """Rebuild the booster; raises BadBundle."""
        columns = len(bundle.contract.encoded_names)
        contract = context.add_to(bundle.contract)
        return cls(version, bundle, rebuild(bundle.forest, columns), contract)

    def probabilities(self, columns: Columns) -> Probabilities:
        """One per valid row."""
        rows, step = len(next(iter(columns.values()))), rows_per_batch(self.contract)
        found = np.empty(rows, np.float32)
        for start in range(0, rows, step):
            part = {name: values[start : start + step] for name, values in columns.items()}
            found[start : start + step] = predict(self.booster, encode_columns(part, self.contract))
        return found

    def prove(self, columns: Columns) -> None:
        """Compare both scorers on the first rows; raises ExportDisagrees."""
        some = {name: values[:PROVED_ROWS] for name, values in columns.items()}
        slow = [self.bundle.probability(row) for row in _rows(some, self.contract)]
        difference = float(np.max(np.abs(self.probabilities(some) - slow), initial=0.0))
        if not difference <= TOLERANCE:
            raise ExportDisagrees(
                f"XGBoost scores version {self.version} differently from its bundle, by"
                f" {difference:.2g}: nothing was scored. Promote a model trained with this version"
                " of the code, then score again."
            )


def load(models: Bucket, version: str | None, context: DeployedContext = NO_CONTEXT) -> BatchScorer:
    """The named version, or the champion, with the deployment's context columns.

    Raises NothingToScoreWith.

    The bundle's bytes are checked against the pointer's hash, or the one in the version's name.
    """
    store = ModelStore(models)
    champion = store.read_champion()
    try:
        if champion is not None and version in (None, champion.version):
            model = champion.model
        elif version is not None:
            model = store.find_model(version)
        else:
            raise NothingToScoreWith("No model serves yet: train one, then score again.")
        return BatchScorer.of(model.version, store.load_bundle(model), context)
    except BadBundle as error:
        named = version or (champion.version if champion else "")
        raise NothingToScoreWith(f"Version {named} can't be used: {error}") from None


def _rows(columns: Columns, contract: Contract) -> list[tuple[Value, ...]]:
    """Checked columns row by row in the contract's order, None for missing."""
    listed: list[list[Value]] = []
    for feature in contract.features:
        values = columns[feature.name].tolist()
        if feature.kind == "category":
            listed.append([None if v == MISSING else feature.categories[v] for v in values])
        elif feature.kind == "flag":
            listed.append([None if v == MISSING else v for v in values])
        else:
            listed.append([None if v != v else v for v in values])  # noqa: PLR0124 - NaN differs from itself
    return list(zip(*listed, strict=True))
