"""Counts of rows per cell, where each row counts as often as its weight says.

Weights come from few groups of predictions, so rows of equal weight are counted together, redrawn
together, and weighted afterwards. A resample then is a redrawn table of counts, as without weights.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from tabular.classification import Counts, Floats, count_cells, resample

MOST_KINDS = 1_000
"""If there are more different weights, neighbours are counted together, at their mean."""


@dataclass(frozen=True, slots=True)
class WeightedCells:
    """`counts`: rows by kind of weight and cell. `weights`: of each kind."""

    counts: Counts
    weights: Floats

    @classmethod
    def count(
        cls,
        cells: npt.NDArray[np.integer],
        size: int,
        weights: Floats | None,
        counts: Counts | None = None,
    ) -> Self:
        """Count rows whose cell is a number below `size`.

        `weights`: how much each row counts. `counts`: for how many rows each line stands.
        """
        if weights is None:
            return cls(count_cells(cells, size, counts)[None, :], np.ones(1))
        kinds, kind = np.unique(weights, return_inverse=True)
        if len(kinds) > MOST_KINDS:
            kind = kind * MOST_KINDS // len(kinds)
            rows = np.ones(len(kind)) if counts is None else counts
            totals = np.bincount(kind, weights=rows * weights, minlength=MOST_KINDS)
            kinds = totals / np.maximum(count_cells(kind, MOST_KINDS, counts), 1)
        found = count_cells(kind * size + cells, len(kinds) * size, counts)
        return cls(found.reshape(len(kinds), size), kinds)

    @property
    def value(self) -> Floats:
        """The weight in each cell."""
        return np.asarray(self.weights @ self.counts, dtype=np.float64)

    def redraw(self, seed: int, resamples: int) -> Floats:
        """The weight in each cell of each resample."""
        drawn = resample(self.counts.ravel(), seed, resamples)
        if len(self.weights) == 1:
            return np.asarray(drawn * self.weights[0], dtype=np.float64)
        each = drawn.reshape(resamples, *self.counts.shape)
        return np.asarray(np.einsum("rkc,k->rc", each, self.weights), dtype=np.float64)
