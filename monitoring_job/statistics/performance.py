"""Performance on a window: realised with labels, expected from calibrated probabilities."""

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

RESAMPLES = 2_000
Z95, Z99 = 1.959964, 2.575829
"""Intervals are shown at 95 %; a drop must hold at 99 %, so that quiet windows stay quiet."""

Floats = npt.NDArray[np.float64]
Calibrator = Callable[[Floats], Floats]


def measure_performance(
    *,
    labels: npt.NDArray[np.int8],
    probabilities: Floats,
    threshold: float,
    test: Mapping[str, float],
    sampled: int,
) -> Performance:
    """Of predictions with known `labels` (0 or 1), eleven or more; `sampled`: with the unknown.

    F1, precision and recall by bootstrap (resampling rows is resampling the confusion matrix),
    ROC AUC by DeLong's method.
    """
    truth, predicted = labels == 1, probabilities >= threshold
    drawn, cells = _resampled(truth, predicted)
    figures: dict[str, Interval | None] = {
        name: _interval(of(cells), of(drawn)) for name, of in _RATIOS.items()
    }
    figures["roc_auc"] = roc_auc(truth, probabilities)
    positives = int(truth.sum())
    enough = len(labels) >= MINIMUM_LABELS and positives >= MINIMUM_POSITIVES and "f1" in test
    is_told = not choose_suppressed({"labelled": len(labels), "not": sampled - len(labels)})
    return Performance(
        labelled=len(labels) if is_told else None,
        coverage=round_significant(len(labels) / sampled) if is_told else None,
        positives=None if choose_suppressed(_halves(truth)) else positives,
        figures=figures if may_be_shown(truth, predicted) else dict.fromkeys(figures),
        test=dict(test),
        has_enough_labels=enough,
        dropped=enough
        and has_dropped(
            value=float(_RATIOS["f1"](cells)),
            bound=float(np.nanpercentile(_RATIOS["f1"](drawn), 99.5)),
            before=test["f1"],
        ),
    )


def may_be_shown(truth: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_]) -> bool:
    """Whether none of the groups that the figures are ratios of is too small."""
    return not choose_suppressed(_halves(truth)) and not choose_suppressed(_halves(predicted))


def _halves(which: npt.NDArray[np.bool_]) -> dict[bool, int]:
    held = int(np.count_nonzero(which))
    return {True: held, False: len(which) - held}


def _resampled(
    truth: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Bootstrapped confusion matrices and the observed one, each as (tp, fp, fn, tn)."""
    cells = np.array(
        [
            np.count_nonzero(truth & predicted),
            np.count_nonzero(~truth & predicted),
            np.count_nonzero(truth & ~predicted),
            np.count_nonzero(~truth & ~predicted),
        ]
    )
    random = np.random.default_rng(0)  # the same run, the same interval
    drawn = random.multinomial(int(cells.sum()), cells / cells.sum(), RESAMPLES)
    return drawn.astype(np.float64), cells.astype(np.float64)


def _ratio(above: Floats, below: Floats) -> Floats:
    """NaN where it is undefined."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


_RATIOS: Mapping[str, Callable[[Floats], Floats]] = {
    "f1": lambda c: _ratio(2 * c[..., 0], 2 * c[..., 0] + c[..., 1] + c[..., 2]),
    "precision": lambda c: _ratio(c[..., 0], c[..., 0] + c[..., 1]),
    "recall": lambda c: _ratio(c[..., 0], c[..., 0] + c[..., 2]),
}


def _interval(value: Floats, drawn: Floats) -> Interval | None:
    if np.isnan(value):
        return None
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Interval(
        value=round_significant(float(value)),
        low=round_significant(low),
        high=round_significant(high),
    )


def roc_auc(truth: npt.NDArray[np.bool_], probabilities: Floats) -> Interval | None:
    """The area with DeLong, DeLong & Clarke-Pearson's (1988) interval, by mid-ranks."""
    from scipy.stats import rankdata

    positive, negative = probabilities[truth], probabilities[~truth]
    if len(positive) < 2 or len(negative) < 2:
        return None
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[: len(positive)] - rankdata(positive)) / len(negative)
    below = 1 - (ranks[len(positive) :] - rankdata(negative)) / len(positive)
    error = float(
        np.sqrt(np.var(above, ddof=1) / len(positive) + np.var(below, ddof=1) / len(negative))
    )
    return _around(float(np.mean(above)), error)


def _around(value: float, error: float) -> Interval:
    return Interval(
        value=round_significant(value),
        low=round_significant(max(0.0, value - Z95 * error)),
        high=round_significant(min(1.0, value + Z95 * error)),
    )


def fit_calibration(
    labels: npt.NDArray[np.bool_] | None, probabilities: Floats
) -> Calibrator | None:
    """Platt's scaling, fitted on the reference; None without labels of both classes."""
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
    reference_labels: npt.NDArray[np.bool_] | None,
    threshold: float,
) -> Expectation | None:
    """Expected F1 of a window, and of the reference by the same means; None when undefined."""
    calibrated = fit_calibration(reference_labels, reference)
    chance = calibrated or (lambda scores: scores)
    here = _expected_f1(chance(probabilities), probabilities >= threshold)
    there = _expected_f1(chance(reference), reference >= threshold)
    if here is None or there is None:
        return None
    (value, error), (before, _) = here, there
    return Expectation(
        f1=_around(value, error),
        reference_f1=round_significant(before),
        calibrated=calibrated is not None,
        dropped=has_dropped(value=value, bound=value + Z99 * error, before=before),
    )


def _expected_f1(chance: Floats, predicted: npt.NDArray[np.bool_]) -> tuple[float, float] | None:
    """Twice the expected true positives over predicted and expected positives, and the standard
    error of that ratio of sums by the delta method.
    """
    above = 2 * chance * predicted
    below = chance + predicted
    whole = float(below.sum())
    if whole <= 0:
        return None
    value = float(above.sum()) / whole
    return value, float(np.sqrt(np.sum((above - value * below) ** 2))) / whole
