"""Weights of uploaded rows: scaled so that their mean is 1, whatever their unit.

The mean is an exact sum, so that it is the same however the rows are divided among machines.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domain.plural import write_count

Floats = npt.NDArray[np.float64]

LARGEST = 1e9
EXPECTED = "must be a number above 0, at most a billion"

_BITS = 24
"""Bits of a float32's mantissa, to which weights are rounded when they are read."""
_LOWEST = 149
"""2**-149 is the smallest float32."""


@dataclass(frozen=True, slots=True)
class WeightSums:
    """`rows`; the sum of their weights in units of 2**-(_BITS + _LOWEST); that of their squares."""

    rows: int
    total: int
    squares: float

    @classmethod
    def of(cls, weights: Floats) -> "WeightSums":
        """Sum up weights that are float32 numbers above 0."""
        mantissas, exponents = np.frexp(weights)
        whole = (mantissas * 2**_BITS).astype(np.int64)
        total = 0
        for exponent in np.unique(exponents).tolist():
            total += int(whole[exponents == exponent].sum()) << (exponent + _LOWEST)
        return cls(len(weights), total, float((weights**2).sum()))

    @classmethod
    def merge(cls, parts: Sequence["WeightSums"]) -> "WeightSums":
        """The sums of several parts."""
        return cls(
            sum(part.rows for part in parts),
            sum(part.total for part in parts),
            sum(part.squares for part in parts),
        )

    @property
    def mean(self) -> float:
        """By which weights are divided; 1 where there is no row."""
        return self.total / (self.rows << (_BITS + _LOWEST)) if self.rows else 1.0

    @property
    def effective_rows(self) -> int:
        """How many rows of equal weight are as informative (L. Kish, "Survey Sampling", 1965)."""
        return round((self.mean * self.rows) ** 2 / self.squares) if self.rows else 0

    def describe(self, column: str) -> str:
        """A sentence for the log and the manifest."""
        return (
            f"the uploaded rows are weighted by {column}, whose mean of {self.mean:.6g} becomes 1: "
            f"they are worth {write_count(self.effective_rows, 'row')} of equal weight"
        )
