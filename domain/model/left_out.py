"""What a dataset lacks of the files it was made of, and whether its figures can be trusted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domain.plural import agree, write_count

LARGE_LOSS = 0.05
"""Leaving out a larger share of the rows is said to be much."""
PREVALENCE_FACTOR = 1.2
"""If leaving rows out changes the share of positives by more, the population is another one."""
LISTED = 5
"""Files or reasons that a sentence names at most; the manifest has all of them."""


@dataclass(frozen=True, slots=True)
class RepeatedFile:
    """`rows` of the `of` rows of a file lie in the other file too, more than chance explains."""

    file: str
    other: str
    rows: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Rows and files that are not in the dataset, or are in it twice.

    `reasons`: the most frequent reasons of the quarantine with their rows. `rows_repeated`: rows
    whose id and values came before. `copies`: each skipped file and the one that it is a copy of.
    `prevalence_read`: share of positives among all rows with a readable label; `prevalence_kept`:
    among those of the dataset.
    """

    rows_read: int
    rows_quarantined: int
    rows_repeated: int
    reasons: Mapping[str, int]
    copies: Mapping[str, str]
    repeats: tuple[RepeatedFile, ...]
    prevalence_read: float
    prevalence_kept: float

    @property
    def prevalence_moved(self) -> bool:
        """Whether the rows left out were so different that they change the population."""
        low, high = sorted((self.prevalence_read, self.prevalence_kept))
        return high > low * PREVALENCE_FACTOR

    def notes(self) -> tuple[str, ...]:
        """What a reader should know, one sentence each."""
        return tuple(self._notes())

    def objections(self) -> tuple[str, ...]:
        """Why a model of this dataset must not be promoted, one sentence each."""
        return tuple(self._objections())

    def _notes(self) -> Iterator[str]:
        if self.rows_quarantined:
            share = self.rows_quarantined / self.rows_read
            reasons = list(self.reasons.items())[:LISTED]
            yield (
                f"{self.rows_quarantined:,} of {write_count(self.rows_read, 'row')} "
                f"({share:.1%}{', which is much' if share > LARGE_LOSS else ''}) "
                f"{agree(self.rows_quarantined, 'was', 'were')} left out. The most frequent "
                "reasons: "
                + "; ".join(f"{reason} ({write_count(rows, 'row')})" for reason, rows in reasons)
                + "."
            )
            if not self.prevalence_moved:
                yield (
                    f"The share of positives is {self.prevalence_kept:.2%}, and "
                    f"{self.prevalence_read:.2%} with the rows that were left out."
                )
        if self.rows_repeated:
            yield (
                f"{write_count(self.rows_repeated, 'row')} "
                f"{agree(self.rows_repeated, 'has', 'have')} the id and the values of another row "
                f"and {agree(self.rows_repeated, 'was', 'were')} counted once."
            )
        if self.copies:
            named = [f"{file} (of {other})" for file, other in self.copies.items()]
            yield f"Copies of other files were counted once: {_list(named)}."

    def _objections(self) -> Iterator[str]:
        if self.prevalence_moved:
            yield (
                f"Leaving rows out changed the share of positives from {self.prevalence_read:.2%} "
                f"to {self.prevalence_kept:.2%}: the model would be trained on another population "
                "than that of the files. Correct the rows in quarantine, or the contract."
            )
        if self.repeats:
            named = [
                f"{r.file} repeats {r.rows:,} of its {write_count(r.of, 'row')} from {r.other}"
                for r in self.repeats
            ]
            yield (
                f"{_list(named)}: more than chance explains, so people are in training and test "
                "at once and the figures are too optimistic. Remove one of the files, or name a "
                'column that identifies a row in the contract: [[context]] with role = "row_id".'
            )


def _list(texts: list[str]) -> str:
    left = len(texts) - LISTED
    return ", ".join(texts[:LISTED]) + (f" and {left:,} more" if left > 0 else "")
