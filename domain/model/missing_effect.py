"""What a model answers when a feature that may be missing is missing."""

from dataclasses import dataclass

LARGEST_FACTOR = 2.0
"""If values go missing by chance, the odds of the mean answer may change by this factor at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingEffect:
    """The answers on the test rows with one feature blanked in all of them.

    `mean` and `usual_mean`: mean probability without and with the values. `false_positives` and
    `usual_false_positives`: share of the negative rows that get a positive answer. `roc_auc`:
    without the values. `learned`: whether the training rows had enough missing values of their own;
    there, that a value is missing may mean something, and the mean may well change.
    """

    feature: str
    mean: float
    usual_mean: float
    false_positives: float
    usual_false_positives: float
    roc_auc: float
    learned: bool

    @property
    def is_arbitrary(self) -> bool:
        """Whether a value missing by chance changes the mean answer as it must not."""
        if self.learned:
            return False
        odds, usual = (p / max(1 - p, 1e-9) for p in (self.mean, self.usual_mean))
        return not usual / LARGEST_FACTOR <= odds <= usual * LARGEST_FACTOR

    def objection(self) -> str:
        """Why such a model must not be promoted."""
        return (
            f"Without {self.feature} the mean answer is {self.mean:.1%} instead of "
            f"{self.usual_mean:.1%}, and {self.false_positives:.1%} of the negative test rows are "
            f"answered positive instead of {self.usual_false_positives:.1%}: the model has not "
            "learned what a missing value means. Train with more rows, or make the feature "
            "required in the contract."
        )
