"""How well a model performs on a window: measured with labels, or estimated without.

Undefined figures are None: precision without a positive prediction, recall without a positive
label, F1 without either, ROC AUC without both classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from domain.interval import Interval
from domain.model.card import ModelCard

METRICS = ("f1", "precision", "recall", "roc_auc")
MARGIN = 0.05
"""A smaller drop of F1 is ignored, however certain it is."""
MINIMUM_LABELS = 100
MINIMUM_POSITIVES = 30
"""With fewer labels, or fewer positive ones, figures are shown but give no verdict."""

ESTIMATE_NOTE = (
    "Estimated from the model's own probabilities, calibrated on its reference sample. Not valid "
    "when the relation between inputs and outcome has changed (concept drift)."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Figures measured on those predictions of the sample that have a label, eleven or more.

    `coverage` is their share of the sample. `test` holds the same figures on the test rows, from
    the version's card. `has_enough_labels`: whether there are enough for a verdict; `dropped` is
    false otherwise.

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

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of `asdict`."""
        figures = {name: f and Interval(**f) for name, f in fields["figures"].items()}
        return cls(**{**fields, "figures": figures})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """F1 estimated from the probabilities, in the window and on the reference.

    `calibrated` is false when the reference has no labels to calibrate with. `note` says what the
    estimate is worth, and is shown wherever the estimate is.
    """

    f1: Interval
    reference_f1: float
    calibrated: bool
    dropped: bool
    note: str = ESTIMATE_NOTE

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of `asdict`."""
        return cls(**{**fields, "f1": Interval(**fields["f1"])})


def has_dropped(*, value: float, bound: float, before: float) -> bool:
    """Whether `value` is lower by MARGIN or more, and its upper `bound` is below `before` too."""
    return value <= before - MARGIN and bound < before


def read_test_figures(card: ModelCard | None) -> dict[str, float]:
    """The figures on the test rows that a window's performance is compared with."""
    return {name: card.metrics[name] for name in METRICS if name in card.metrics} if card else {}
