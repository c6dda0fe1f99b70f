"""Metrics of a classifier with intervals: F1, precision and recall from counts, and ROC AUC.

Drawing n rows with replacement, and counting how many fall into each of k cells, is exactly one
draw from a multinomial distribution. These figures depend on the confusion matrix only, so a
resample is a redrawn confusion matrix, and no row has to be drawn.

Equal rows may come as one line: `counts` says how many rows each line stands for, and is None where
each line is one row.

A figure whose denominator is zero is undefined, not zero: precision without a positive prediction,
recall without a positive label, F1 without either. It is None where the data leave it undefined,
and resamples that leave it undefined do not count towards the interval.

Method: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13 (percentile
intervals).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domain.interval import Interval

RESAMPLES = 2_000
FIGURES = ("f1", "precision", "recall")
GROUP_FIGURES = (*FIGURES, "selection_rate", "false_positive_rate")
"""What is compared between groups of people, too. Recall is the true positive rate."""
Z95 = 1.959964
"""Quantile of the normal distribution for 95 % intervals."""
_TAILS = (2.5, 97.5)

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """One figure, and its values in the resamples; NaN where it is undefined."""

    value: float
    resampled: Floats

    @property
    def interval(self) -> Interval | None:
        """The figure with its 95 % interval; None when it is undefined."""
        return None if np.isnan(self.value) else percentile_interval(self.value, self.resampled)

    def percentile(self, percent: float) -> float:
        """The value that `percent` of the resamples do not exceed."""
        return float(np.nanpercentile(self.resampled, percent))


def bootstrap_figures(
    labels: Bools,
    predicted: Bools,
    *,
    seed: int,
    resamples: int = RESAMPLES,
    counts: Counts | None = None,
) -> dict[str, Bootstrapped]:
    """Bootstrap F1, precision and recall. `labels`, `predicted`: one truth value per row."""
    cells = count_cells(2 * labels + predicted, 4, counts)
    return _bootstrap(FIGURES, cells, seed, resamples)


def _bootstrap(
    names: Iterable[str], cells: Counts, seed: int, resamples: int
) -> dict[str, Bootstrapped]:
    values = count_figures(cells[None, :])
    resampled = count_figures(resample(cells, seed, resamples))
    return {name: Bootstrapped(float(values[name][0]), resampled[name]) for name in names}


def count_cells(cells: npt.NDArray[np.integer], size: int, counts: Counts | None) -> Counts:
    """Count rows whose cell is a number below `size`."""
    if counts is None:
        return np.bincount(cells, minlength=size)
    # Sums of whole numbers below 2**53 are exact in float64.
    return np.bincount(cells, weights=counts, minlength=size).astype(np.int64)


def confusion_intervals(
    labels: Bools,
    predicted: Bools,
    *,
    seed: int,
    resamples: int = RESAMPLES,
    counts: Counts | None = None,
) -> dict[str, Interval | None]:
    """F1, precision and recall with their 95 % intervals; None where a figure is undefined."""
    found = bootstrap_figures(labels, predicted, seed=seed, resamples=resamples, counts=counts)
    return {name: figure.interval for name, figure in found.items()}


def group_intervals(
    labels: Bools,
    predicted: Bools,
    *,
    seed: int,
    resamples: int = RESAMPLES,
    counts: Counts | None = None,
) -> dict[str, Interval | None]:
    """The GROUP_FIGURES of one group's rows with their 95 % intervals; None where undefined.

    The selection rate is the share of rows that are called positive, the false positive rate that
    of the negative rows. They are defined as in fairlearn, but for what is undefined there: 0.
    """
    cells = count_cells(2 * labels + predicted, 4, counts)
    found = _bootstrap(GROUP_FIGURES, cells, seed, resamples)
    return {name: figure.interval for name, figure in found.items()}


def resample(cells: Counts, seed: int, resamples: int) -> Counts:
    """Redraw the counts of all cells together; one line per resample."""
    total = int(cells.sum())
    return np.random.default_rng(seed).multinomial(total, cells / total, size=resamples)


def percentile_interval(value: float, resampled: Floats) -> Interval:
    """A value with the 95 % percentile interval of its resamples; NaN ones do not count."""
    low, high = np.nanpercentile(resampled, _TAILS)
    return Interval(value, float(low), float(high))


def divide(above: Counts | Floats, below: Counts | Floats) -> Floats:
    """Divide counts; NaN where the denominator is zero."""
    with np.errstate(invalid="ignore"):
        return np.asarray(above / below, dtype=np.float64)


def count_figures(cells: Counts | Floats) -> dict[str, Floats]:
    """The GROUP_FIGURES of each line ``[tn, fp, fn, tp]``; NaN where undefined."""
    tn, fp, fn, tp = cells.T
    return {
        "f1": divide(2 * tp, 2 * tp + fp + fn),
        "precision": divide(tp, tp + fp),
        "recall": divide(tp, tp + fn),
        "selection_rate": divide(tp + fp, tn + fp + fn + tp),
        "false_positive_rate": divide(fp, fp + tn),
    }


def roc_auc_interval(labels: Bools, scores: Floats) -> Interval | None:
    """ROC AUC with its 95 % interval; None with fewer than two rows of either class.

    DeLong, DeLong & Clarke-Pearson (1988), computed from mid-ranks.
    """
    from scipy.stats import rankdata

    positive, negative = scores[labels], scores[~labels]
    if len(positive) < 2 or len(negative) < 2:
        return None
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[: len(positive)] - rankdata(positive)) / len(negative)
    below = 1 - (ranks[len(positive) :] - rankdata(negative)) / len(positive)
    variance = np.var(above, ddof=1) / len(positive) + np.var(below, ddof=1) / len(negative)
    value, margin = float(np.mean(above)), Z95 * float(np.sqrt(variance))
    return Interval(value, max(0.0, value - margin), min(1.0, value + margin))
