"""Walk many rows at once through exported trees, by the scorer's rules.

`domain.model.scorer` walks one row in plain Python. This takes blocks of rows through
`domain.model.bitmaps`, compares the same float32 values, and adds the leaves in the same order in
float64, so that both arrive at the same last bit.
"""

import math

import numpy as np
import numpy.typing as npt

from domain.model.bitmaps import Branch, find_leaves
from domain.model.scorer import LEAF, Forest
from training_job.model.encoding import Matrix

Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint8]
"""One bit per row."""

MOST_ROWS = 131_072
"""The most rows walked at a time: the bitmaps that a tree needs then fit the processor's cache."""
BITMAP_BYTES = 64 * 1024 * 1024
"""The most memory for the bitmaps of all trees together; it may lower the rows at a time."""


class Walk:
    """A forest for whole matrices. `block_rows`: how many rows are walked at a time."""

    def __init__(self, forest: Forest) -> None:
        self._forest = forest
        nodes = zip(forest.feature, forest.threshold, forest.default_left, strict=True)
        branches = len({node for node in nodes if node[0] != LEAF})
        self.block_rows = min(MOST_ROWS, max(8 * BITMAP_BYTES // max(branches, 1), 1))

    def margins(self, matrix: Matrix) -> Floats:
        """Log-odds per row of an encoded matrix, NaN for missing."""
        totals = np.full(len(matrix), self._forest.base_margin)
        for start in range(0, len(matrix), self.block_rows):
            block = slice(start, start + self.block_rows)
            self._add_leaves(matrix[block], totals[block])
        return totals

    def probabilities(self, matrix: Matrix) -> Floats:
        """Probabilities of the positive class, in float64."""
        margins = self.margins(matrix)
        # The scorer's own exp: NumPy's differs in the last bit, and from processor to processor.
        odds = np.fromiter(map(math.exp, (-np.abs(margins)).tolist()), np.float64, len(margins))
        return np.where(margins >= 0, 1.0, odds) / (1.0 + odds)

    def _add_leaves(self, matrix: Matrix, totals: Floats) -> None:
        rows, right = len(matrix), _Comparisons(matrix)
        every = np.packbits(np.ones(rows, bool))
        for tree in self._forest.trees:
            values, bits = find_leaves(tree, every, right)
            table = np.zeros(1 << len(bits))
            table[list(values)] = list(values.values())
            totals += table.take(_numbers(bits, rows))


class _Comparisons(dict[Branch, Bits]):
    """Per branch the rows that go right, compared when they are first asked for."""

    def __init__(self, matrix: Matrix) -> None:
        super().__init__()
        self._columns = np.ascontiguousarray(matrix.T)

    def __missing__(self, branch: Branch) -> Bits:
        column, threshold, default_left = branch
        values, least = self._columns[column], np.float32(threshold)
        # A comparison with a missing value is false.
        self[branch] = right = np.packbits(values >= least if default_left else ~(values < least))
        return right


def _numbers(bits: list[Bits], rows: int) -> npt.NDArray[np.unsignedinteger]:
    """The number that these bits spell in each row."""
    numbers = np.zeros(rows, np.min_scalar_type((1 << len(bits)) - 1))
    for place, bitmap in enumerate(bits):
        numbers |= np.unpackbits(bitmap, count=rows).astype(numbers.dtype, copy=False) << place
    return numbers
