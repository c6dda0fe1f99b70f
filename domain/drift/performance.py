"""How well a model performs on a window: measured with labels, or estimated without.

Undefined figures are None: precision without a positive prediction, recall without a positive
label, F1 without either, ROC AUC without both classes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from domain.interval import Interval
from domain.model.card import ModelCard

METRICS = ("f1", "precision", "recall", "roc_auc")
Measure = Literal["f1", "roc_auc", "calibration"]
"""What can decline."""
MARGIN = 0.05
"""A smaller drop of F1 or of ROC AUC is ignored, however certain it is."""
CALIBRATION_LIMIT = 1.25
"""Calibration is ignored while slope and observed ratio may lie between 1 / 1.25 and 1.25."""
Z999 = 3.290527
"""Quantile of the normal distribution. Intervals are shown at 95 %, but a decline must hold at
99.9 %: labels may arrive every day, and each day is another chance to be wrong."""
MINIMUM_LABELS = 100
MINIMUM_POSITIVES = 30
"""With fewer labels, or fewer positive ones, figures are shown but give no verdict."""

ESTIMATE_NOTE = (
    "Estimated from the model's own probabilities, calibrated on its reference sample, under two "
    "assumptions: that only the inputs have changed (covariate shift), or that only the share of "
    "positive outcomes has (prevalence, or label shift). Not valid when the relation between "
    "inputs and outcome has changed (concept drift); only labels can show that."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A window's labels against its probabilities, calibrated on the reference.

    `slope`: of the outcome's log odds in those of the probability; below 1, the model is too sure.
    `observed_ratio`: observed by expected positives; None unless nearly all predictions have their
    label. `declined`: whether either is certainly off.
    """

    slope: Interval
    observed_ratio: Interval | None
    declined: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Figures measured on those predictions of the sample that have a label, eleven or more.

    `coverage` is their share of the sample. `test` holds the same figures on the test rows, from
    the version's card. `has_enough_labels`: whether there are enough for a verdict; without them
    nothing has `declined`, and `dropped` is false.

    What would describe fewer than eleven rows is None: `labelled` and `coverage` when so few have
    no label, `positives` and the figures when so few have one of the outcomes or answers.
    """

    labelled: int | None
    coverage: float | None
    positives: int | None
    figures: Mapping[str, Interval | None] = field(default_factory=dict)
    test: Mapping[str, float] = field(default_factory=dict)
    has_enough_labels: bool = False
    dropped: bool = False
    calibration: Calibration | None = None
    declined: tuple[Measure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelShift:
    """F1 if only the share of positive outcomes has changed: `prevalence` of the window."""

    f1: Interval
    prevalence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """F1 estimated from the probabilities, in the window and on the reference.

    `f1`: if only the inputs have changed. `label_shift`: if only the prevalence has; None where
    undefined, and in runs that were written before it existed. `dropped` only when both say so.
    `calibrated` is false when the reference has no labels to calibrate with. `note` says what the
    estimate is worth, and is shown wherever the estimate is.
    """

    f1: Interval
    label_shift: LabelShift | None = None
    reference_f1: float
    calibrated: bool
    dropped: bool
    note: str = ESTIMATE_NOTE


def has_dropped(*, now: Interval, before: Interval) -> bool:
    """Whether a figure is lower by MARGIN or more, and the difference is certain at 99.9 %.

    The errors of both figures count; those in the direction of each other, because intervals near
    0 and 1 are not symmetric (G. Zou, A. Donner, "Construction of confidence limits about effect
    measures", 2008). Both intervals are at 99.9 %.
    """
    difference = now.value - before.value
    error = math.hypot(now.high - now.value, before.value - before.low)
    return difference <= -MARGIN and difference + error < 0


def is_miscalibrated(value: float, error: float) -> bool:
    """Whether a slope or ratio with this standard error is certainly beyond CALIBRATION_LIMIT."""
    low, high = value - Z999 * error, value + Z999 * error
    return high < 1 / CALIBRATION_LIMIT or low > CALIBRATION_LIMIT


def read_test_figures(card: ModelCard | None) -> dict[str, Interval]:
    """The figures that a window's performance is compared with: those on the rows that decided.

    These are the newest production rows if they had enough labels, and else the uploaded test rows.
    """
    if card is None:
        return {}
    decided = card.recent if card.recent is not None and card.recent_role == "decides" else card
    metrics, intervals = decided.metrics, decided.intervals
    return {
        name: Interval(metrics[name], *intervals.get(name, (metrics[name], metrics[name])))
        for name in METRICS
        if name in metrics
    }
