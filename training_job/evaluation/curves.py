"""The points of the model card's plots: ROC, calibration, and what the answers rest on."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from domain.drift.disclosure import SMALLEST_GROUP, round_significant
from domain.model.curves import Curves, Point
from tabular.classification import Floats
from training_job.evaluation.plots import PlotData, contributions

ROC_STEPS = 50
CALIBRATION_GROUPS = 10

Integers = npt.NDArray[np.int64]


class Scored(NamedTuple):
    """Rows by their score, the highest first: the distinct scores, and the rows of either outcome.

    `reached`: outcome → how many rows have one of the first n scores, from n = 0 on.
    """

    scores: Floats
    reached: tuple[Integers, Integers]

    @classmethod
    def of(cls, plot_data: PlotData) -> "Scored":
        """Count the rows of each score."""
        scores, places = np.unique(-plot_data.scores, return_inverse=True)
        counts = plot_data.counts if plot_data.counts is not None else np.ones(len(places))
        negatives, positives = (
            np.bincount(places, weights=counts * (plot_data.labels == outcome)).round()
            for outcome in (0, 1)
        )
        return cls(-scores, (_accumulate(negatives), _accumulate(positives)))

    @property
    def rows(self) -> Integers:
        """How many rows have one of the first n scores."""
        negatives, positives = self.reached
        return negatives + positives

    def is_small(self, start: int, end: int) -> bool:
        """Whether the scores of ``start:end`` have one to ten rows of an outcome."""
        return any(0 < n[end] - n[start] < SMALLEST_GROUP for n in self.reached)


def _accumulate(counts: npt.NDArray[Any]) -> Integers:
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)


def compute_curves(plot_data: PlotData) -> Curves:
    """Compute the points. Like the plots, they count each row once, whatever its weight."""
    scored = Scored.of(plot_data)
    return Curves(
        importance=_measure_importance(plot_data),
        roc=_trace_roc(scored),
        calibration=_calibrate(scored),
    )


def _measure_importance(plot_data: PlotData) -> dict[str, float]:
    found = contributions(plot_data)
    if any(len(values) < SMALLEST_GROUP for values in found.values()):
        return {}
    return {name: round_significant(float(np.abs(v).mean())) for name, v in found.items()}


def _trace_roc(scored: Scored) -> tuple[Point, ...]:
    """Points of the ROC curve; none where an outcome is missing or rare."""
    negatives, positives = scored.reached
    ends = cut_groups(scored, ROC_STEPS)
    if not ends or not negatives[-1] or not positives[-1]:
        return ()
    points = [(negatives[e] / negatives[-1], positives[e] / positives[-1]) for e in (0, *ends)]
    return tuple((round_significant(x), round_significant(y)) for x, y in points)


def _calibrate(scored: Scored) -> tuple[Point, ...]:
    """Mean probability and share of positives of each group, the lowest probability first."""
    ends = cut_groups(scored, CALIBRATION_GROUPS)
    rows, (_, positives) = scored.rows, scored.reached
    points = []
    for start, end in zip((0, *ends[:-1]), ends, strict=False):  # without groups, without ends
        weights = np.diff(rows[start : end + 1])
        mean = float(np.average(scored.scores[start:end], weights=weights))
        observed = (positives[end] - positives[start]) / (rows[end] - rows[start])
        points.append((round_significant(mean), round_significant(float(observed))))
    return tuple(reversed(points))


def cut_groups(scored: Scored, groups: int) -> list[int]:
    """Cut the scores into at most so many groups of about equally many rows: where each ends.

    A group has no or at least eleven rows of either outcome. Empty where all rows together don't
    allow that.
    """
    rows, last = scored.rows, len(scored.scores)
    size = max(SMALLEST_GROUP, int(rows[-1]) // groups)
    ends: list[int] = []
    start = 0
    while start < last:
        end = min(last, int(np.searchsorted(rows, rows[start] + size)))
        while end < last and scored.is_small(start, end):
            end = min(last, max(_find_enough(reached, start, end) for reached in scored.reached))
        ends.append(end)
        start = end
    # The last group is what is left; it joins those before it until it is large enough.
    while ends and scored.is_small(ends[-2] if len(ends) > 1 else 0, last):
        ends.pop(-2 if len(ends) > 1 else -1)
    return ends


def _find_enough(reached: Integers, start: int, end: int) -> int:
    """The first end, from `end` on, at which one outcome has no or at least eleven rows."""
    if not 0 < reached[end] - reached[start] < SMALLEST_GROUP:
        return end
    return int(np.searchsorted(reached, reached[start] + SMALLEST_GROUP))
