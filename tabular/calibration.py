"""How far a model's probabilities are from the shares of positives, and how far chance alone goes.

Rows in order of their probability are put into ten bins, in each of which equally many rows of the
rarer class are expected. The *calibration error* is the sum of the distances between expected and
observed rows of that class, divided by all that are observed. So 0.2 means that a fifth of them is
expected in the wrong place, however rare the class is. (The usual expected calibration error has
bins of equal width and divides by all rows. Where 8 % are positive, 0.05 of it lets three times the
odds pass.)

On few rows a perfectly calibrated model has an error too. How large it gets is seen by drawing
labels from the probabilities themselves (J. Bröcker and L. Smith, "Increasing the Reliability of
Reliability Diagrams", 2007).
"""

import numpy as np
import numpy.typing as npt

from tabular.classification import Bools, Floats

BINS = 10
GROUPS = 1_024
"""Labels are drawn for at most so many groups of neighbouring probabilities."""
DRAWS = 1_000
PERCENTILE = 97.5


def calibration_error(labels: Bools, scores: Floats) -> float:
    """The error of these probabilities; at least one row of either class is needed."""
    truth, chances = _of_rarer_class(labels, scores)
    bins = _bin_rows(chances)
    gaps = np.bincount(bins, weights=chances - truth, minlength=BINS)
    return float(np.abs(gaps).sum() / np.count_nonzero(truth))


def calibration_error_by_chance(labels: Bools, scores: Floats, *, seed: int) -> float:
    """The error that a perfectly calibrated model exceeds once in forty times.

    `labels` only say which class is the rarer.
    """
    _, chances = _of_rarer_class(labels, scores)
    groups = min(GROUPS, len(chances))
    starts = np.arange(groups) * len(chances) // groups
    rows = np.diff(np.r_[starts, len(chances)])
    expected = np.add.reduceat(chances, starts)
    bins = _bin_rows(chances)[starts]
    random = np.random.default_rng(seed)
    drawn = random.binomial(rows, np.clip(expected / rows, 0, 1), size=(DRAWS, len(rows)))
    edges = np.flatnonzero(np.r_[True, bins[1:] != bins[:-1]])
    gaps = np.add.reduceat(drawn - expected, edges, axis=1)
    errors = np.abs(gaps).sum(axis=1) / np.maximum(drawn.sum(axis=1), 1)
    return float(np.percentile(errors, PERCENTILE))


def positives_are_rarer(labels: Bools) -> bool:
    """Whether at most half of the rows are positive."""
    return 2 * int(np.count_nonzero(labels)) <= len(labels)


def bin_by_mass(mass: Floats) -> npt.NDArray[np.int64]:
    """The bin of each group of rows, by the rows of the rarer class expected before it.

    `mass`: expected rows of each group, whose chances descend.
    """
    before = np.cumsum(mass) - mass
    return np.minimum((before * BINS / max(float(mass.sum()), 1e-12)).astype(np.int64), BINS - 1)


def _of_rarer_class(labels: Bools, scores: Floats) -> tuple[Bools, Floats]:
    """Truth and chance of belonging to the rarer class, in descending order of the chance."""
    truth, chances = (labels, scores) if positives_are_rarer(labels) else (~labels, 1.0 - scores)
    order = np.argsort(-chances, kind="stable")
    return truth[order], chances[order]


def _bin_rows(chances: Floats) -> npt.NDArray[np.int64]:
    """The bin of each row; equal chances stay together, in the bin of the first of them."""
    starts = np.r_[True, chances[1:] != chances[:-1]]
    first = np.maximum.accumulate(np.where(starts, np.arange(len(chances)), 0))
    return bin_by_mass(chances)[first]
