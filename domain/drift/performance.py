"""How well a model does on a window: measured with labels, or expected without.

Undefined figures are None: precision without a positive prediction, recall without a positive
label, F1 without either, ROC AUC without both classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

METRICS = ("f1", "precision", "recall", "roc_auc")
MARGIN = 0.05
"""A drop of F1 smaller than this is nobody's concern, however certain."""
MINIMUM_LABELS = 100
MINIMUM_POSITIVES = 30
"""With fewer labels, or fewer sick ones among them, figures are shown and not judged."""

ESTIMATE_NOTE = (
    "Estimated from the model's own probabilities, calibrated on its reference sample: void "
    "when the relation between inputs and outcome has changed (concept drift)."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Measured on the predictions of the sample whose label has come, eleven or more.

    `coverage`: their share of the sample. `test`: the same figures on the test rows, from the
    version's card. `judged`: whether there are labels enough for a verdict. What would tell about
    fewer than eleven rows is None: `labelled` and `coverage` when as few have no label,
    `positives` and the figures when as few have one truth or one answer.
    """

    labelled: int | None
    coverage: float | None
    positives: int | None
    figures: Mapping[str, Interval | None] = field(default_factory=dict)
    test: Mapping[str, float] = field(default_factory=dict)
    judged: bool = False
    dropped: bool = False

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of `asdict`."""
        figures = {name: f and Interval(**f) for name, f in fields["figures"].items()}
        return cls(**{**fields, "figures": figures})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """F1 as the probabilities promise it, here and on the reference; always with its `note`.

    `calibrated` is false when the reference has no labels to calibrate with.
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
    """Lower by the margin or more, and with the whole interval (up to `bound`) below."""
    return value <= before - MARGIN and bound < before


def read_test_figures(card: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a card that are numbers, or carry one as `value`; others are left out."""
    metrics = card.get("metrics")
    found = {}
    for name in METRICS if isinstance(metrics, Mapping) else ():
        figure = metrics.get(name)  # type: ignore[union-attr]  # a mapping, or no name
        number = figure.get("value") if isinstance(figure, Mapping) else figure
        if isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number <= 1:
            found[name] = float(number)
    return found


read_test_figures.__test__ = False  # type: ignore[attr-defined]  # pytest takes it for a test
