"""Quality figures with confidence intervals, overall and per segment, and the paired comparison."""

import math
from collections.abc import Mapping
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from domain.contract.gate_limits import SegmentMetric
from domain.contract.objective import Cost, Objective, Requirement
from domain.interval import Interval
from domain.model.card import Bounds, SegmentFigures
from domain.model.gate.evidence import Paired, RequiredComparison, SegmentChange
from tabular.calibration import calibration_error
from tabular.classification import (
    FIGURES,
    GROUP_FIGURES,
    Bools,
    Counts,
    Floats,
    confusion_intervals,
)
from tabular.coverage import thin_lines
from tabular.groups import measure_group
from tabular.score_intervals import score_intervals
from training_job.evaluation.bootstrap import (
    metric_interval,
    paired_change,
    weighted_figures,
)
from training_job.model.model import quality

Masks = Mapping[str, Bools]
NO_SKILL = Interval(0.0, 0.0, 0.0)


class _Sampling(TypedDict):
    """How many rows each line stands for, how much each counts, and the seed of the bootstrap."""

    seed: int
    weights: Floats | None
    counts: Counts | None


def count_rows(chosen: Bools, counts: Counts | None) -> int:
    """The rows that the chosen lines stand for."""
    return int(np.count_nonzero(chosen) if counts is None else counts[chosen].sum())


def measure(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    threshold: float,
    *,
    objective: Objective,
    seed: int,
    weights: Floats | None = None,
    counts: Counts | None = None,
) -> dict[str, Interval]:
    """The figures of a model card, each with its 95 % bootstrap interval.

    `counts`: for how many rows each line stands. `weights`: how much each of these counts. What
    comes from answers alone is weighted; figures of the scores come from rows that represent the
    others, see `represent`.

    On the whole test set an undefined figure, such as the precision of a model that calls no row
    positive, counts as 0, because the gate needs a number.
    """
    truth = np.asarray(labels).astype(bool)
    scores = np.asarray(probabilities, dtype=np.float64)
    predicted = scores >= threshold
    if weights is None:
        counted = confusion_intervals(truth, predicted, seed=seed, counts=counts)
    else:
        counted = weighted_figures(
            FIGURES, truth, predicted, seed=seed, weights=weights, counts=counts
        )
    if objective.cost is not None:
        saved = metric_interval(
            objective, truth, predicted, seed=seed, weights=weights, counts=counts
        )
        counted["saved_cost"] = saved
    defined = {name: interval or NO_SKILL for name, interval in counted.items()}
    kept, counts = represent(truth, weights, counts, seed=seed)
    truth, scores = truth[kept], scores[kept]
    values = quality(truth.astype(np.int8), scores, threshold, counts)
    values["calibration_error"] = calibration_error(truth, scores, counts)
    rest = {name: value for name, value in values.items() if name not in FIGURES}
    found = defined | score_intervals(truth, scores, rest, seed=seed, counts=counts)
    # Cards of earlier trainings have another measure, whose name was that of the function.
    return found | {"relative_calibration_error": found.pop("calibration_error")}


def represent(
    truth: Bools, weights: Floats | None, counts: Counts | None, *, seed: int
) -> tuple[Bools, Counts | None]:
    """Lines whose rows represent all others, each counting once, and how many rows of each.

    A row is kept with a chance by its weight. All are where every row counts once, or where the few
    that would be left are of one class.
    """
    everything = np.ones(len(truth), bool), counts
    if weights is None:
        return everything
    each = np.ones(len(truth), np.int64) if counts is None else counts
    rows = thin_lines(weights, each, np.random.default_rng(seed))
    kept = rows > 0
    if not 0 < np.count_nonzero(truth[kept]) < np.count_nonzero(kept):
        return everything
    return kept, None if counts is None else rows[kept]


def measure_segments(
    labels: npt.ArrayLike,
    scores: Floats,
    threshold: float,
    masks: Masks,
    *,
    seed: int,
    weights: Floats | None = None,
    counts: Counts | None = None,
) -> tuple[SegmentFigures, ...]:
    """The figures, with intervals, of every segment that has rows.

    See `measure` for `weights` and `counts`.
    """
    truth = np.asarray(labels).astype(bool)
    return tuple(
        _measure_segment(
            name,
            truth[mask],
            scores[mask],
            threshold,
            seed=seed,
            weights=None if weights is None else weights[mask],
            counts=None if counts is None else counts[mask],
        )
        for name, mask in masks.items()
        if mask.any()
    )


