"""Scored rows as lines with counts, which add up: rows that are equal in all respects are one line.

The lines have an order of their own, so nothing that is computed from them depends on how the rows
were parted, or on the order of the parts.

Scores that differ are lines that differ, so figures are exact as long as there are at most
`MOST_LINES`. Above that, scores lose as many of their last bits as it takes; the middle of what was
cut takes their place. How many bits are cut depends on the rows alone: no part needs more of them
cut than all rows together.

Weights that differ are lines that differ, too. Once bits are cut, weights between the same powers
of two are one, at their mean. Their sums are whole numbers, so they stay exact.
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
"""The most of a score's 24 bits that may be cut: the others give it to within a thousandth."""
WEIGHT_UNIT = 2.0**-24
"""Unit of a weight. Weights are 1 on average, so an int64 holds the sum of any number of rows."""


@dataclass(frozen=True, slots=True)
class ScoredLines:
    """`codes`: a score's float32 number, whose order is that of its bits, and `flags` bits below.

    `groups`: columns x lines, other respects in which rows differ. `counts`: rows of each line;
    None where each line is a row, in the rows' order. `bits`: how many are cut. `kinds`: a line's
    weight in units, or the power of two below; `totals`: the sum over its rows. Both are None where
    each row counts once.
    """

    codes: npt.NDArray[np.uint64]
    flags: int
    groups: Groups
    counts: Counts | None = None
    bits: int = 0
    kinds: Counts | None = None
    totals: Counts | None = None

    @classmethod
    def of_rows(
        cls,
        scores: npt.ArrayLike,
        flags: Sequence[Bools],
        groups: Groups | None = None,
        *,
        weights: Floats | None = None,
    ) -> Self:
        """Each row as a line. `scores`: from 0 to 1. `weights`: at least 0."""
        codes = np.asarray(scores, np.float32).view(np.uint32).astype(np.uint64)
        for flag in flags:
            codes = (codes << np.uint64(1)) | flag
        if groups is None:
            groups = np.empty((0, len(codes)), np.int16)
        units = None if weights is None else np.rint(weights / WEIGHT_UNIT).astype(np.int64)
        return cls(codes, len(flags), groups, kinds=units, totals=units)

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
            kinds=_append([part.kinds for part in parts]),
            totals=_append([part.totals for part in parts]),
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
    def weights(self) -> Floats | None:
        """How much each row of a line counts on average; None where each counts once."""
        return None if self.totals is None else self.totals * WEIGHT_UNIT / self.rows

    @property
    def scores(self) -> Floats:
        """The score of each line."""
        numbers = (self.codes >> np.uint64(self.flags)).astype(np.uint32)
        return np.minimum(numbers.view(np.float32).astype(np.float64), 1.0)

    def flag(self, place: int) -> Bools:
        """The flag of each line, by its place in `of_rows`."""
        return np.asarray((self.codes >> np.uint64(self.flags - 1 - place)) & np.uint64(1) == 1)

    def _join(self) -> Self:
        codes, kinds = self._cut(), self._cut_kinds()
        keys = (*self.groups, codes) if kinds is None else (*self.groups, kinds, codes)
        order = np.lexsort(keys)
        first = np.ones(len(codes), bool)
        first[1:] = False
        for key in keys:
            ordered = key[order]
            first[1:] |= ordered[1:] != ordered[:-1]
        starts = np.flatnonzero(first)
        chosen = order[starts]

        def add(values: Counts) -> Counts:
            return np.add.reduceat(values[order], starts) if len(starts) else values

        return replace(
            self,
            codes=codes[chosen],
            groups=self.groups[:, chosen],
            counts=add(self.rows),
            kinds=None if kinds is None else kinds[chosen],
            totals=None if self.totals is None else add(self.totals),
        )

    def _cut(self) -> npt.NDArray[np.uint64]:
        if not self.bits:
            return self.codes
        lost = np.uint64(((1 << self.bits) - 1) << self.flags)
        middle = np.uint64(1 << (self.bits - 1 + self.flags))
        return (self.codes & ~lost) | middle

    def _cut_kinds(self) -> Counts | None:
        if not self.bits or self.kinds is None:
            return self.kinds
        _, exponents = np.frexp(self.kinds.astype(np.float64))
        return np.where(self.kinds > 0, np.int64(1) << np.maximum(exponents - 1, 0), 0)


def _append(parts: Sequence[Counts | None]) -> Counts | None:
    """One after the other; None where the first is."""
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None
