"""The split by time: the newest share of the uploaded rows is the test side.

A person's time is that of their newest row, so all their rows are on one side, and whatever trains
is older than the time from which rows are tested. Rows of one time are on one side too. Nothing
depends on the order of files and rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import numpy.typing as npt

from training_job.dataset.hashing import NO_TEXT, Hashes
from training_job.errors import BadData

TEST_SHARE = 1 / 8
"""Share of the rows, as nearly as rows of one time allow; the same as without a time."""

Times = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
TimeKind = Literal["dates", "numbers"]
"""What a column of times holds: dates become seconds since 1970, numbers stay what they are."""


@dataclass(frozen=True, slots=True)
class Observed:
    """How many rows were observed when.

    `times` with `rows`: of rows without a person, by distinct time. `people` with `newest` and
    `people_rows`: of each person their newest row's time, and how many rows they have.
    """

    times: Times
    rows: Counts
    people: Hashes
    newest: Times
    people_rows: Counts

    @classmethod
    def of(cls, times: Times, subjects: Hashes | None) -> "Observed":
        """Sum up rows; `subjects`: a hash of each row's person, if the contract has a subject."""
        named = np.zeros(len(times), bool) if subjects is None else subjects != NO_TEXT
        alone, rows = np.unique(times[~named], return_counts=True)
        known = np.empty(0, np.uint64) if subjects is None else subjects[named]
        people, newest, people_rows = _group(known, times[named], np.ones(len(known), np.int64))
        return cls(alone, rows.astype(np.int64), people, newest, people_rows)

    @classmethod
    def merge(cls, parts: Sequence["Observed"]) -> "Observed":
        """The sum of several parts; a person may be in more than one of them."""
        times = np.concatenate([part.times for part in parts])
        alone, place = np.unique(times, return_inverse=True)
        rows = np.zeros(len(alone), np.int64)
        np.add.at(rows, place, np.concatenate([part.rows for part in parts]))
        people, newest, people_rows = _group(
            np.concatenate([part.people for part in parts]),
            np.concatenate([part.newest for part in parts]),
            np.concatenate([part.people_rows for part in parts]),
        )
        return cls(alone, rows, people, newest, people_rows)

    def cut(self, column: str) -> "TimeCut":
        """Choose the time that leaves the share of test rows nearest to TEST_SHARE.

        Raises BadData where all rows have one time.
        """
        distinct, place = np.unique(np.concatenate([self.times, self.newest]), return_inverse=True)
        if len(distinct) < 2:
            raise BadData(
                f"All rows have the same {column}, so none are newer than others: name another"
                " column as time in [split] of the contract, or leave [split] out."
            )
        rows = np.zeros(len(distinct), np.int64)
        np.add.at(rows, place, np.concatenate([self.rows, self.people_rows]))
        newer = np.cumsum(rows[::-1])[::-1][1:]  # rows from each time on, but for the oldest
        at = float(distinct[1 + int(np.argmin(np.abs(newer - TEST_SHARE * rows.sum())))])
        return TimeCut(at, self.people[self.newest >= at])


@dataclass(frozen=True, slots=True)
class TimeCut:
    """Rows from `at` on are tested, and all rows of `people`; these are in ascending order."""

    at: float
    people: Hashes

    def find_tested(self, times: Times, subjects: Hashes | None) -> Mask:
        """Which rows are on the test side; the arguments are those of `Observed.of`."""
        tested: Mask = times >= self.at
        if subjects is not None:
            tested = np.where(subjects == NO_TEXT, tested, np.isin(subjects, self.people))
        return tested

    def describe(self, column: str, kind: TimeKind) -> str:
        """A sentence for the log and the manifest."""
        start = f"{self.at:.15g}"
        if kind == "dates":
            start = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=self.at)).isoformat()
        return f"the uploaded rows are split by {column}: the test side begins at {start}"


def refuse_mixed_times(kinds: set[TimeKind], column: str) -> None:
    """Raise BadData where some rows have dates and others numbers, which have no common order."""
    if len(kinds) > 1:
        raise BadData(
            f"{column} holds dates in some rows and numbers in others, so the rows have no order:"
            " write one of the two in all files."
        )


def _group(people: Hashes, times: Times, rows: Counts) -> tuple[Hashes, Times, Counts]:
    """``(distinct people, newest time of each, rows of each)``."""
    distinct, place = np.unique(people, return_inverse=True)
    newest = np.full(len(distinct), -np.inf)
    np.maximum.at(newest, place, times)
    total = np.zeros(len(distinct), np.int64)
    np.add.at(total, place, rows)
    return distinct, newest, total
