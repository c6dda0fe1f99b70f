"""A model over whole columns, which scores bit for bit as the API does."""

from dataclasses import dataclass
from typing import Self

import numpy as np

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
from training_job.model.walk import Floats, Walk

PROVED_ROWS = 200


@dataclass(frozen=True, slots=True)
class BatchScorer:
    """A version's bundle.

    `contract`: the bundle's own, with the deployment's context columns.
    """

    version: str
    bundle: Bundle
    contract: Contract

    @classmethod
    def of(cls, version: str, bundle: Bundle, context: DeployedContext) -> Self:
        """Add the deployment's context columns to the contract."""
        return cls(version, bundle, context.add_to(bundle.contract))

    def probabilities(self, columns: Columns) -> Floats:
        """One per valid row."""
        rows, step = len(next(iter(columns.values()))), rows_per_batch(self.contract)
        walk, found = Walk(self.bundle.forest), np.empty(rows)
        for start in range(0, rows, step):
            part = {name: values[start : start + step] for name, values in columns.items()}
            found[start : start + step] = walk.probabilities(encode_columns(part, self.contract))
        return found

    def prove(self, columns: Columns) -> None:
        """Compare the first rows with the API's way to score them; raises ExportDisagrees."""
        some = {name: values[:PROVED_ROWS] for name, values in columns.items()}
        one_by_one = [self.bundle.probability(row) for row in _rows(some, self.contract)]
        if self.probabilities(some).tolist() != one_by_one:
            raise ExportDisagrees(
                f"Rows scored together by version {self.version} get other probabilities than one"
                " by one, as the API scores them: nothing was scored. Report this as a defect."
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
