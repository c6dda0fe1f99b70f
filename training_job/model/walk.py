"""Walk many rows at once through exported trees, by the scorer's rules.

`domain.model.scorer` walks one row in plain Python. This takes each level of a tree for a block of
rows, compares the same float32 values, and adds the leaves in the same order in float64, so that
both arrive at the same last bit.
"""

import numpy as np
import numpy.typing as npt

from domain.model.scorer import LEAF, Forest
from training_job.model.encoding import Matrix

Floats = npt.NDArray[np.float64]
BLOCK_ROWS = 4_096
"""So many rows at a time, since their nodes and values fit the processor's cache."""


class Walk:
    """A forest as arrays in which a leaf is its own child, so that every row goes equally deep."""

    def __init__(self, forest: Forest, columns: int) -> None:
        self._base_margin, self._roots = forest.base_margin, forest.roots
        feature = np.array(forest.feature, np.intp)
        nodes, leaf = np.arange(len(feature)), feature == LEAF
        left = np.where(leaf, nodes, np.array(forest.left, np.intp))
        right = np.where(leaf, nodes, np.array(forest.right, np.intp))
        self._children = np.column_stack([left, right]).ravel()
        self._threshold = np.array(forest.threshold, np.float32)
        self._leaf_value = self._threshold.astype(np.float64)
        # A missing value is read from the copy in which it lies on the default's side.
        to_right = ~leaf & ~np.array(forest.default_left, bool)
        self._column = np.where(leaf, 0, feature) + columns * to_right
        self._depths = [_depth(forest, root) for root in self._roots]

    def margins(self, matrix: Matrix) -> Floats:
        """Log-odds per row of an encoded matrix, NaN for missing."""
        blocks = range(0, len(matrix), BLOCK_ROWS)
        parts = [self._block(matrix[start : start + BLOCK_ROWS]) for start in blocks]
        return np.concatenate([np.empty(0), *parts])

    def probabilities(self, matrix: Matrix) -> Floats:
        """Probabilities of the positive class, in float64."""
        odds = np.exp(-np.abs(margins := self.margins(matrix)))  # without overflow at either end
        return np.where(margins >= 0, 1.0, odds) / (1.0 + odds)

    def _block(self, matrix: Matrix) -> Floats:
        rows = len(matrix)
        missing = np.isnan(matrix)
        copies = [np.where(missing, side, matrix).T for side in (-np.inf, np.inf)]
        values = np.concatenate(copies).astype(np.float32).ravel()
        offset, row = self._column * rows, np.arange(rows)
        totals = np.full(rows, self._base_margin)
        for root, depth in zip(self._roots, self._depths, strict=True):
            node = np.full(rows, root)
            for _ in range(depth):
                place = offset.take(node)
                place += row
                right = values.take(place) >= self._threshold.take(node)
                node *= 2
                node += right
                node = self._children.take(node)
            totals += self._leaf_value.take(node)
        return totals


def _depth(forest: Forest, root: int) -> int:
    """Levels below the root."""
    depth, level = 0, [root]
    while level := [
        child
        for node in level
        if forest.feature[node] != LEAF
        for child in (forest.left[node], forest.right[node])
    ]:
        depth += 1
    return depth
