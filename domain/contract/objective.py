"""What the models of a contract are chosen by: F1, a cost, or one error at a limit on the other.

It is declared in ``[target]``, at most one of the three:

- ``cost = {false_negative = 5}``: what a wrong answer costs, each 1 if nothing is said. The metric
  is the *saved cost*: 1 for a model without errors, 0 for the cheaper of "yes to all" and "no to
  all".
- ``minimum_recall = 0.85``: the metric is precision, of models that find that share of the
  positives.
- ``minimum_precision = 0.6``: the metric is recall, of models of whose positive answers that share
  is right.
"""

from dataclasses import dataclass
from typing import Literal

Metric = Literal["f1", "saved_cost", "precision", "recall"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one wrong answer costs, in any unit."""

    false_positive: float = 1.0
    false_negative: float = 1.0


@dataclass(frozen=True, slots=True)
class Requirement:
    """A figure that a model must reach, while its counterpart is maximised."""

    metric: Literal["precision", "recall"]
    minimum: float

    @property
    def key(self) -> str:
        """What ``[target]`` calls it."""
        return f"minimum_{self.metric}"


@dataclass(frozen=True, slots=True)
class Objective:
    """F1, unless one of `cost`, `minimum_recall` and `minimum_precision` is given."""

    cost: Cost | None = None
    minimum_recall: float | None = None
    minimum_precision: float | None = None

    @property
    def requirement(self) -> Requirement | None:
        """The figure that must be reached, if there is one."""
        if self.minimum_recall is not None:
            return Requirement("recall", self.minimum_recall)
        if self.minimum_precision is not None:
            return Requirement("precision", self.minimum_precision)
        return None

    @property
    def metric(self) -> Metric:
        """The metric that is maximised."""
        if self.cost is not None:
            return "saved_cost"
        if self.requirement is not None:
            return "precision" if self.requirement.metric == "recall" else "recall"
        return "f1"

    @property
    def segment_metric(self) -> Metric:
        """What segments are compared by: where a figure is required, the saved cost weighs both."""
        return self.metric if self.requirement is None else "saved_cost"


F1 = Objective()
"""The objective of a contract that names none."""
