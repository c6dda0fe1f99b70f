"""A figure with its confidence interval."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the bounds of its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def widened(self, factor: float) -> "Interval":
        """The interval with both bounds so many times as far from the value."""
        low, high = self.value - self.low, self.high - self.value
        return Interval(self.value, self.value - factor * low, self.value + factor * high)