def _measure_segment(
    name: str,
    truth: Bools,
    scores: Floats,
    threshold: float,
    *,
    seed: int,
    weights: Floats | None,
    counts: Counts | None,
) -> SegmentFigures:
    predicted = scores >= threshold
    kept, rows = represent(truth, weights, counts, seed=seed)
    figures = measure_group(truth[kept], scores[kept], predicted[kept], seed=seed, counts=rows)
    if weights is not None:
        figures |= weighted_figures(
            GROUP_FIGURES, truth, predicted, seed=seed, weights=weights, counts=counts
        )
    values, bounds = _split_intervals(figures)
    return SegmentFigures(
        segment=name,
        rows=count_rows(np.ones(len(truth), bool), counts),
        positives=count_rows(truth, counts),
        f1=values["f1"],
        f1_interval=bounds["f1"],
        precision=values["precision"],
        precision_interval=bounds["precision"],
        recall=values["recall"],
        recall_interval=bounds["recall"],
        selection_rate=values["selection_rate"],
        selection_rate_interval=bounds["selection_rate"],
        false_positive_rate=values["false_positive_rate"],
        false_positive_rate_interval=bounds["false_positive_rate"],
        calibration_error=values["calibration_error"],
        calibration_error_interval=bounds["calibration_error"],
    )


def _split_intervals(
    figures: Mapping[str, Interval | None],
) -> tuple[dict[str, float | None], dict[str, Bounds | None]]:
    """The values, and the bounds of their intervals; None where a figure is undefined."""
    values = {name: found.value if found else None for name, found in figures.items()}
    bounds = {name: (found.low, found.high) if found else None for name, found in figures.items()}
    return values, bounds


def compare_pairwise(
    labels: npt.ArrayLike,
    challenger: Bools,
    champion: Bools,
    masks: Masks,
    *,
    objective: Objective,
    segment_metric: SegmentMetric | None = None,
    thresholds: tuple[float, float],
    version: str,
    seed: int,
    weights: Floats | None = None,
    counts: Counts | None = None,
) -> Paired:
    """Compare two models' answers to the same rows by the objective's metric.

    `segment_metric`: compares the segments. Without one the objective does, or, where it requires a
    recall or a precision, the saved cost that the thresholds imply. `thresholds`: the challenger's
    and the champion's. `version`: the champion's. `weights`, `counts`: see `measure`. The gain is
    zero where the metric is undefined on the test rows.
    """
    truth = np.asarray(labels).astype(bool)
    sampling: _Sampling = {"seed": seed, "weights": weights, "counts": counts}
    change = paired_change(objective, truth, challenger, champion, **sampling)
    by, required = objective, None
    if objective.requirement is not None:
        by, required = _compare_required(
            truth,
            challenger,
            champion,
            thresholds=thresholds,
            wanted=objective.requirement,
            sampling=sampling,
        )
    changes = {
        name: paired_change(
            segment_metric or by,
            truth[mask],
            challenger[mask],
            champion[mask],
            seed=seed,
            weights=None if weights is None else weights[mask],
            counts=None if counts is None else counts[mask],
        )
        for name, mask in masks.items()
        if mask.any()
    }
    value = metric_interval(objective, truth, champion, **sampling) or NO_SKILL
    return Paired(
        version=version,
        value=value.value,
        gain=change.interval if change else NO_SKILL,
        standard_error=change.standard_error if change else 0.0,
        required=required,
        segments=tuple(
            SegmentChange(
                name,
                count_rows(masks[name], counts),
                count_rows(masks[name] & truth, counts),
                change.interval,
            )
            for name, change in changes.items()
            if change is not None
        ),
    )


def _compare_required(
    labels: Bools,
    challenger: Bools,
    champion: Bools,
    *,
    thresholds: tuple[float, float],
    wanted: Requirement,
    sampling: _Sampling,
) -> tuple[Objective, RequiredComparison]:
    """The cost that the thresholds imply, and the comparison by it.

    At a threshold `t` of calibrated probabilities, a miss costs ``(1 - t) / t`` false alarms.
    Otherwise another threshold would be better (C. Elkan, "The Foundations of Cost-Sensitive
    Learning", 2001). By the geometric mean of two thresholds' prices, two points of one
    precision-recall curve are worth about the same. A champion whose required figure is surely
    above the minimum has some to spare, which is worth less: there the challenger's price counts.
    """
    name = wanted.metric
    own = metric_interval(name, labels, champion, **sampling) or NO_SKILL
    clipped = [min(max(t, 1e-6), 1 - 1e-6) for t in thresholds]
    prices = [(1 - t) / t for t in clipped]
    price = prices[0] if own.low > wanted.minimum else math.sqrt(prices[0] * prices[1])
    cost = Objective(Cost(false_negative=price))
    saved = paired_change(cost, labels, challenger, champion, **sampling)
    gain = paired_change(name, labels, challenger, champion, **sampling)
    return cost, RequiredComparison(
        champion=own,
        gain=gain.interval if gain else NO_SKILL,
        cost_of_a_miss=price,
        saved_cost_gain=saved.interval if saved else NO_SKILL,
    )
