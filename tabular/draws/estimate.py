"""F1, precision and recall of a window, estimated from the labels of a stratified draw.

A window's predictions are divided into bands; those of one band are all called positive or all
called negative. It is known how many `rows` each band has. Some of them were drawn, and the drawn
ones have labels. The figures rest on three totals:

- P, the rows that are called positive, which is known;
- T, the true positives among them;
- M, the missed positives among the rows that are called negative.

The false alarms P - T and the missed positives M are sums over the bands of rows times the share
of such labels (D. Horvitz, D. Thompson, 1952). Precision is T / P, F1 is a function of T / (P + M),
and recall one of T / M. T and M are independent, because no band holds both kinds of rows, so the
bounds of both ratios come from those of T and M (A. Donner, G. Zou, "Closed-form confidence
intervals for functions of the normal mean and standard deviation", 2012).

Where a band shows no error among its few labels, a linearised variance would be zero, and the
interval a single point. Both totals are sums of few and rare errors with unequal weights, so their
distribution is skewed. Therefore the bounds are gamma quantiles (M. Fay, E. Feuer, "Confidence
intervals for directly standardized rates", 1997; the upper one by the mean weight, as R. Tiwari et
al., 2006).

All functions work on the last axis, one entry per band, so that many draws are estimated at once.
"""

from dataclasses import dataclass

import numpy as np

from tabular.classification import Bools, Floats

LOW = 0.025
"""Probability below the 95 % interval."""


@dataclass(frozen=True)
class Bounds:
    """Estimates with the bounds of their 95 % interval; NaN where undefined."""

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Figures:
    """The figures of one draw, or of many."""

    f1: Bounds
    precision: Bounds
    recall: Bounds


@dataclass(frozen=True)
class BandCounts:
    """How many predictions each band has, how they are called, and how many have a label."""

    rows: Floats
    called_positive: Bools
    labelled: Floats


def estimate_figures(bands: BandCounts, positives: Floats) -> Figures:
    """Estimate the figures; `positives`: the labels of each band that are positive.

    Each band has at least one label.
    """
    rows, called_positive, labelled = bands.rows, bands.called_positive, bands.labelled
    called = float(np.sum(rows, where=called_positive))
    negatives = labelled - positives
    false = _bound_errors(bands, called_positive, negatives)
    missed = _bound_errors(bands, ~called_positive, positives)
    true = Bounds(called - false.value, np.maximum(called - false.high, 0.0), called - false.low)
    wrong = Bounds(called + missed.value, called + missed.low, called + missed.high)
    with np.errstate(divide="ignore", invalid="ignore"):
        jaccard, odds = _divide(true, wrong), _divide(true, missed)
        return Figures(
            f1=Bounds(*(2 * each / (1 + each) for each in _parts(jaccard))),
            precision=Bounds(*(each / called for each in _parts(true))),
            recall=Bounds(*(1 / (1 + 1 / each) for each in _parts(odds))),
        )


def _bound_errors(bands: BandCounts, which: Bools, errors: Floats) -> Bounds:
    """How many rows of the bands `which` are called wrongly; `errors`: labels that show it."""
    rows, labelled = bands.rows[which], bands.labelled[which]
    errors, weights = errors[..., which], rows / labelled
    # The variance is smaller by this factor where the draw is a large part of the band.
    correction = (rows - labelled) / np.maximum(rows - 1, 1)
    value = np.sum(weights * errors, axis=-1)
    spread = weights**2 * correction
    variance = np.sum(spread * errors * (1 - errors / labelled), axis=-1)
    # An interval must reach errors that weren't drawn but could have been: one more of them.
    uncertain = correction > 0
    bands_left = max(int(np.count_nonzero(uncertain)), 1)
    one_more, its_variance = np.sum(weights * uncertain) / bands_left, np.sum(spread) / bands_left
    low = _gamma_quantile(LOW, value, variance)
    high = _gamma_quantile(1 - LOW, value + one_more, variance + its_variance)
    return Bounds(value, np.minimum(low, value), np.maximum(high, value))


def _gamma_quantile(level: float, mean: Floats, variance: Floats) -> Floats:
    """Quantile of the gamma distribution of that mean and variance; the mean where both vanish."""
    from scipy.special import gammaincinv

    is_spread = (mean > 0) & (variance > 0)
    shape = np.where(is_spread, mean, 1.0) ** 2 / np.where(is_spread, variance, 1.0)
    scale = np.where(is_spread, variance, 0.0) / np.where(is_spread, mean, 1.0)
    return np.asarray(np.where(is_spread, scale * gammaincinv(shape, level), mean))


def _parts(bounds: Bounds) -> tuple[Floats, Floats, Floats]:
    return bounds.value, bounds.low, bounds.high


def _divide(above: Bounds, below: Bounds) -> Bounds:
    """The ratio of two independent totals; its bounds are where their difference may be zero."""
    t, a, c = above.value, above.value - above.low, above.high - above.value
    d, b, e = below.value, below.high - below.value, below.value - below.low
    low = (t**2 - a**2) / (t * d + np.sqrt((d * a) ** 2 + b**2 * (t**2 - a**2)))
    # Both terms under the root are of the same kind as below it, so it is never negative.
    high = (t * d + np.sqrt(np.maximum((d * c) ** 2 + e**2 * (t**2 - c**2), 0.0))) / (d**2 - e**2)
    return Bounds(t / d, low, high)
