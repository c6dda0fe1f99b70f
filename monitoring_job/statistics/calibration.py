"""Platt's scaling: how a model's probabilities relate to the outcome, and how sure that is.

J. Platt, "Probabilistic Outputs for Support Vector Machines" (1999): the log odds of the outcome
are a line in the log odds of the model's probability. The errors of intercept and slope come from
the curvature of the likelihood.
"""

from dataclasses import dataclass

import numpy as np

from domain.drift.disclosure import round_interval
from domain.drift.performance import Calibration, is_miscalibrated
from domain.interval import Interval
from tabular.classification import Z95, Bools, Floats

EDGE = 1e-6
"""Probabilities are moved this far away from 0 and 1, where log odds are infinite."""


@dataclass(frozen=True)
class Line:
    """The fitted line. `coefficients`: intercept and slope; `covariance` of their errors."""

    coefficients: Floats
    covariance: Floats

    def apply(self, probabilities: Floats, step: Floats | float = 0.0) -> Floats:
        """The calibrated probabilities. `step`: is added to the coefficients."""
        intercept, slope = self.coefficients + step
        return expit(intercept + slope * log_odds(probabilities))


AS_GIVEN = Line(np.array([0.0, 1.0]), np.zeros((2, 2)))
"""Takes the model's probabilities as they are."""


def fit_line(labels: Bools | None, probabilities: Floats) -> Line | None:
    """Fit the line; None unless there are labels of both classes."""
    if labels is None or not 0 < np.count_nonzero(labels) < len(labels):
        return None
    from sklearn.linear_model import LogisticRegression

    inputs = log_odds(probabilities)
    model = LogisticRegression(C=1e6, solver="newton-cholesky").fit(inputs.reshape(-1, 1), labels)
    line = np.array([model.intercept_[0], model.coef_[0, 0]])
    chances = expit(line[0] + line[1] * inputs)
    columns = np.column_stack([np.ones_like(inputs), inputs])
    curvature = (columns * (chances * (1 - chances))[:, None]).T @ columns
    # All probabilities may be equal; then the slope is unknown.
    return Line(line, np.asarray(np.linalg.pinv(curvature, hermitian=True), dtype=np.float64))


def measure_calibration(
    labels: Bools, probabilities: Floats, reference: Line, *, all_labelled: bool
) -> Calibration | None:
    """Compare a window's labels with its probabilities, calibrated on the reference.

    None without labels of both classes. `all_labelled`: whether nearly all predictions have their
    label. Otherwise there is no ratio, because labels often arrive for the positive outcomes first,
    which does not change the slope.
    """
    found = fit_line(labels, reference.apply(probabilities))
    if found is None:
        return None
    # The reference's own slope is 1 on its own scale, with this relative error.
    with np.errstate(divide="ignore"):
        relative = reference.covariance[1, 1] / reference.coefficients[1] ** 2
    slope = float(found.coefficients[1]), float(np.sqrt(found.covariance[1, 1] + relative))
    if not np.all(np.isfinite(slope)):
        return None  # the reference's probabilities say nothing about its outcomes
    ratio = _observed_ratio(labels, probabilities, reference) if all_labelled else None
    return Calibration(
        slope=_interval(*slope),
        observed_ratio=_interval(*ratio) if ratio else None,
        declined=is_miscalibrated(*slope) or (ratio is not None and is_miscalibrated(*ratio)),
    )


def _observed_ratio(labels: Bools, probabilities: Floats, reference: Line) -> tuple[float, float]:
    """Observed by expected positives, and its standard error: of the labels and of the line."""
    chances = reference.apply(probabilities)
    weights = chances * (1 - chances)
    gradient = np.array([weights.sum(), weights @ log_odds(probabilities)])
    variance = float(weights.sum() + gradient @ reference.covariance @ gradient)
    expected = float(chances.sum())
    return float(np.count_nonzero(labels)) / expected, float(np.sqrt(variance)) / expected


def _interval(value: float, error: float) -> Interval:
    return round_interval(Interval(value, value - Z95 * error, value + Z95 * error))


def log_odds(probabilities: Floats) -> Floats:
    """The logarithms of the odds."""
    inside = np.clip(probabilities, EDGE, 1 - EDGE)
    return np.asarray(np.log(inside / (1 - inside)))


def expit(values: Floats) -> Floats:
    """The probabilities of log odds."""
    from scipy import special

    return np.asarray(special.expit(values))
