"""Confidence intervals by the percentile bootstrap, from counts alone.

As in `tabular.classification`, a resample is a redrawn table of counts. A paired difference of a
metric comes from the cells (label, challenger's answer, champion's answer).

Method: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13 (percentile
intervals); paired on the same rows as in P. Koehn, "Statistical Significance Tests for Machine
Translation Evaluation" (EMNLP 2004).
"""

from collections.abc import Iterable
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
)
from training_job.evaluation.weighted_cells import WeightedCells
from training_job.model.objective import evaluate_counts


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
    weights: Floats | None = None,
    counts: Counts | None = None,
) -> Change | None:
    """Compare two models' answers to the same rows by an objective's metric, or by a named one.

    `weights`: how much each row counts. `counts`: see `tabular.classification`.

    None when the metric is undefined for either, such as F1 where no row is positive and none is
    called positive.
    """
    cells = WeightedCells.count(4 * labels + 2 * challenger + champion, 8, weights, counts)
    value = _change(metric, cells.value)
    if np.isnan(value):
        return None
    drawn = _change(metric, cells.redraw(seed, resamples))
    return Change(percentile_interval(float(value), drawn), float(np.nanstd(drawn)))


def _change(metric: Objective | SegmentMetric, cells: Floats) -> Floats:
    """The change per line of the cells (label, challenger, champion)."""
    each = cells.reshape(-1, 2, 2, 2)
    challenger, champion = each.sum(axis=3).reshape(-1, 4), each.sum(axis=2).reshape(-1, 4)
    change = _evaluate(metric, challenger) - _evaluate(metric, champion)
    return change if cells.ndim > 1 else np.asarray(change[0])


def _evaluate(metric: Objective | SegmentMetric, counts: Floats) -> Floats:
    if isinstance(metric, Objective):
        return evaluate_counts(metric, counts)
    return count_figures(counts)[metric]


def weighted_figures(
    names: Iterable[str],
    labels: Bools,
    predicted: Bools,
    *,
    seed: int,
    weights: Floats,
    counts: Counts | None = None,
) -> dict[str, Interval | None]:
    """Some GROUP_FIGURES with their 95 % intervals; None where one is undefined."""
    cells = WeightedCells.count(2 * labels + predicted, 4, weights, counts)
    values = count_figures(cells.value[None, :])
    drawn = count_figures(cells.redraw(seed, RESAMPLES))
    return {
        name: None
        if np.isnan(values[name][0])
        else percentile_interval(float(values[name][0]), drawn[name])
        for name in names
    }


def metric_interval(
    metric: Objective | SegmentMetric,
    labels: Bools,
    predicted: Bools,
    *,
    seed: int,
    weights: Floats | None = None,
    counts: Counts | None = None,
) -> Interval | None:
    """The metric with its 95 % interval; None where it is undefined."""
    cells = WeightedCells.count(2 * labels + predicted, 4, weights, counts)
    value = float(_evaluate(metric, cells.value[None, :])[0])
    if np.isnan(value):
        return None
    drawn = _evaluate(metric, cells.redraw(seed, RESAMPLES))
    return percentile_interval(value, drawn)
