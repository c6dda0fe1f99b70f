"""How likely a draw of so many labels is to find a fall of F1, simulated before anything is drawn.

The whole procedure is simulated, with its own rule: predictions are drawn, their labels come from
one of the imagined worlds, and F1 is estimated from them.
"""

from collections.abc import Sequence

import numpy as np

from domain.drift.drawn_performance import SINGLE_DRAW_P
from domain.drift.performance import MARGIN
from tabular.classification import Bools
from tabular.draws.bands import Band, Worlds
from tabular.draws.change import likelihood_ratio
from tabular.draws.estimate import BandCounts, estimate_figures

DRAWS = 500


def find_power(bands: Sequence[Band], worlds: Worlds, random: np.random.Generator) -> float:
    """The probability to find the fall, in that world of a lower F1 where it is harder to find.

    `bands`: of all rows that `worlds` are of, with the numbers of labels that they are to get.
    """
    rows = [np.concatenate([band.draw(random) for band in bands]) for _ in range(DRAWS)]
    drawn = worlds.take(np.array(rows))
    chance = random.random(drawn.same.shape)
    bound = float(np.quantile(likelihood_ratio(chance < drawn.same, drawn), 1 - SINGLE_DRAW_P))
    return min(_count_found(bands, drawn, chance < at, bound) for at in (drawn.missed, drawn.false))


def _count_found(bands: Sequence[Band], drawn: Worlds, labels: Bools, bound: float) -> float:
    """The share of draws, one a line, in which the fall is found."""
    wanted = np.array([float(band.wanted) for band in bands])
    counts = BandCounts(
        rows=np.array([float(len(band.rows)) for band in bands]),
        called_positive=np.array([band.called_positive for band in bands]),
        labelled=wanted,
    )
    starts = np.cumsum([0, *wanted[:-1]]).astype(np.int64)
    positives = np.add.reduceat(labels, starts, axis=1, dtype=np.float64)
    f1 = estimate_figures(counts, positives).f1.value
    found = (f1 <= drawn.f1 - MARGIN) & (likelihood_ratio(labels, drawn) >= bound)
    return float(np.mean(found))
