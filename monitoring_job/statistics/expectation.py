"""F1 of a window without labels, estimated from the model's probabilities.

F1 is twice the expected true positives, divided by the predicted plus the expected positives, where
the calibrated probability is the chance of each row to be positive (CBPE, confidence-based
performance estimation). Calibration holds only for what the reference was like, so two assumptions
bound what may have happened since:

- *covariate shift*: the inputs have changed, their relation to the outcome has not. Then the
  calibrated probability is still right.
- *label shift*: the share of positive outcomes has changed, what the sick and the healthy look like
  has not. Then the probability is adjusted to the most likely prevalence of the window (M. Saerens,
  P. Latinne, C. Decaestecker, "Adjusting the Outputs of a Classifier to New a Priori
  Probabilities", 2002). Their EM algorithm climbs to the root that is searched for directly here.

An interval holds the F1 that the window's labels will give: its error is that of the labels given
the probabilities, that of the calibration, and that of the estimated prevalence.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from domain.drift.disclosure import round_interval, round_significant
from domain.drift.performance import MARGIN, Expectation, LabelShift
from domain.interval import Interval
from monitoring_job.statistics.calibration import AS_GIVEN, fit_line
from tabular.classification import Z95, Bools, Floats

Z99 = 2.575829
"""Quantile of the normal distribution. A drop must hold at 99 %, under both assumptions."""
STEP = 1e-3
"""Change of a parameter by which its influence on F1 is measured."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected F1.

    `error`: its standard error as a forecast of the F1 that the window's own labels will give.
    `sampling`: as an estimate of the F1 in the population that the window was drawn from.
    """

    value: float
    error: float
    sampling: float

    @property
    def interval(self) -> Interval:
        """The 95 % interval, as it may be published."""
        low, high = self.value - Z95 * self.error, self.value + Z95 * self.error
        return round_interval(Interval(self.value, max(0.0, low), min(1.0, high)))

    def is_below(self, before: "Estimate") -> bool:
        """Whether it is lower by MARGIN or more, and certainly lower."""
        difference = self.value - before.value
        error = float(np.hypot(self.sampling, before.sampling))
        return difference <= -MARGIN and difference + Z99 * error < 0


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
    fitted = fit_line(reference_labels, reference)
    line = fitted or AS_GIVEN
    chances, predicted = line.apply(reference), probabilities >= threshold
    before = estimate_f1(lambda _: chances, reference >= threshold, np.zeros((0, 0)))
    if_inputs_changed = estimate_f1(
        lambda moved: line.apply(probabilities, moved), predicted, line.covariance
    )
    if before is None or if_inputs_changed is None:
        return None
    old = float(chances.mean())
    share, variance = find_prevalence(line.apply(probabilities), old)

    def adjust_to_prevalence(moved: Floats) -> Floats:
        calibrated = line.apply(probabilities, moved[:2])
        new = find_prevalence(calibrated, old)[0] + moved[2]
        return adjust(calibrated, old, new)

    covariance = np.zeros((3, 3))
    covariance[:2, :2], covariance[2, 2] = line.covariance, variance
    if_labels_changed = estimate_f1(adjust_to_prevalence, predicted, covariance)
    label_shift = None
    if if_labels_changed is not None:
        label_shift = LabelShift(f1=if_labels_changed.interval, prevalence=round_significant(share))
    return Expectation(
        f1=if_inputs_changed.interval,
        label_shift=label_shift,
        reference_f1=round_significant(before.value),
        calibrated=fitted is not None,
        dropped=if_inputs_changed.is_below(before)
        and (if_labels_changed is None or if_labels_changed.is_below(before)),
    )


def estimate_f1(
    chances_at: Callable[[Floats], Floats], predicted: Bools, covariance: Floats
) -> Estimate | None:
    """Expected F1; None when nothing is or is called positive.

    `chances_at`: the chance of each row to be positive when the estimated parameters are moved by
    so much; `covariance`: of their errors. Errors come from the delta method.
    """
    still = np.zeros(len(covariance))
    chances = chances_at(still)
    below = float(np.sum(chances + predicted))
    if below <= 0:
        return None
    value = _divide(chances, predicted)
    slopes = np.array(
        [
            (_divide(chances_at(step), predicted) - _divide(chances_at(-step), predicted))
            / (2 * STEP)
            for step in STEP * np.eye(len(covariance))
        ]
    )
    of_labels = float(np.sum(chances * (1 - chances) * (2 * predicted - value) ** 2)) / below**2
    of_parameters = float(slopes @ covariance @ slopes) if slopes.size else 0.0
    of_rows = float(np.sum((2 * chances * predicted - value * (chances + predicted)) ** 2))
    return Estimate(
        value, float(np.sqrt(of_labels + of_parameters)), float(np.sqrt(of_rows)) / below
    )


def _divide(chances: Floats, predicted: Bools) -> float:
    return float(2 * np.sum(chances * predicted) / np.sum(chances + predicted))


def find_prevalence(chances: Floats, old: float) -> tuple[float, float]:
    """The most likely share of positives in the window, and the variance of its error.

    `chances`: calibrated where the share is `old`. The derivative of the log likelihood falls in
    the share, so its root is the maximum that EM approaches.
    """
    from scipy import optimize

    if not 0 < old < 1:
        return old, 0.0
    positive, negative = chances / old, (1 - chances) / (1 - old)
    rise = positive - negative

    def derivative(share: float) -> float:
        return float(np.sum(rise / (negative + share * rise)))

    low, high = 1e-9, 1 - 1e-9
    if derivative(low) <= 0:
        share = low
    elif derivative(high) >= 0:
        share = high
    else:
        share = float(optimize.brentq(derivative, low, high, xtol=1e-9))
    information = float(np.sum((rise / (negative + share * rise)) ** 2))
    return share, 1 / information if information > 0 else 0.0


def adjust(chances: Floats, old: float, new: float) -> Floats:
    """Calibrated probabilities after the share of positives has changed from `old` to `new`."""
    if not 0 < old < 1:
        return chances
    share = min(max(new, 0.0), 1.0)
    positive, negative = share / old * chances, (1 - share) / (1 - old) * (1 - chances)
    return positive / np.maximum(positive + negative, np.finfo(np.float64).tiny)
