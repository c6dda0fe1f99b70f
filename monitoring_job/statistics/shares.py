"""Has the share of one group changed? Exact tests, for groups that a distance overlooks."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domain.drift.drift import Method

Counts = npt.NDArray[np.int64]

CLEARLY_EQUAL = 0.05
"""The exact test takes milliseconds, so it is skipped where a fast test finds no trace of a
difference."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How many rows of the reference (`old`) and of the window (`new`) belong to one group."""

    old: int
    old_rows: int
    new: int
    new_rows: int

    @property
    def p_value(self) -> float:
        """Two-sided: Fisher's exact test, or the score test where that is above CLEARLY_EQUAL."""
        from scipy import stats

        if self.old + self.new in (0, self.old_rows + self.new_rows):
            return 1.0
        pooled = (self.old + self.new) / (self.old_rows + self.new_rows)
        error = math.sqrt(pooled * (1 - pooled) * (1 / self.old_rows + 1 / self.new_rows))
        score = 2 * float(stats.norm.sf(abs(self._difference) / error))
        if score > CLEARLY_EQUAL:
            return score
        table = [[self.old, self.old_rows - self.old], [self.new, self.new_rows - self.new]]
        return float(stats.fisher_exact(table).pvalue)

    def effect(self, method: Method) -> float:
        """The difference of the shares, their ratio, or the ratio of their odds.

        Half a row is added everywhere to ratios, so that they are finite (Haldane 1956).
        """
        if method == "share_difference":
            return self._difference
        old, new = self.old + 0.5, self.new + 0.5
        if method == "share_ratio":
            return new / (self.new_rows + 0.5) / (old / (self.old_rows + 0.5))
        old_rest, new_rest = self.old_rows - self.old + 0.5, self.new_rows - self.new + 0.5
        return new / new_rest / (old / old_rest)

    @property
    def _difference(self) -> float:
        return self.new / self.new_rows - self.old / self.old_rows


def find_most_changed(old: Counts, new: Counts) -> int:
    """Find the group whose share has changed most certainly.

    `old`, `new`: the rows of each group. Given the rows of a group on both sides, those of the
    window are binomially distributed as long as the group is small; for a large one this is
    cautious.
    """
    from scipy import stats

    total, share = old + new, new.sum() / (old.sum() + new.sum())
    tails = (stats.binom.cdf(new, total, share), stats.binom.sf(new - 1, total, share))
    return int(np.argmin(np.minimum(*tails)))
