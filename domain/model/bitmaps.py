"""Walk many rows at once through the trees, with one bit per row.

Each comparison of a forest is made once for all rows and kept as a bitmap, whose bits say which
rows go right. Of the rows that reach a node, ``reached & right`` go right and the others left: two
operations a node, however many rows and columns there are. The leaf that each row has reached is
returned as the bits of its number, one bitmap per bit.

A bitmap is anything with ``&``, ``|`` and ``^``: Python's integers here, where the predictor uses
them, and NumPy's arrays in training.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import isnan
from operator import add, or_
from typing import Any, TypeVar

from domain.model.scorer import LEAF, Forest, Node

Bitmap = TypeVar("Bitmap", bound=Any)
Branch = tuple[int, float, bool]
"""Column, threshold, and whether a missing value goes left."""

BITS_PER_BYTE = 8


def find_leaves(
    tree: Node, rows: Bitmap, right: Mapping[Branch, Bitmap]
) -> tuple[dict[int, float], list[Bitmap]]:
    """Walk all rows through one tree: its leaves' values by number, and the bits of each row's.

    `rows`: the bitmap of all rows. `right`: which rows go right at a branch. The first bitmap holds
    the lowest bits: a leaf's number has a bit per level, set where the way to it goes right.
    """
    values: dict[int, float] = {}
    bits: list[Bitmap] = []
    pending = [(tree, rows, 0, 0)]
    while pending:
        (column, threshold, left, other, default), reached, depth, number = pending.pop()
        if column == LEAF:
            values[number] = threshold
            continue
        to_right = reached & right[column, threshold, default is left]
        if depth == len(bits):
            bits.append(to_right)
        else:
            bits[depth] = bits[depth] | to_right
        pending.append((left, reached ^ to_right, depth + 1, number))
        pending.append((other, to_right, depth + 1, number | 1 << depth))
    return values, bits


def margins(forest: Forest, vectors: Sequence[Sequence[float]]) -> list[float]:
    """Log-odds of one or more encoded float32 vectors, bit for bit those of `Forest.margin`."""
    rows = len(vectors)
    totals = [forest.base_margin] * rows
    every, comparisons = (1 << rows) - 1, _Comparisons(vectors)
    for tree in forest.trees:
        values, bits = find_leaves(tree, every, comparisons)
        totals = list(map(add, totals, map(values.__getitem__, _numbers(bits, rows))))
    return totals


class _Comparisons(dict[Branch, int]):
    """Per branch the rows that go right, compared when they are first asked for."""

    def __init__(self, vectors: Sequence[Sequence[float]]) -> None:
        super().__init__()
        self._columns = list(zip(*vectors, strict=True))
        self._ranked: dict[int, tuple[list[float], list[int]]] = {}
        self._rows = (1 << len(vectors)) - 1

    def __missing__(self, branch: Branch) -> int:
        column, threshold, default_left = branch
        if column not in self._ranked:
            self._ranked[column] = _rank(self._columns[column])
        values, smaller = self._ranked[column]
        left = smaller[bisect_left(values, threshold)]
        if default_left:
            left |= self._rows ^ smaller[-1]
        self[branch] = right = self._rows ^ left
        return right


def _rank(values: Sequence[float]) -> tuple[list[float], list[int]]:
    """The present values in order, and at each place the bitmap of the rows before it."""
    present = [row for row, value in enumerate(values) if not isnan(value)]
    present.sort(key=values.__getitem__)
    smaller = accumulate((1 << row for row in present), or_, initial=0)
    return [values[row] for row in present], [*smaller]


def _numbers(bits: Sequence[int], rows: int) -> Sequence[int]:
    """The number that these bits spell in each row."""
    parts = [
        _numbers_of_bytes(bits[start : start + BITS_PER_BYTE], rows)
        for start in range(0, max(len(bits), 1), BITS_PER_BYTE)
    ]
    if len(parts) == 1:
        return parts[0]
    return [int.from_bytes(number, "little") for number in zip(*parts, strict=True)]


def _numbers_of_bytes(bits: Sequence[int], rows: int) -> bytes:
    """The same of at most eight bits."""
    ones = int.from_bytes(b"\1" * rows)
    numbers = 0
    for place, bitmap in enumerate(bits):
        digits = f"{bitmap:0{rows}b}".encode()  # of the last row first
        numbers |= (int.from_bytes(digits) & ones) << place
    return numbers.to_bytes(rows, "little")
