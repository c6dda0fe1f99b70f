"""How well a model performs, estimated from the labels of predictions that were drawn for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.drift.performance import MARGIN
from domain.interval import Interval

ENOUGH_LABELLED = 0.9
"""A draw gives a verdict once this share of it has a label. The missing ones may be missing for a
reason: outcomes of the sick often come first."""
SINGLE_DRAW_P = 0.05
"""The bound on the p-value of one draw. With the bound on the size of a fall, a year of monthly
draws without any change brings 0.2 to 0.5 false alarms (`benchmarks.learning.label_budget`)."""
EXPIRY_DAYS = 92
"""A draw speaks for runs that end within this time after its window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPerformance:
    """Figures for all predictions of the draw's window ``[start, end)``, from its labels.

    `draw`: its id. `drawn`: how many predictions were to be labelled; `labelled`: how many are.
    `test`: the figures on the test rows. `p_value`: how often calibrated probabilities bring labels
    that speak so much for a lower F1 by chance alone. `has_enough_labels`: whether there are enough
    for a verdict; without them `dropped` is false. What would describe fewer than eleven rows is
    None.
    """

    draw: str
    start: int
    end: int
    drawn: int
    labelled: int | None
    figures: Mapping[str, Interval | None] = field(default_factory=dict)
    test: Mapping[str, float] = field(default_factory=dict)
    p_value: float | None = None
    has_enough_labels: bool = False
    dropped: bool = False


def is_dropped(*, f1: float, test: float, p_value: float) -> bool:
    """Whether F1 has fallen enough to matter, and by more than chance explains.

    The estimate says how large the fall is, and the p-value whether anything has changed. A rare
    outcome where none was expected raises the error of the estimate, and so its interval would hide
    just those changes that the labels show most clearly.
    """
    return f1 <= test - MARGIN and p_value <= SINGLE_DRAW_P
