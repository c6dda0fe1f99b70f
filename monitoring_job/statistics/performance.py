"""Performance on a window: measured with labels, or estimated from calibrated probabilities."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from domain.drift.disclosure import choose_suppressed, round_significant
from domain.drift.performance import (
    MINIMUM_LABELS,
    MINIMUM_POSITIVES,
    Expectation,
    Performance,
    has_dropped,
)
from domain.interval import Interval
from tabular.classification import Z95, Bools, Floats, bootstrap_figures, roc_auc_interval

SEED = 0
"""A repeated run draws the same resamples, and so shows the same intervals."""
Z99 = 2.575829
"""Quantile of the normal distribution. Intervals are shown at 95 %, but a drop must hold at 99 %,
so that windows without a real drop rarely raise an alarm."""

Calibration = Callable[[Floats], Floats]


def measure_performance(
    *,
    labels: npt.NDArray[np.int8],
    probabilities: Floats,
    threshold: float,
    test: Mapping[str, float],
    sampled: int,
) -> Performance:
    """Measure the predictions whose label is known.

    `labels`: 0 or 1, for eleven predictions or more. `sampled`: how many predictions the sample
    holds, with and without a label. F1, precision and recall have bootstrap intervals, ROC AUC has
    DeLong's.
    """
    truth, predicted = labels == 1, probabilities >= threshold
    bootstrapped = bootstrap_figures(truth, predicted, seed=SEED)
    figures = {name: _round(figure.interval) for name, figure in bootstrapped.items()}
    figures["roc_auc"] = _round(roc_auc_interval(truth, probabilities))
    positives, f1 = int(truth.sum()), bootstrapped["f1"]
    enough = len(labels) >= MINIMUM_LABELS and positives >= MINIMUM_POSITIVES and "f1" in test
    coverage_may_be_shown = not choose_suppressed(
        {"labelled": len(labels), "unlabelled": sampled - len(labels)}
    )
    return Performance(
        labelled=len(labels) if coverage_may_be_shown else None,
        coverage=round_significant(len(labels) / sampled) if coverage_may_be_shown else None,
        positives=None if choose_suppressed(_count_halves(truth)) else positives,
        figures=figures if may_be_shown(truth, predicted) else dict.fromkeys(figures),
        test=dict(test),
        has_enough_labels=enough,
        dropped=enough
        and has_dropped(value=f1.value, bound=f1.percentile(99.5), before=test["f1"]),
    )


def may_be_shown(truth: Bools, predicted: Bools) -> bool:
    """Whether every group that the figures are ratios of has enough rows to be shown."""
    halves = (_count_halves(truth), _count_halves(predicted))
    return not any(map(choose_suppressed, halves))


def _count_halves(which: Bools) -> dict[bool, int]:
    true = int(np.count_nonzero(which))
    return {True: true, False: len(which) - true}


def _round(interval: Interval | None) -> Interval | None:
    if interval is None:
        return None
    return Interval(*map(round_significant, (interval.value, interval.low, interval.high)))


def _interval_around(value: float, error: float) -> Interval:
    return Interval(
        value=round_significant(value),
        low=round_significant(max(0.0, value - Z95 * error)),
        high=round_significant(min(1.0, value + Z95 * error)),
    )


def fit_calibration(labels: Bools | None, probabilities: Floats) -> Calibration | None:
    """Fit Platt's scaling on the reference; None unless it has labels of both classes."""
    if labels is None or not 0 < np.count_nonzero(labels) < len(labels):
        return None
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e6).fit(_log_odds(probabilities), labels)
    return lambda scores: np.asarray(model.predict_proba(_log_odds(scores))[:, 1])


def _log_odds(probabilities: Floats) -> Floats:
    inside = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return np.log(inside / (1 - inside)).reshape(-1, 1)


def estimate_performance(
    *,
    probabilities: Floats,
    reference: Floats,
    reference_labels: Bools | None,
    threshold: float,
) -> Expectation | None:
    """Estimate F1 of a window, and of the reference in the same way; None when undefined.

    `reference`: the probabilities of the reference sample, `reference_labels`: its labels if any.
    """
    calibration = fit_calibration(reference_labels, reference)
    calibrate = calibration or (lambda scores: scores)
    in_window = _estimate_f1(calibrate(probabilities), probabilities >= threshold)
    in_reference = _estimate_f1(calibrate(reference), reference >= threshold)
    if in_window is None or in_reference is None:
        return None
    (value, error), (before, _) = in_window, in_reference
    return Expectation(
        f1=_interval_around(value, error),
        reference_f1=round_significant(before),
        calibrated=calibration is not None,
        dropped=has_dropped(value=value, bound=value + Z99 * error, before=before),
    )


def _estimate_f1(chance: Floats, predicted: Bools) -> tuple[float, float] | None:
    """Expected F1 and its standard error; None when nothing is or is called positive.

    F1 is twice the expected true positives, divided by the predicted plus the expected positives.
    The standard error of this ratio of sums comes from the delta method.
    """
    above = 2 * chance * predicted
    below = chance + predicted
    whole = float(below.sum())
    if whole <= 0:
        return None
    value = float(above.sum()) / whole
    return value, float(np.sqrt(np.sum((above - value * below) ** 2))) / whole
