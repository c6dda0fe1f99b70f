"""What a drift run can find, and the rule that decides it.

A difference counts as drift when it is large (effect size), unlikely to be chance (q-value over the
whole family of tests), and based on enough rows. Large samples make tiny differences significant,
and small samples make noise look large, so neither measure is enough alone.

A distance is the right measure of a whole distribution, but not of something rare: a share that
doubles from 1 to 2 % moves a distance by 0.03. So shares have limits of their own.
"""

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

Method = Literal["wasserstein", "jensenshannon", "odds_ratio", "share_difference", "share_ratio"]
"""How an effect is measured: as a distance of two distributions, as the ratio of the odds of one
group, as the change of a share (0.01 is one percentage point), or as the ratio of two shares."""
RATIOS: frozenset[Method] = frozenset({"odds_ratio", "share_ratio"})
"""Methods whose effect is 1 without a change, and as large at 1/2 as at 2."""
DISTANCES: frozenset[Method] = frozenset({"wasserstein", "jensenshannon"})
Aspect = Literal["values", "validity", "decisions"]
"""What is compared: the distribution of valid values; how many are missing or invalid; how many
predictions are positive."""

Rhythm = Literal["explained", "new", "lasting"]
"""What the weeks before say of a difference from the reference. It is *explained* when the same
weekday was like that, too, and the seven days before, taken together, were like the reference. It
is *new* when it differs from the same weekday, too. It is *lasting* when those seven days differ
from the reference as well."""

EFFECT_THRESHOLD = 0.1
"""The smallest distance that counts as drift. For numbers it is the Wasserstein distance in
standard deviations of the reference; for categories the Jensen-Shannon distance (base e, at most
0.83). Evidently's default is the same for both."""
ODDS_RATIO_LIMIT = 1.5
"""The odds of a flag, of a category or of a missing value have drifted from this ratio on."""
ADDED_SHARE_LIMIT = 0.005
"""Missing or invalid values have drifted when their share has grown by this much."""
POSITIVE_RATIO_LIMIT = 1.2
"""The share of positive predictions has drifted from this ratio on."""
SINGLE_TEST_P = 0.0003
"""The bound on the p-value of a test that is a family of its own: the share of positive
predictions, and the domain classifier."""
Q_THRESHOLD = 0.001
"""The bound on Benjamini & Hochberg's (1995) q-value. In a log without any drift, each family of
tests raises a false alarm with at most this probability. There are two families, columns and
segments, so a daily run is wrong less than once a year, even over few rows, where the effect sizes
of pure noise are large.
"""
CLASSIFIER_AUC = 0.52
"""Window and reference differ as a whole from this area under the ROC curve on."""
CLASSIFIER_ROWS = 3_000
"""With fewer rows on one side, the domain classifier is not tried: it would find nothing."""
MINIMUM_VALUES = 100
"""With fewer valid values in the window, a column's values never count as drifted."""


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


def strength(method: Method, effect: float, limit: float) -> float:
    """How large an effect is in multiples of its limit, so that effects can be ranked.

    Ratios are compared as logarithms: with the limit 1.5, a ratio of 2.25 or 1/2.25 has strength 2.
    """
    if method not in RATIOS:
        return effect / limit
    return abs(math.log(effect)) / math.log(limit) if effect > 0 else math.nan


def is_drifted(*, strength: float, q_value: float, below: float, rows: int, minimum: int) -> bool:
    """Whether a difference is large, significant, and based on enough rows; false for NaN.

    `strength`: of the effect; of a distance, of its lower bound. `below`: the bound on `q_value`.
    """
    if math.isnan(strength) or math.isnan(q_value):
        return False
    return strength >= 1.0 and q_value < below and rows >= minimum
