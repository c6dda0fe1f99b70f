"""The models whose predictions are in the log, each with its own contract and reference."""

import io
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain.contract.contract import Contract
from domain.contract.deployed_context import DeployedContext
from domain.errors import BadBundle
from domain.model.bundle import Bundle
from domain.model.card import ModelCard
from domain.model.champion import Champion
from tabular.footers import BAD_DATA


class NoReference(Exception):
    """A version's reference sample is missing or unusable; the message says which."""


@dataclass(frozen=True)
class Models:
    """The models bucket as the drift job sees it; bundles are read once.

    `context`: the deployment's, which it adds to the contract of every version.
    """

    bucket: Bucket
    context: DeployedContext = field(default_factory=DeployedContext)
    _bundles: dict[str, Bundle | BadBundle] = field(default_factory=dict, repr=False)

    @property
    def _store(self) -> ModelStore:
        return ModelStore(self.bucket)

    @cached_property
    def champion(self) -> Champion | None:
        """The pointer to what serves now."""
        return self._store.read_champion()

    @cached_property
    def versions(self) -> frozenset[str]:
        """Every version that has a bundle: no other one can have made a prediction."""
        return self._store.list_versions()

    def bundle(self, version: str) -> Bundle:
        """A version's bundle; raises BadBundle.

        The champion's is checked against the pointer's whole hash, another one against the
        start of the hash that is in its name.
        """
        if version not in self._bundles:
            self._bundles[version] = self._load(version)
        loaded = self._bundles[version]
        if isinstance(loaded, BadBundle):
            raise loaded
        return loaded

    def contract(self, version: str) -> Contract:
        """A version's contract with the deployment's context; raises BadBundle."""
        return self.context.add_to(self.bundle(version).contract)

    def _load(self, version: str) -> Bundle | BadBundle:
        champion = self.champion
        serves = champion is not None and champion.version == version
        try:
            model = champion.model if champion and serves else self._store.find_model(version)
            return self._store.load_bundle(model)
        except BadBundle as error:
            return error

    def card(self, version: str) -> ModelCard | None:
        """The version's model card; None when it is missing or damaged."""
        return self._store.read_card(version)

    def reference(self, version: str) -> pa.Table:
        """The sample that travels with a version, columns by log name; raises NoReference."""
        data = self._store.read_reference(version)
        if data is None:
            raise NoReference(f"Version {version} has no reference sample.")
        try:
            table = pq.read_table(io.BytesIO(data))
            probability = table["probability"].cast(pa.float64())
            usable = probability.null_count == 0 and pc.all(pc.is_finite(probability)).as_py()
        except (*BAD_DATA, KeyError, OSError):
            usable = False
        if not usable:
            raise NoReference(f"The reference sample of version {version} is unusable.")
        return table
