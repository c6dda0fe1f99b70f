"""The models whose predictions are in the log, each with its own contract and reference."""

import io
import json
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adapters.s3 import Bucket
from domain import keys
from domain.errors import BadBundle, BadKey
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion
from tabular.log_objects import BAD_DATA


class NoReference(Exception):
    """A version's reference sample is missing or unusable; the message says which."""


@dataclass(frozen=True)
class Models:
    """The models bucket as the drift job sees it; bundles are read once."""

    bucket: Bucket
    _bundles: dict[str, Bundle | BadBundle] = field(default_factory=dict, repr=False)

    @cached_property
    def champion(self) -> Champion | None:
        """The pointer to what serves now."""
        stored = self.bucket.get(keys.CHAMPION)
        return Champion.from_json(stored.data) if stored else None

    @cached_property
    def versions(self) -> frozenset[str]:
        """Every version that has a bundle: no other one can have made a prediction."""
        found = set()
        for folder in self.bucket.folders(keys.BUNDLES):
            with suppress(BadKey):  # whatever else somebody put there
                found.add(keys.checked_version(folder.removeprefix(keys.BUNDLES).rstrip("/")))
        return frozenset(found)

    def bundle(self, version: str) -> Bundle:
        """A version's bundle; raises BadBundle.

        The champion's is checked against the pointer's whole hash, another one against the
        start of the hash that is in its name.
        """
        if version not in self._bundles:
            self._bundles[version] = self._loaded(version)
        loaded = self._bundles[version]
        if isinstance(loaded, BadBundle):
            raise loaded
        return loaded

    def _loaded(self, version: str) -> Bundle | BadBundle:
        stored = self.bucket.get(keys.bundle(version))
        if stored is None:
            return BadBundle(f"The bundle of version {version} is missing.")
        try:
            return Bundle.from_bytes(stored.data, self._seal(version, stored.data))
        except BadBundle as error:
            return error

    def _seal(self, version: str, data: bytes) -> str:
        if self.champion and self.champion.version == version:
            return self.champion.sha256
        sha256 = digest(data)
        return sha256 if version.endswith(f"-{sha256[:8]}") else ""

    def card(self, version: str) -> dict[str, Any]:
        """The version's model card; empty when it is missing or unreadable."""
        stored = self.bucket.get(keys.card(version))
        try:
            card = json.loads(stored.data) if stored else {}
        except ValueError:
            return {}
        return card if isinstance(card, dict) else {}

    def reference(self, version: str) -> pa.Table:
        """The sample that travels with a version, columns by log name; raises NoReference."""
        stored = self.bucket.get(keys.reference(version))
        if stored is None:
            raise NoReference(f"Version {version} has no reference sample.")
        try:
            table = pq.read_table(io.BytesIO(stored.data))
            probability = table["probability"].cast(pa.float64())
            usable = probability.null_count == 0 and pc.all(pc.is_finite(probability)).as_py()
        except (*BAD_DATA, KeyError, OSError):
            usable = False
        if not usable:
            raise NoReference(f"The reference sample of version {version} is unusable.")
        return table
