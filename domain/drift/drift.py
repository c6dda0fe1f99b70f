"""What a drift run can find, and the rule that finds it.

A difference counts as drift when it is large (effect size), not luck (q-value over the whole
family of tests) and based on enough rows. Large samples make tiny differences significant and
small ones make noise large, so neither measure alone will do.
"""

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

Method = Literal["wasserstein", "jensenshannon"]
Aspect = Literal["values", "validity"]
"""What is compared: the distribution of valid values, or how many are valid, missing, invalid."""

EFFECT_THRESHOLD = 0.1
"""Normed Wasserstein distance (standard deviations of the reference) and Jensen-Shannon
distance (base e, at most 0.83): the same threshold is Evidently's default for both."""
Q_THRESHOLD = 0.001
"""Benjamini & Hochberg (1995). Nothing has changed in a quiet log, so there each family of tests
alarms with at most this probability. There are two, the columns' and the segments': a daily run
over few rows, where the effect sizes of mere noise are large, is wrong less than once a year.
"""
MINIMUM_VALUES = 100
"""A column with fewer valid values in the window is not judged by its values."""

OTHER = "__other__"
"""Stands for every category outside the contract; the text itself never leaves the log."""


class Outcome(StrEnum):
    """The closed set of what a run can find, from the least to the most serious."""

    NO_DATA = "no_data"
    INSUFFICIENT_DATA = "insufficient_data"
    STABLE = "stable"
    DATA_DRIFT = "data_drift"
    PREDICTION_DRIFT = "prediction_drift"
    PERFORMANCE_DROP = "performance_drop"

    @property
    def severity(self) -> int:
        """Its place in the order above."""
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
    """The most serious of several; `NO_DATA` of none.

    So prediction drift wins over data drift: inputs may move without any harm, but when the
    answers move too, somebody is treated differently.
    """
    return max(outcomes, key=lambda outcome: outcome.severity, default=Outcome.NO_DATA)


def is_drifted(*, effect: float, q_value: float, rows: int, minimum: int) -> bool:
    """The rule: large enough, significant, and on enough rows. NaN is never drift."""
    if math.isnan(effect) or math.isnan(q_value):
        return False
    return effect >= EFFECT_THRESHOLD and q_value < Q_THRESHOLD and rows >= minimum
