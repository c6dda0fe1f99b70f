"""What the gate decides by: figures of a challenger and of the champion, on which rows.

`Evidence` holds those of one set of rows, `Recent` those of the newest labelled production rows.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from domain.contract.gate_limits import GateLimits, SegmentMetric
from domain.contract.objective import Metric, Objective
from domain.interval import Interval
from domain.model.alpha_investing import detectable_gain, required_errors
from domain.model.left_out import LeftOut
from domain.model.missing_effect import MissingEffect

SEGMENT_POSITIVES = 50
"""A segment with fewer can't stop a promotion: its F1 is too uncertain. For the false positive
rate, as many negatives are needed."""
LEAST_LABELS, LEAST_POSITIVES = 100, 30
"""With fewer labels production rows have no part in the verdict."""
METRICS: Mapping[Metric | SegmentMetric, str] = {
    "f1": "F1",
    "saved_cost": "saved cost",
    "precision": "precision",
    "recall": "recall",
    "false_positive_rate": "false positive rate",
}
Case = Literal["contract_changed", "bundle_damaged"]
Rule = Literal["first", "paired", "contract_changed", "bundle_damaged"]
Role = Literal["decides", "objects", "none"]
"""What production rows may do in a verdict."""


@dataclass(frozen=True, slots=True)
class SegmentChange:
    """The challenger's metric in a segment minus the champion's.

    The metric is the contract's, or the one that it names for segments.
    """

    name: str
    rows: int
    positives: int
    change: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredComparison:
    """What a required recall, or precision, adds to a comparison on the same rows.

    `champion`: its required figure. `gain`: the challenger's minus that. `cost_of_a_miss`: in false
    alarms, as the thresholds imply it. `saved_cost_gain`: the challenger's saved cost by that price
    minus the champion's.
    """

    champion: Interval
    gain: Interval
    cost_of_a_miss: float
    saved_cost_gain: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """A champion scored on the challenger's test rows.

    `value`: its metric. `gain`: the challenger's metric minus that. `standard_error`: the gain's.
    `required`: None unless the contract requires a recall or a precision.
    """

    version: str
    value: float
    gain: Interval
    standard_error: float
    required: RequiredComparison | None = None
    segments: tuple[SegmentChange, ...] = ()

    @property
    def detectable_gain(self) -> float:
        """The gain that such a test proves in 80 of 100 cases, if it is the first on its rows."""
        return detectable_gain(self.standard_error, 0)

    def proves_gain(self, earlier: int) -> bool:
        """Whether the gain is surely above zero after so many earlier tests on the same rows."""
        required = required_errors(earlier) * self.standard_error
        return self.gain.low > 0 and (not earlier or self.gain.value > required)


@dataclass(frozen=True, slots=True)
class Unscorable:
    """A champion that can't be scored on these rows. `recorded`: the metric on its card."""

    version: str
    case: Case
    recorded: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The figures of a challenger and of the champion on the test rows.

    `figures`: at least F1, precision, recall, ROC AUC, relative calibration error and the
    objective's metric. `constant`: the metric of the best constant answer.
    `chance_calibration_error`: what a perfectly calibrated model exceeds once in forty times.
    `earlier_verdicts`: on such rows against the same champion. `place`: which rows these are, as
    the first word of a sentence.
    """

    objective: Objective
    figures: Mapping[str, Interval]
    constant: float
    chance_calibration_error: float
    champion: Paired | Unscorable | None
    earlier_verdicts: int = 0
    left_out: LeftOut | None = None
    missing: tuple[MissingEffect, ...] = ()
    place: str = "Test"

    @property
    def metric(self) -> Interval:
        """The challenger's figure that decides."""
        return self.figures[self.objective.metric]

    @property
    def metric_name(self) -> str:
        """Its name in sentences."""
        return METRICS[self.objective.metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """What the newest labelled production rows show; predicted in ``[start, end)`` (UTC ms).

    `evidence` compares the challenger with the champion's own logged answers. `effective_rows`: as
    many rows of equal weight are as informative. `fresh`: whether no earlier verdict used any.
    """

    evidence: Evidence
    labels: int
    positives: int
    effective_rows: float
    start: int
    end: int
    fresh: bool = True

    def choose_role(self, limits: GateLimits) -> Role:
        """What they may do: decide, object, or nothing."""
        champion = self.evidence.champion
        if not isinstance(champion, Paired) or self.labels < LEAST_LABELS:
            return "none"
        if min(self.positives, self.labels - self.positives) < LEAST_POSITIVES:
            return "none"
        if self.detectable_gain <= limits.smallest_gain or self.proves(limits.smallest_gain):
            return "decides"
        return "objects"

    def proves(self, gain: float) -> bool:
        """Whether they surely show more than such a gain, after all earlier tests."""
        champion = self.evidence.champion
        if not isinstance(champion, Paired):
            return False
        required = required_errors(self.evidence.earlier_verdicts) * self._error(champion)
        return min(champion.gain.low, champion.gain.value - required) > gain

    def _error(self, champion: Paired) -> float:
        """The gain's standard error.

        Where hardly any answer differs the bootstrap knows none. Three rows that differ may still
        be unseen, each of which changes F1 by about half a positive.
        """
        return max(champion.standard_error, math.sqrt(3) / (2 * max(self.positives, 1)))

    @property
    def detectable_gain(self) -> float:
        """The gain that they prove in 80 of 100 cases; infinite without a scored champion."""
        champion = self.evidence.champion
        if not isinstance(champion, Paired):
            return math.inf
        return detectable_gain(self._error(champion), self.evidence.earlier_verdicts)


def keeps_calibration(error: float, limits: GateLimits) -> bool:
    """Whether a relative calibration error is within the limit."""
    return error <= limits.maximum_calibration_error
