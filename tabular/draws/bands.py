"""Divide a window's predictions into bands, and draw from each with a known probability.

What the label of a row can say about F1 depends on the row's answer, and on how uncertain its
outcome is. The error of the estimate is smallest if each band gets labels in proportion to its rows
times the standard deviation of what they contribute (J. Neyman, 1934). Bands in which this product
is equal get equal numbers of labels (T. Dalenius, J. Hodges, 1959), so rows are ordered by their
score and cut there. Rows called positive and negative are cut apart.

The outcomes are not known yet. If the calibrated probabilities were trusted, rows with a low score
would get no label, and nobody would find out that outcomes have changed there. So the variance is
averaged over three worlds: one in which the probabilities hold, and two in which F1 has fallen by
FALL, because more positives are missed in the one, and because more alarms are false in the other.

Within a band rows are ordered by the contract's segments, and every k-th is taken from a random
start. So each row of a band has the same probability of being drawn, and each segment gets its
share of the band's labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabular.classification import Bools, Floats

FALL = 0.10
"""The fall of F1 that a draw is made to find."""
LABELS_PER_BAND = 15
MOST_BANDS = 20
EDGE = 1e-6
"""Chances are moved this far away from 0 and 1: no outcome is impossible."""

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Worlds:
    """The chance of each row to be positive in three worlds.

    `same`: the calibrated probabilities hold, and `f1` is expected. `missed` and `false`: F1 is
    lower by FALL, because more positives are missed or more alarms are false.
    """

    f1: float
    same: Floats
    missed: Floats
    false: Floats

    def take(self, rows: Positions) -> "Worlds":
        """The same worlds of some of the rows."""
        return Worlds(self.f1, self.same[rows], self.missed[rows], self.false[rows])


def imagine_worlds(chances: Floats, predicted: Bools) -> Worlds:
    """Make the worlds from calibrated `chances`; a change affects all rows of one answer alike."""
    same = np.clip(chances, EDGE, 1 - EDGE)
    called = float(np.count_nonzero(predicted))
    true, missed = float(same[predicted].sum()), float(same[~predicted].sum())
    f1 = 2 * true / (called + true + missed)
    goal = max(f1 - FALL, EDGE)
    added = 2 * true / goal - called - true - missed
    turned = min(added / max(len(same) - called - missed, EDGE), 1.0)
    kept = min(goal * (called + missed) / (2 - goal) / max(true, EDGE), 1.0)
    return Worlds(
        f1=f1,
        same=same,
        missed=np.clip(np.where(predicted, same, same + (1 - same) * turned), EDGE, 1 - EDGE),
        false=np.clip(np.where(predicted, same * kept, same), EDGE, 1 - EDGE),
    )


@dataclass(frozen=True)
class Band:
    """`rows`: positions of its predictions. `wanted`: how many of them are to be drawn."""

    rows: Positions
    called_positive: bool
    wanted: int

    def draw(self, random: np.random.Generator) -> Positions:
        """Take every k-th row from a random start."""
        at = (random.random() + np.arange(self.wanted)) * (len(self.rows) / self.wanted)
        return self.rows[np.minimum(at.astype(np.int64), len(self.rows) - 1)]


def cut_bands(
    *, worlds: Worlds, predicted: Bools, segments: Sequence[Positions], ids: Positions, count: int
) -> list[Band]:
    """Cut all rows into bands for `count` labels; each band gets at least one.

    `segments`: for each of the contract's segments the group of each row. `ids`: a number of each
    row's own, which orders rows that are otherwise equal, whatever the order of the table.
    """
    chances = (worlds.same, worlds.missed, worlds.false)
    variance = sum(chance * (1 - chance) for chance in chances) / len(chances)
    weights = np.where(predicted, 2 - worlds.f1, worlds.f1) * np.sqrt(variance)
    number = min(max(count // LABELS_PER_BAND, 2), MOST_BANDS)
    found: list[tuple[Positions, bool]] = []
    for answer in (True, False):
        of_answer = np.flatnonzero(predicted == answer)
        if not of_answer.size:
            continue
        share = float(weights[of_answer].sum() / weights.sum())
        order = of_answer[np.lexsort((ids[of_answer], worlds.same[of_answer]))]
        parts = _cut(order, weights[order], max(round(number * share), 1))
        found += [(part, answer) for part in parts]
    wanted = _allocate([len(rows) for rows, _ in found], count)
    return [
        Band(rows[np.lexsort((ids[rows], *(codes[rows] for codes in segments)))], answer, labels)
        for (rows, answer), labels in zip(found, wanted, strict=True)
    ]


def _cut(order: Positions, weights: Floats, number: int) -> list[Positions]:
    """Cut rows into so many parts of equal weight; fewer where one row outweighs a part."""
    whole = np.cumsum(weights)
    ends = np.searchsorted(whole, whole[-1] * np.arange(1, number) / number)
    return [part for part in np.split(order, np.unique(ends)) if part.size]


def _allocate(rows: Sequence[int], count: int) -> list[int]:
    """Give each band the same number of labels; what a small one can't use goes to the others."""
    wanted = [0] * len(rows)
    left = min(count, sum(rows))
    while left:
        usable = [band for band, size in enumerate(rows) if wanted[band] < size]
        each = max(left // len(usable), 1)
        for band in usable[:left]:
            more = min(each, rows[band] - wanted[band])
            wanted[band] += more
            left -= more
    return wanted
