"""Do drawn labels contradict the calibrated probabilities, towards a lower F1?

The likelihood of the labels in the two worlds of a lower F1 is compared with that in the world
where the probabilities hold (J. Neyman, E. Pearson, 1933). How large this ratio gets by chance is
simulated: labels are drawn from the probabilities again and again (G. Barnard, 1963).
"""

import numpy as np

from tabular.classification import Bools, Floats
from tabular.draws.bands import Worlds

ROUNDS, ROUND = 10, 500
"""Simulated draws, so many at a time."""
SEED = 0
"""A repeated run simulates the same labels, and so finds the same p-value."""


def likelihood_ratio(labels: Bools, worlds: Worlds) -> Floats:
    """Logarithm of the ratio for one or many lines of labels, of the rows that `worlds` are of."""
    same, *worse = (
        np.sum(np.where(labels, np.log(chances), np.log1p(-chances)), axis=-1)
        for chances in (worlds.same, worlds.missed, worlds.false)
    )
    return np.asarray(np.logaddexp(*worse) - same)


def find_p_value(labels: Bools, worlds: Worlds) -> float:
    """The p-value: how often the probabilities themselves bring labels that speak so for worse."""
    random = np.random.default_rng(SEED)
    found = float(likelihood_ratio(labels, worlds))
    as_large = 0
    for _ in range(ROUNDS):
        simulated = random.random((ROUND, labels.size)) < worlds.same
        as_large += int(np.count_nonzero(likelihood_ratio(simulated, worlds) >= found))
    return (1 + as_large) / (1 + ROUNDS * ROUND)
