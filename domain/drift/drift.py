"""What a drift run can find, and the rule that decides it.

A difference counts as drift when it is large (effect size), unlikely to be chance (q-value over the
whole family of tests), and based on enough rows. Large samples make tiny differences significant,
and small samples make noise look large, so neither measure is enough alone.
"""

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

Method = Literal["wasserstein", "jensenshannon"]
Aspect = Literal["values", "validity"]
"""What is compared: the distribution of valid values, or how many are valid, missing, invalid."""

EFFECT_THRESHOLD = 0.1
"""The smallest effect size that counts as drift. For numbers it is the Wasserstein distance in
standard deviations of the reference; for categories the Jensen-Shannon distance (base e, at most
0.83). Evidently's default is the same for both."""
Q_THRESHOLD = 0.001
"""The bound on Benjamini & Hochberg's (1995) q-value. In a log without any drift, each family of
tests raises a false alarm with at most this probability. There are two families, columns and
segments, so a daily run is wrong less than once a year, even over few rows, where the effect sizes
of pure noise are large.
"""
MINIMUM_VALUES = 100
"""With fewer valid values in the window, a column's values never count as drifted."""

OTHER = "__other__"
"""Stands for every category outside the contract. The original text never leaves the log."""


class Outcome(StrEnum):
    """Everything that a run can conclude, from the least to the most serious."""

    NO_DATA = "no_data"
    INSUFFICIENT_DATA = "insufficient_data"
    STABLE = "stable"
    DATA_DRIFT = "data_drift"
    PREDICTION_DRIFT = "prediction_drift"
    PERFORMANCE_DROP = "performance_drop"

    @property
    def severity(self) -> int:
        """Its position in the order above."""
        return list(Outcome).index(self)

    @property
    def is_drift(self) -> bool:
        """Whether somebody should look."""
        return self.severity > Outcome.STABLE.severity

    @property
    def is_verdict(self) -> bool:
        """Whether there was enough data to say anything."""
        return self.severity >= Outcome.STABLE.severity


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the most serious outcome; `NO_DATA` when there is none.

    Prediction drift outranks data drift: inputs may change without harm, but when the predictions
    change too, people are treated differently.
    """
    return max(outcomes, key=lambda outcome: outcome.severity, default=Outcome.NO_DATA)


def is_drifted(*, effect: float, q_value: float, rows: int, minimum: int) -> bool:
    """Whether a difference is large, significant, and based on enough rows; false for NaN."""
    if math.isnan(effect) or math.isnan(q_value):
        return False
    return effect >= EFFECT_THRESHOLD and q_value < Q_THRESHOLD and rows >= minimum
