"""Labelled production rows as a source of data: how many there are, and what they can say.

Labels may be selective: whoever gets a positive answer is examined sooner. Then the labelled rows
are not like all predictions, and each counts with the inverse of its group's label coverage
(D. Horvitz and D. Thompson, "A Generalization of Sampling Without Replacement From a Finite
Universe", 1952). A group without any label can't be represented by a weight: then nothing can be
known of it, and the rows are not used at all.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from domain import times
from domain.plural import agree, write_count


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCoverage:
    """Which predictions of a window have a label, and how much that can say.

    `selective`: whether coverage differs between groups of predictions by more than chance; if not,
    every weight is 1. `largest_weight`: the usual one is 1; `clipped`: rows whose weight was cut to
    it. `effective_rows`: as many rows of equal weights would be as informative (Kish 1965).
    `unknown`: why nothing can be known of the predictions without a label; empty when it can.
    """

    predictions: int
    labelled: int
    positives: int
    share: float
    selective: bool = False
    largest_weight: float = 1.0
    clipped: int = 0
    effective_rows: float = 0.0
    unknown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """The production rows of a dataset, predicted in ``[start, end)`` (UTC milliseconds).

    `recent_from`: the rows predicted from then on are the test side. `train`, `valid`, `recent`:
    rows on each side. `quarantined`: rows that break the contract. `other_contract`: labelled rows
    of versions whose contract lacks a required feature. `set_apart`: rows that were left out so
    that no person is on two sides. `unreadable`: rows or objects of the log that can't be read.
    """

    start: int
    end: int
    coverage: LabelCoverage
    recent_from: int = 0
    train: int = 0
    valid: int = 0
    recent: int = 0
    quarantined: int = 0
    other_contract: int = 0
    set_apart: int = 0
    unreadable: int = 0

    @property
    def rows(self) -> int:
        """Rows in the dataset."""
        return self.train + self.valid + self.recent

    def notes(self) -> tuple[str, ...]:
        """What a reader should know, one sentence each."""
        return tuple(self._notes())

    def _notes(self) -> Iterator[str]:
        found, window = self.coverage, f"from {_day(self.start)} to {_day(self.end)}"
        if not found.predictions:
            yield f"There are no predictions {window}, so no production row is in the dataset."
            return
        if not found.labelled:
            yield (
                f"None of the {write_count(found.predictions, 'prediction')} {window} has a label "
                "that is old enough, so no production row is in the dataset."
            )
            return
        yield (
            f"{found.labelled:,} of {write_count(found.predictions, 'prediction')} {window} "
            f"{agree(found.labelled, 'has', 'have')} a label ({found.share:.1%}); {self.rows:,} of "
            f"them {agree(self.rows, 'is', 'are')} in the dataset: {self.train:,} for training, "
            f"{self.valid:,} for validation, and the newest {self.recent:,} for testing."
        )
        if found.unknown:
            yield f"{found.unknown} So production rows are not used."
        elif found.selective:
            yield (
                "Labels are selective, so each row counts with the inverse of its group's label "
                f"coverage, at most {found.largest_weight:.1f} times "
                f"({write_count(found.clipped, 'row')} {agree(found.clipped, 'was', 'were')} cut "
                f"to that). They are worth {write_count(round(found.effective_rows), 'row')} of "
                "equal weight."
            )
        if self.quarantined:
            rows = write_count(self.quarantined, "labelled production row")
            yield f"{rows} {agree(self.quarantined, 'breaks', 'break')} the contract."
        if self.other_contract:
            yield (
                f"{write_count(self.other_contract, 'labelled production row')} "
                f"{agree(self.other_contract, 'was', 'were')} scored under another contract, which "
                "lacks a required feature of this one."
            )
        if self.set_apart:
            yield (
                f"{write_count(self.set_apart, 'labelled production row')} "
                f"{agree(self.set_apart, 'was', 'were')} left out, so that no person is in "
                "training and test at once."
            )
        if self.unreadable:
            found_bad = agree(self.unreadable, "row or object", "rows or objects")
            yield f"{self.unreadable:,} {found_bad} of the log could not be read."


def _day(millis: int) -> str:
    return times.from_millis(millis).date().isoformat()
