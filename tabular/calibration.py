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

from tabular.classification import Bools, Counts, Floats

BINS = 10
GROUPS = 1_024
"""Labels are drawn for at most so many groups of neighbouring probabilities."""
DRAWS = 1_000
PERCENTILE = 97.5


def calibration_error(labels: Bools, scores: Floats, counts: Counts | None = None) -> float:
    """The error of these probabilities; at least one row of either class is needed.

    `counts`: see `tabular.classification`.
    """
    truth, chances, rows = _of_rarer_class(labels, scores, counts)
    bins = _bin_rows(chances, rows)
    gaps = np.bincount(bins, weights=rows * (chances - truth), minlength=BINS)
    return float(np.abs(gaps).sum() / rows[truth].sum())


def calibration_error_by_chance(
    labels: Bools, scores: Floats, *, seed: int, counts: Counts | None = None
) -> float:
    """The error that a perfectly calibrated model exceeds once in forty times.

    `labels` only say which class is the rarer. `counts`: see `tabular.classification`.
    """
    _, chances, each = _of_rarer_class(labels, scores, counts)
    ends = np.cumsum(each)
    total = int(ends[-1])
    groups = min(GROUPS, total)
    starts = np.arange(groups) * total // groups
    rows = np.diff(np.r_[starts, total])
    mass = np.interp(np.r_[starts, total], np.r_[0, ends], np.r_[0.0, np.cumsum(each * chances)])
    expected = np.diff(mass)
    bins = _bin_rows(chances, each)[np.searchsorted(ends, starts, side="right")]
    random = np.random.default_rng(seed)
    drawn = random.binomial(rows, np.clip(expected / rows, 0, 1), size=(DRAWS, len(rows)))
    edges = np.flatnonzero(np.r_[True, bins[1:] != bins[:-1]])
    gaps = np.add.reduceat(drawn - expected, edges, axis=1)
    errors = np.abs(gaps).sum(axis=1) / np.maximum(drawn.sum(axis=1), 1)
    return float(np.percentile(errors, PERCENTILE))


def positives_are_rarer(labels: Bools, counts: Counts | None = None) -> bool:
    """Whether at most half of the rows are positive."""
    if counts is None:
        return 2 * int(np.count_nonzero(labels)) <= len(labels)
    return 2 * int(counts[labels].sum()) <= int(counts.sum())


def bin_by_mass(mass: Floats) -> npt.NDArray[np.int64]:
    """The bin of each group of rows, by the rows of the rarer class expected before it.

    `mass`: expected rows of each group, whose chances descend.
    """
    before = np.cumsum(mass) - mass
    return np.minimum((before * BINS / max(float(mass.sum()), 1e-12)).astype(np.int64), BINS - 1)


def _of_rarer_class(
    labels: Bools, scores: Floats, counts: Counts | None
) -> tuple[Bools, Floats, Counts]:
    """Truth and chance of belonging to the rarer class, in descending order of the chance; rows."""
    rarer = positives_are_rarer(labels, counts)
    truth, chances = (labels, scores) if rarer else (~labels, 1.0 - scores)
    order = np.argsort(-chances, kind="stable")
    rows = np.ones(len(order), np.int64) if counts is None else counts[order]
    return truth[order], chances[order], rows


def _bin_rows(chances: Floats, rows: Counts) -> npt.NDArray[np.int64]:
    """The bin of each line; equal chances stay together, in the bin of the first of them."""
    starts = np.r_[True, chances[1:] != chances[:-1]]
    first = np.maximum.accumulate(np.where(starts, np.arange(len(chances)), 0))
    return bin_by_mass(rows * chances)[first]
