"""Performance on a window, measured with labels."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from domain.drift.disclosure import choose_suppressed, round_interval, round_significant
from domain.drift.performance import (
    MINIMUM_LABELS,
    MINIMUM_POSITIVES,
    Z999,
    Measure,
    Performance,
    has_dropped,
)
from domain.interval import Interval
from monitoring_job.statistics.calibration import Line, measure_calibration
from tabular.classification import Z95, Bools, Floats, confusion_intervals, roc_auc_interval

SEED = 0
"""A repeated run draws the same resamples, and so shows the same intervals."""
COMPARED: tuple[Measure, ...] = ("f1", "roc_auc")
"""The figures that are compared with those on the test rows."""
ENOUGH_COVERAGE = 0.9
"""From this label coverage on, observed and expected positives are compared."""


def measure_performance(
    *,
    labels: npt.NDArray[np.int8],
    probabilities: Floats,
    threshold: float,
    test: Mapping[str, Interval],
    sampled: int,
    calibration: Line | None = None,
) -> Performance:
    """Measure the predictions whose label is known.

    `labels`: 0 or 1, for eleven predictions or more. `test`: the version's figures on its test
    rows. `sampled`: how many predictions the sample holds, with and without a label.
    `calibration`: of the probabilities on the reference. F1, precision and recall have bootstrap
    intervals, ROC AUC has DeLong's.
    """
    truth, predicted = labels == 1, probabilities >= threshold
    positives, coverage = int(truth.sum()), len(labels) / sampled
    roc_auc = roc_auc_interval(truth, probabilities)
    intervals = {**confusion_intervals(truth, predicted, seed=SEED), "roc_auc": roc_auc}
    figures = {name: interval and round_interval(interval) for name, interval in intervals.items()}
    found = None
    if calibration is not None:
        found = measure_calibration(
            truth, probabilities, calibration, all_labelled=coverage >= ENOUGH_COVERAGE
        )
    enough = len(labels) >= MINIMUM_LABELS and positives >= MINIMUM_POSITIVES and "f1" in test
    declined: list[Measure] = []
    if enough:
        now = {"f1": _bound_f1(truth, predicted), "roc_auc": _widen(roc_auc)}
        declined += [name for name in COMPARED if _has_dropped(now[name], test.get(name))]
        if found and found.declined:
            declined.append("calibration")
    shown = may_be_shown(truth, predicted)
    coverage_may_be_shown = not choose_suppressed(
        {"labelled": len(labels), "unlabelled": sampled - len(labels)}
    )
    return Performance(
        labelled=len(labels) if coverage_may_be_shown else None,
        coverage=round_significant(coverage) if coverage_may_be_shown else None,
        positives=None if choose_suppressed(_count_halves(truth)) else positives,
        figures=figures if shown else dict.fromkeys(figures),
        test={name: figure.value for name, figure in test.items()},
        has_enough_labels=enough,
        dropped=bool(declined),
        calibration=found if shown else None,
        declined=tuple(declined),
    )


def _has_dropped(now: Interval | None, before: Interval | None) -> bool:
    """Compare a figure at 99.9 % with the one on the test rows, whose interval is at 95 %."""
    if now is None or before is None:
        return False
    return has_dropped(now=now, before=before.widened(Z999 / Z95))


def _widen(interval: Interval | None) -> Interval | None:
    return interval and interval.widened(Z999 / Z95)


def may_be_shown(truth: Bools, predicted: Bools) -> bool:
    """Whether every group that the figures are ratios of has enough rows to be shown."""
    halves = (_count_halves(truth), _count_halves(predicted))
    return not any(map(choose_suppressed, halves))


def _count_halves(which: Bools) -> dict[bool, int]:
    true = int(np.count_nonzero(which))
    return {True: true, False: len(which) - true}


def _bound_f1(truth: Bools, predicted: Bools) -> Interval:
    """F1 with its 99.9 % interval.

    F1 = 2 J / (1 + J) rises with the Jaccard index J, the share of true positives among the rows
    that are or are called positive, and Wilson's interval of a share holds for few of them too.
    """
    union = max(1, int(np.count_nonzero(truth | predicted)))
    share = int(np.count_nonzero(truth & predicted)) / union
    squared = Z999**2 / union
    middle = share + squared / 2
    half = math.sqrt(squared * (share * (1 - share) + squared / 4))
    bounds = (share, (middle - half) / (1 + squared), (middle + half) / (1 + squared))
    return Interval(*(2 * each / (1 + each) for each in bounds))
