"""Scored rows as lines with counts, which add up: rows that are equal in all respects are one line.

The lines have an order of their own, so nothing that is computed from them depends on how the rows
were parted, or on the order of the parts.

Scores that differ are lines that differ, so figures are exact as long as there are at most
`MOST_LINES`. Above that, scores lose as many of their last bits as it takes; the middle of what was
cut takes their place. How many bits are cut depends on the rows alone: no part needs more of them
cut than all rows together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from tabular.classification import Bools, Counts, Floats

Groups = npt.NDArray[np.int16]

MOST_LINES = 2**21
MOST_BITS = 14
"""So many of the 24 bits of a score may be cut: the rest tells it to within a thousandth."""


@dataclass(frozen=True, slots=True)
class ScoredLines:
    """`codes`: a score's float32 number, whose order is that of its bits, and `flags` bits below.

    `groups`: columns x lines, other respects in which rows differ. `counts`: rows of each line;
    None where each line is a row, in the rows' order. `bits`: how many are cut.
    """

    codes: npt.NDArray[np.uint64]
    flags: int
    groups: Groups
    counts: Counts | None = None
    bits: int = 0

    @classmethod
    def of_rows(
        cls, scores: npt.ArrayLike, flags: Sequence[Bools], groups: Groups | None = None
    ) -> Self:
        """Each row as a line. `scores`: from 0 to 1."""
        codes = np.asarray(scores, np.float32).view(np.uint32).astype(np.uint64)
        for flag in flags:
            codes = (codes << np.uint64(1)) | flag
        if groups is None:
            groups = np.empty((0, len(codes)), np.int16)
        return cls(codes, len(flags), groups)

    @classmethod
    def append(cls, parts: Sequence[Self]) -> Self:
        """The lines of all parts, one after the other."""
        single = all(part.counts is None for part in parts)
        return replace(
            parts[0],
            codes=np.concatenate([part.codes for part in parts]),
            groups=np.concatenate([part.groups for part in parts], axis=1),
            counts=None if single else np.concatenate([part.rows for part in parts]),
            bits=max(part.bits for part in parts),
        )

    @classmethod
    def add_up(cls, parts: Iterable[Self], most_lines: int = MOST_LINES) -> Self:
        """The condensed lines of all parts; hardly more than twice as many are held meanwhile."""
        held: list[Self] = []
        for part in parts:
            held.append(part)
            if sum(len(each.codes) for each in held) > 2 * most_lines:
                held = [cls.append(held).condense(most_lines)]
        return cls.append(held).condense(most_lines)

    def condense(self, most_lines: int = MOST_LINES) -> Self:
        """Join equal lines, with scores as exact as `most_lines` allows."""
        found = self._join()
        while len(found.codes) > most_lines and found.bits < MOST_BITS:
            found = replace(found, bits=found.bits + 1)._join()
        return found

    @property
    def rows(self) -> Counts:
        """How many rows each line stands for."""
        return np.ones(len(self.codes), np.int64) if self.counts is None else self.counts

    @property
    def scores(self) -> Floats:
        """The score of each line."""
        numbers = (self.codes >> np.uint64(self.flags)).astype(np.uint32)
        return np.minimum(numbers.view(np.float32).astype(np.float64), 1.0)

    def flag(self, place: int) -> Bools:
        """The flag of each line, by its place in `of_rows`."""
        return np.asarray((self.codes >> np.uint64(self.flags - 1 - place)) & np.uint64(1) == 1)

    def _join(self) -> Self:
        codes = self._cut()
        order = np.lexsort((*self.groups, codes))
        codes, groups, rows = codes[order], self.groups[:, order], self.rows[order]
        first = np.ones(len(codes), bool)
        first[1:] = (codes[1:] != codes[:-1]) | (groups[:, 1:] != groups[:, :-1]).any(axis=0)
        starts = np.flatnonzero(first)
        counts = np.add.reduceat(rows, starts) if len(starts) else rows
        return replace(self, codes=codes[starts], groups=groups[:, starts], counts=counts)

    def _cut(self) -> npt.NDArray[np.uint64]:
        if not self.bits:
            return self.codes
        lost = np.uint64(((1 << self.bits) - 1) << self.flags)
        middle = np.uint64(1 << (self.bits - 1 + self.flags))
        return (self.codes & ~lost) | middle
