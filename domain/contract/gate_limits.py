"""The table ``[gate]`` of a contract: the limits that a challenger must keep."""

from dataclasses import dataclass

DEFAULT_MINIMUM_F1 = 0.5
"""Holds where F1 is the objective and the contract names no minimum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLimits:
    """Shares from 0 to 1.

    `minimum_f1`: the lowest test F1. `maximum_calibration_error`: see
    `training_job.evaluation.calibration`. `segment_margin`: the largest loss of the contract's
    metric in a segment.
    """

    minimum_f1: float | None = None
    maximum_calibration_error: float = 0.15
    segment_margin: float = 0.05
