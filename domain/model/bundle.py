"""The serving bundle: a model as data, sealed by the sha256 of its bytes.

One gzip-compressed JSON document holds the contract, the trees and the threshold. Nothing in
it is code, nothing is unpickled, and the hash is checked before a byte is parsed.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from domain.contract.contract import Contract
from domain.contract.encoder import Encoder
from domain.contract.feature import Value
from domain.errors import BadBundle, BadContract
from domain.model.scorer import Forest, sigmoid

if TYPE_CHECKING:
    from domain.model.shap import Explainer, Explanation

FORMAT = "mlops.circle/bundle/1"
MAXIMUM_BYTES = 16 * 1024 * 1024
"""Largest decompressed bundle that is read: four times the largest that training can make.

Decoding takes up to 21 bytes of memory for one of JSON, and the predictor has 1,024 MB.
"""
MAXIMUM_STORED_BYTES = 4 * 1024 * 1024
"""Largest compressed bundle that is read from a bucket."""
FEW_ROWS = 100
"""Fewer rows take less time one by one than together."""
BLOCK_ROWS = 1_000
"""Rows that are scored together at a time."""


@dataclass(frozen=True)
class Bundle:
    """A model ready to serve: contract, encoder and trees, and the decision threshold."""

    contract: Contract
    forest: Forest
    threshold: float

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of this bundle's own contract."""
        return Encoder(self.contract)

    def probability(self, row: tuple[Value, ...]) -> float:
        """Probability of the positive class for valid values in the contract's order."""
        return self.forest.probability(self.encoder.encode(row))

    def probabilities(self, rows: Sequence[tuple[Value, ...]]) -> list[float]:
        """Bit for bit the probability of each row."""
        if len(rows) < FEW_ROWS:
            return [self.probability(row) for row in rows]
        from domain.model.bitmaps import margins  # not needed in most cold starts

        found: list[float] = []
        for start in range(0, len(rows), BLOCK_ROWS):
            vectors = [self.encoder.encode(row) for row in rows[start : start + BLOCK_ROWS]]
            found += map(sigmoid, margins(self.forest, vectors))
        return found

    @cached_property
    def explainer(self) -> "Explainer":
        """The forest prepared for explanations."""
        from domain.model.shap import Explainer  # not needed in most cold starts

        return Explainer(self.forest)

    def explain(self, row: tuple[Value, ...]) -> "Explanation":
        """Explain valid values in the contract's order; one-hot columns are summed per feature."""
        from domain.model.shap import Explanation

        columns = iter(self.explainer.contributions(self.encoder.encode(row)))
        return Explanation(
            self.explainer.expected,
            {
                feature.name: sum(next(columns) for _ in feature.encoded_names)
                for feature in self.contract.features
            },
        )

    def to_bytes(self) -> bytes:
        """Deterministic bytes: equal models have equal hashes."""
        document = {
            "format": FORMAT,
            "contract": self.contract.to_dict(),
            "threshold": self.threshold,
            "forest": self.forest.to_dict(),
        }
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return gzip.compress(text.encode(), mtime=0)

    @classmethod
    def from_bytes(cls, data: bytes, sha256: str) -> "Bundle":
        """Check the seal, then decode; raises BadBundle for anything that isn't a bundle."""
        if digest(data) != sha256:
            raise BadBundle("The bundle's bytes don't match the hash it was promoted with.")
        document = _decompress(data)
        if document.get("format") != FORMAT:
            raise BadBundle("The bundle is of an unknown format.")
        try:
            contract = Contract.from_dict(document["contract"])
            threshold = document["threshold"]
            forest = Forest.from_dict(document["forest"], len(contract.encoded_names))
        except (
            KeyError,
            TypeError,
            ValueError,
            OverflowError,
            AttributeError,
            BadContract,
        ) as error:
            raise BadBundle(f"The bundle can't be decoded ({type(error).__name__}).") from None
        is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
        if not is_number or not 0 <= threshold <= 1:  # true for NaN too
            raise BadBundle("The bundle's threshold is not a probability.")
        return cls(contract=contract, forest=forest, threshold=float(threshold))


def digest(data: bytes) -> str:
    """The seal of a bundle: hex sha256 of its bytes."""
    return hashlib.sha256(data).hexdigest()


def _decompress(data: bytes) -> Mapping[str, Any]:
    decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        text = decoder.decompress(data, MAXIMUM_BYTES)
        if not decoder.eof or decoder.unused_data:
            raise BadBundle("The bundle is truncated, too large, or followed by something else.")
        document = json.loads(text)
    except (zlib.error, ValueError, RecursionError) as error:
        raise BadBundle(f"The bundle can't be read ({type(error).__name__}).") from None
    if not isinstance(document, dict):
        raise BadBundle("The bundle is not a JSON object.")
    return document
