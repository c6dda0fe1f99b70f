"""The table ``[gate]`` of a contract: the limits that a challenger must keep."""

from dataclasses import dataclass, fields, replace
from typing import Literal, Self, get_args

SegmentMetric = Literal["f1", "precision", "recall", "false_positive_rate"]
SEGMENT_METRICS: tuple[SegmentMetric, ...] = get_args(SegmentMetric)

DEFAULT_MINIMUM_F1 = 0.5
"""Holds where F1 is the objective and the contract names no minimum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLimits:
    """What a challenger must keep; limits are shares from 0 to 1.

    `minimum_f1`: the lowest test F1. `maximum_calibration_error`: see
    `tabular.calibration`. `segment_margin`: by how much a segment may get worse,
    in `segment_metric`; that is the objective's metric where the contract names none.

    `smallest_gain`: the smallest gain that is worth having; the newest production rows decide when
    they can see it. Then `uploaded_margin` is by how much the uploaded test rows may get worse.
    `maximum_changed_answers`: the largest share of logged requests that a challenger may answer
    otherwise than the champion; no limit where the contract names none.
    `is_minimum_given`: whether `minimum_f1` was given for one training, and is not the contract's.
    """

    minimum_f1: float | None = None
    maximum_calibration_error: float = 0.15
    segment_margin: float = 0.05
    segment_metric: SegmentMetric | None = None
    smallest_gain: float = 0.02
    uploaded_margin: float = 0.05
    maximum_changed_answers: float | None = None
    is_minimum_given: bool = False

    def give_minimum_f1(self, minimum: float) -> Self:
        """Replace the contract's minimum for one training."""
        return replace(self, minimum_f1=minimum, is_minimum_given=True)


GATE_KEYS = tuple(field.name for field in fields(GateLimits) if field.name != "is_minimum_given")
"""The keys of the table."""
