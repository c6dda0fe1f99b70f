"""How a model treats the people of one segment, by the rows that have a label."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from domain.drift.drift import Q_THRESHOLD
from domain.drift.performance import MARGIN
from domain.interval import Interval

GroupMeasure = Literal[
    "selection_rate", "recall", "false_positive_rate", "precision", "f1", "calibration_error"
]
"""Recall is the true positive rate; the selection rate is the share that is called positive."""
GROUP_MEASURES: tuple[GroupMeasure, ...] = get_args(GroupMeasure)
LOWER_IS_BETTER: frozenset[GroupMeasure] = frozenset({"false_positive_rate", "calibration_error"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigure:
    """One figure of a segment's labelled rows in the window, and its value on the reference.

    Either is None where it is undefined or would describe fewer than eleven rows. `p_value` and
    `q_value` are None where too few rows could be compared. `changed`: certainly, and for the
    worse; of the selection rate, in either direction.
    """

    now: Interval | None
    reference: float | None
    p_value: float | None = None
    q_value: float | None = None
    changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPerformance:
    """A segment's rows with a label, `positives` among them, and the figures of these rows.

    The counts are None where they would reveal fewer than eleven people. `has_enough_labels`:
    whether there were enough, of both outcomes and on both sides, to compare them.
    """

    labelled: int | None
    positives: int | None
    has_enough_labels: bool
    figures: Mapping[GroupMeasure, GroupFigure] = field(default_factory=dict)

    @property
    def changed(self) -> tuple[GroupMeasure, ...]:
        """What has certainly changed."""
        return tuple(name for name, figure in self.figures.items() if figure.changed)

    @property
    def declined(self) -> tuple[GroupMeasure, ...]:
        """What has certainly become worse; another selection rate is neither better nor worse."""
        return tuple(name for name in self.changed if name != "selection_rate")


def has_changed(measure: GroupMeasure, *, now: float, before: float, q_value: float) -> bool:
    """Whether a figure differs by MARGIN or more, for the worse, and chance does not explain it."""
    worse = now - before if measure in LOWER_IS_BETTER else before - now
    if measure == "selection_rate":
        worse = abs(worse)
    return worse >= MARGIN and q_value < Q_THRESHOLD
