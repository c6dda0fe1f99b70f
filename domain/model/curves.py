"""What the plots of a model card are drawn from, without a figure of fewer than eleven people."""

from collections.abc import Mapping
from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Points of curves over the test rows, and what the answers rest on.

    `importance`: feature → mean absolute SHAP value in log odds, the most important first.
    `roc`: (false positive rate, recall) from (0, 0) to (1, 1). `calibration`: (mean probability,
    share of positives) of groups of equal size. Between two neighbouring points, and in each group,
    lie no or at least eleven rows of either outcome.
    """

    importance: Mapping[str, float]
    roc: tuple[Point, ...]
    calibration: tuple[Point, ...]

    @property
    def shares(self) -> dict[str, float]:
        """Each feature's share of the whole importance; empty where nothing has any."""
        total = sum(self.importance.values())
        return {name: value / total for name, value in self.importance.items()} if total else {}
