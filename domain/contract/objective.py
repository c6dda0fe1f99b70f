"""What the models of a contract are chosen by: F1, a cost, or precision at a required recall.

It is declared in ``[target]``, at most one of the two:

- ``cost = {false_negative = 5}``: what a wrong answer costs, each 1 if nothing is said. The metric
  is the *saved cost*: 1 for a model without errors, 0 for the cheaper of "yes to all" and "no to
  all".
- ``minimum_recall = 0.85``: the metric is precision, of models that find that share of the
  positives.
"""

from dataclasses import dataclass
from typing import Literal

Metric = Literal["f1", "saved_cost", "precision"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one wrong answer costs, in any unit."""

    false_positive: float = 1.0
    false_negative: float = 1.0


@dataclass(frozen=True, slots=True)
class Objective:
    """F1, unless `cost` or `minimum_recall` is given; at most one of them is."""

    cost: Cost | None = None
    minimum_recall: float | None = None

    @property
    def metric(self) -> Metric:
        """The metric that is maximised."""
        if self.cost is not None:
            return "saved_cost"
        return "f1" if self.minimum_recall is None else "precision"

    @property
    def segment_metric(self) -> Metric:
        """What segments are compared by; in one of low recall, precision is no merit."""
        return self.metric if self.minimum_recall is None else "saved_cost"


F1 = Objective()
"""The objective of a contract that names none."""
