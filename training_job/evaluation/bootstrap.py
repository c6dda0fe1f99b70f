"""Confidence intervals by the percentile bootstrap, from counts alone.

As in `tabular.classification`, a resample is a redrawn table of counts. A paired difference of a
metric comes from the cells (label, challenger's answer, champion's answer).

Method: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13 (percentile
intervals); paired on the same rows as in P. Koehn, "Statistical Significance Tests for Machine
Translation Evaluation" (EMNLP 2004).
"""

from dataclasses import dataclass

import numpy as np

from domain.contract.gate_limits import SegmentMetric
from domain.contract.objective import Objective
from domain.interval import Interval
from tabular.classification import (
    RESAMPLES,
    Bools,
    Counts,
    Floats,
    count_figures,
    percentile_interval,
    resample,
)
from training_job.model.objective import count_answers, evaluate_counts


@dataclass(frozen=True, slots=True)
class Change:
    """The challenger's metric minus the champion's, and the standard error of that."""

    interval: Interval
    standard_error: float


def paired_change(
    metric: Objective | SegmentMetric,
    labels: Bools,
    challenger: Bools,
    champion: Bools,
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> Change | None:
    """Compare two models' answers to the same rows by an objective's metric, or by a named one.

    None when the metric is undefined for either, such as F1 where no row is positive and none is
    called positive.
    """
    cells = np.bincount(4 * labels + 2 * challenger + champion, minlength=8)
    value = _change(metric, cells)
    if np.isnan(value):
        return None
    drawn = _change(metric, resample(cells, seed, resamples))
    return Change(percentile_interval(float(value), drawn), float(np.nanstd(drawn)))


def _change(metric: Objective | SegmentMetric, cells: Counts) -> Floats:
    """The change per line of the cells (label, challenger, champion)."""
    each = cells.reshape(-1, 2, 2, 2)
    challenger, champion = each.sum(axis=3).reshape(-1, 4), each.sum(axis=2).reshape(-1, 4)
    change = _evaluate(metric, challenger) - _evaluate(metric, champion)
    return change if cells.ndim > 1 else np.asarray(change[0])


def _evaluate(metric: Objective | SegmentMetric, counts: Counts) -> Floats:
    if isinstance(metric, Objective):
        return evaluate_counts(metric, counts)
    return count_figures(counts)[metric]


def metric_interval(
    objective: Objective, labels: Bools, predicted: Bools, *, seed: int
) -> Interval | None:
    """The objective's metric with its 95 % interval; None where it is undefined."""
    counts = count_answers(labels, predicted)
    value = float(evaluate_counts(objective, counts))
    if np.isnan(value):
        return None
    drawn = evaluate_counts(objective, resample(counts, seed, RESAMPLES))
    return percentile_interval(value, drawn)
