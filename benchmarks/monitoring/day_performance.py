"""How a version of the model performs on days, from counts.

A quick look at all days at once finds those that may be worse; the project's own functions judge
these.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from benchmarks.monitoring.day_counts import SCORES, THRESHOLD, Counts, Drawn, Floats
from domain.drift.performance import CALIBRATION_LIMIT, MARGIN, MINIMUM_POSITIVES, Expectation
from domain.interval import Interval
from monitoring_job.statistics.calibration import Line, fit_line, log_odds
from monitoring_job.statistics.expectation import estimate_performance
from monitoring_job.statistics.performance import measure_performance
from tabular.classification import confusion_intervals, roc_auc_interval


def _rows_of(outcomes: Counts) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Labels and scores of the rows that are counted by ``[outcome, score]``."""
    labels = np.repeat([False, True], outcomes.sum(axis=1))
    return labels, np.concatenate([np.repeat(SCORES, side) for side in outcomes])


@dataclass(frozen=True)
class Model:
    """What a version is compared with: its reference, and its figures on its test rows."""

    labels: npt.NDArray[np.bool_]
    scores: Floats
    line: Line | None
    test: dict[str, Interval]

    @classmethod
    def of(cls, reference: Drawn, tested: Drawn) -> "Model":
        """Measure a version."""
        labels, scores = _rows_of(reference.outcomes[0])
        truth, given = _rows_of(tested.outcomes[0])
        f1 = confusion_intervals(truth, given >= THRESHOLD, seed=0)["f1"]
        roc_auc = roc_auc_interval(truth, given)
        assert f1 is not None
        assert roc_auc is not None
        return cls(labels, scores, fit_line(labels, scores), {"f1": f1, "roc_auc": roc_auc})

    def may_have_dropped(self, outcomes: Counts) -> npt.NDArray[np.bool_]:
        """Which days a closer look is worth: some figure is low enough, errors left aside.

        `outcomes`: ``[day, outcome, score]``. The figures are those of the project, from counts.
        """
        positive, line = SCORES >= THRESHOLD, self.line
        assert line is not None
        chances, rows = line.apply(SCORES), outcomes.sum(axis=1)
        expected = 2 * (rows * chances * positive).sum(axis=1)
        expected /= (rows * (chances + positive)).sum(axis=1)
        before = 2 * np.sum(line.apply(self.scores)[self.scores >= THRESHOLD])
        before /= np.sum(line.apply(self.scores)) + np.count_nonzero(self.scores >= THRESHOLD)
        sick, healthy = outcomes[:, 1], outcomes[:, 0]
        f1 = 2 * sick[:, positive].sum(axis=1)
        f1 = f1 / (sick.sum(axis=1) + rows[:, positive].sum(axis=1))
        below = np.cumsum(healthy, axis=1) - healthy / 2
        roc_auc = (sick * below).sum(axis=1) / (sick.sum(axis=1) * healthy.sum(axis=1))
        ratio = sick.sum(axis=1) / (rows * chances).sum(axis=1)
        spread = np.sqrt((rows * chances * (1 - chances)).sum(axis=1)) / (rows * chances).sum(
            axis=1
        )
        slope, error = _fit_slopes(sick, rows, log_odds(chances))
        by_labels = (
            (f1 <= self.test["f1"].value - MARGIN)
            | (roc_auc <= self.test["roc_auc"].value - MARGIN)
            | _may_be_off(ratio, spread)
            | _may_be_off(slope, error)
        )
        enough = sick.sum(axis=1) >= MINIMUM_POSITIVES
        return np.asarray(np.where(enough, by_labels, expected <= before - MARGIN))

    def has_dropped(self, outcomes: Counts) -> bool:
        """Judge a window: by its labels if they are enough, else by the estimate."""
        labels, scores = _rows_of(outcomes)
        measured = measure_performance(
            labels=labels.astype(np.int8),
            probabilities=scores,
            threshold=THRESHOLD,
            test=self.test,
            sampled=len(labels),
            calibration=self.line,
        )
        return measured.dropped if measured.has_enough_labels else self.is_expected(scores)

    def is_expected(self, scores: Floats) -> bool:
        """Whether a drop is expected without labels."""
        expected: Expectation | None = estimate_performance(
            probabilities=scores,
            reference=self.scores,
            reference_labels=self.labels,
            threshold=THRESHOLD,
        )
        return expected is not None and expected.dropped


def _may_be_off(values: Floats, errors: Floats) -> npt.NDArray[np.bool_]:
    """Whether calibration is off at 2 standard errors; the project asks for 3.3."""
    low, high = values - 2 * errors, values + 2 * errors
    return ~((high > 1 / CALIBRATION_LIMIT) & (low < CALIBRATION_LIMIT))


def _fit_slopes(sick: Counts, rows: Counts, odds: Floats) -> tuple[Floats, Floats]:
    """Slope of each day's labels in the log odds, and its error, by Newton's method.

    NaN where it diverges.
    """
    columns = np.stack([np.ones_like(odds), odds])
    line = np.tile([0.0, 1.0], (len(rows), 1))
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(8):
            chances = special.expit(line @ columns)
            gradient = (sick - rows * chances) @ columns.T
            weights = rows * chances * (1 - chances)
            curvature = np.einsum("ds,is,js->dij", weights, columns, columns)
            line += np.linalg.solve(curvature + 1e-9 * np.eye(2), gradient[..., None])[..., 0]
        slope = np.where(line[:, 1] > 0, line[:, 1], np.nan)
        return slope, np.sqrt(np.linalg.inv(curvature + 1e-9 * np.eye(2))[:, 1, 1])
