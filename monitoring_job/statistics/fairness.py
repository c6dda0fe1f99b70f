"""Compare how the model treats one segment with how it treated the same segment of the reference.

Rates are shares of rows, so each has an exact test; F1 is a function of one share, the Jaccard
index. The calibration error has no direction and no exact test. It is compared by the line that
relates the log odds of the probability to those of the outcome (D. R. Cox, "Two Further
Applications of a Model for Binary Regression", 1958), fitted on both sides (Wald's test).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from domain.drift.disclosure import SMALLEST_GROUP, round_interval, round_significant
from domain.drift.fairness import (
    GROUP_MEASURES,
    GroupFigure,
    GroupMeasure,
    SegmentPerformance,
    has_changed,
)
from domain.drift.performance import MINIMUM_LABELS, MINIMUM_POSITIVES
from monitoring_job.statistics.calibration import fit_line
from monitoring_job.statistics.performance import ENOUGH_COVERAGE, SEED, may_be_shown
from monitoring_job.statistics.shares import Shares
from tabular.calibration import calibration_error
from tabular.classification import Bools, Floats, count_figures
from tabular.groups import measure_group
from tabular.labels import UNKNOWN, Labels


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Label (0, 1 or UNKNOWN), probability and answer of each row of one side."""

    labels: Labels
    probabilities: Floats
    predicted: Bools

    def select(self, rows: Bools) -> "LabelledRows":
        """Select some rows."""
        return LabelledRows(self.labels[rows], self.probabilities[rows], self.predicted[rows])

    @property
    def is_known(self) -> Bools:
        """Which rows have a label."""
        return np.not_equal(self.labels, UNKNOWN)


@dataclass(frozen=True, slots=True)
class _Side:
    """The rows with a label."""

    truth: Bools
    probabilities: Floats
    predicted: Bools

    @classmethod
    def of(cls, rows: LabelledRows) -> "_Side":
        known = rows.select(rows.is_known)
        return cls(known.labels == 1, known.probabilities, known.predicted)

    @property
    def is_shown(self) -> bool:
        """Whether no figure describes fewer than eleven rows."""
        return may_be_shown(self.truth, self.predicted)

    @property
    def is_enough(self) -> bool:
        """Whether there are enough rows, of either outcome, for a verdict."""
        positives = int(np.count_nonzero(self.truth))
        fewest = min(positives, len(self.truth) - positives)
        return len(self.truth) >= MINIMUM_LABELS and fewest >= MINIMUM_POSITIVES

    @property
    def cells(self) -> tuple[int, int, int, int]:
        """How many rows are true negatives, false positives, false negatives, true positives."""
        tn, fp, fn, tp = np.bincount(2 * self.truth + self.predicted, minlength=4)
        return int(tn), int(fp), int(fn), int(tp)

    @property
    def values(self) -> dict[GroupMeasure, float | None]:
        """The figures without intervals, rounded; None where undefined."""
        counted = count_figures(np.array([self.cells]))
        found = {name: float(value[0]) for name, value in counted.items()}
        if 0 < np.count_nonzero(self.truth) < len(self.truth):
            found["calibration_error"] = calibration_error(self.truth, self.probabilities)
        return {
            name: None if np.isnan(found.get(name, np.nan)) else round_significant(found[name])
            for name in GROUP_MEASURES
        }


def compare_group(reference: LabelledRows, current: LabelledRows) -> SegmentPerformance | None:
    """Compare a segment's labelled rows with those of the reference, q-values still open.

    None with fewer than eleven labels in the window, or without any in the reference.
    """
    old, new = _Side.of(reference), _Side.of(current)
    if len(new.truth) < SMALLEST_GROUP or not len(old.truth):
        return None
    enough = old.is_enough and new.is_enough and old.is_shown and new.is_shown
    nearly_all = len(new.truth) >= ENOUGH_COVERAGE * len(current.labels)
    p_values = dict(_compute_p_values(old, new, nearly_all)) if enough else {}
    before: dict[GroupMeasure, float | None] = old.values if old.is_shown else {}
    now = (
        measure_group(new.truth, new.probabilities, new.predicted, seed=SEED)
        if new.is_shown
        else {}
    )
    figures = {}
    for name in GROUP_MEASURES:
        interval, p_value = now.get(name), p_values.get(name)
        figures[name] = GroupFigure(
            now=interval and round_interval(interval),
            reference=before.get(name),
            p_value=None if p_value is None else round_significant(p_value),
        )
    return SegmentPerformance(
        labelled=len(new.truth),
        positives=int(np.count_nonzero(new.truth)),
        has_enough_labels=enough,
        figures=figures,
    )


def list_p_values(performance: SegmentPerformance | None) -> list[float]:
    """The p-values of a segment's figures, for the family of tests that they belong to."""
    figures = performance.figures.values() if performance else ()
    return [figure.p_value for figure in figures if figure.p_value is not None]


def mark_changed(performance: SegmentPerformance, q_values: Iterator[float]) -> SegmentPerformance:
    """Decide each figure. `q_values`: the next ones are those of `list_p_values`."""

    def decide(name: GroupMeasure, figure: GroupFigure) -> GroupFigure:
        if figure.p_value is None:
            return figure
        q_value = next(q_values)
        changed = (
            figure.now is not None
            and figure.reference is not None
            and has_changed(name, now=figure.now.value, before=figure.reference, q_value=q_value)
        )
        return replace(figure, q_value=round_significant(q_value), changed=changed)

    figures = {name: decide(name, figure) for name, figure in performance.figures.items()}
    return replace(performance, figures=figures)


def _compute_p_values(
    old: _Side, new: _Side, nearly_all: bool
) -> Iterator[tuple[GroupMeasure, float]]:
    """Test each figure that can be tested.

    `nearly_all`: whether nearly all rows of the window have their label. Otherwise neither the
    selection rate nor the share of positives can be compared, because labels often arrive for the
    positive outcomes first.
    """
    before, after = _count_shares(old), _count_shares(new)
    for name, (hits, rows) in before.items():
        new_hits, new_rows = after[name]
        if rows and new_rows and (nearly_all or name != "selection_rate"):
            yield name, Shares(hits, rows, new_hits, new_rows).p_value
    calibration = _compare_calibration(old, new, nearly_all)
    if calibration is not None:
        yield "calibration_error", calibration


def _count_shares(side: _Side) -> dict[GroupMeasure, tuple[int, int]]:
    """Each rate as hits among rows; for F1, true positives among all that are or are called so."""
    tn, fp, fn, tp = side.cells
    return {
        "selection_rate": (tp + fp, tn + fp + fn + tp),
        "recall": (tp, tp + fn),
        "false_positive_rate": (fp, fp + tn),
        "precision": (tp, tp + fp),
        "f1": (tp, tp + fp + fn),
    }


def _compare_calibration(old: _Side, new: _Side, nearly_all: bool) -> float | None:
    """Test whether both sides have the same calibration line; its slope alone, if not `nearly_all`.

    None where a line can't be fitted.
    """
    from scipy import stats

    lines = [fit_line(side.truth, side.probabilities) for side in (old, new)]
    before, after = lines
    if before is None or after is None:
        return None
    change = after.coefficients - before.coefficients
    covariance = before.covariance + after.covariance
    if not nearly_all:
        change, covariance = change[1:], covariance[1:, 1:]
    if not (np.all(np.isfinite(change)) and np.all(np.diag(covariance) > 0)):
        return None
    statistic = float(change @ np.linalg.pinv(covariance, hermitian=True) @ change)
    return float(stats.chi2.sf(statistic, len(change))) if np.isfinite(statistic) else None
