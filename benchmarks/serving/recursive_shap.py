"""The baseline for explanations: the algorithm that most implementations of TreeSHAP use.

Algorithm 2 of Lundberg et al., "From local explanations to global understanding with explainable
AI for trees", Nature Machine Intelligence 2020, in pure Python. Time per tree: leaves times the
square of the depth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.model.scorer import LEAF, Forest

Element = tuple[int, float, float]
"""A column on the path from the root, the share of rows that reach here without knowing it, and
whether (1.0 or 0.0) this row reaches here by it."""

ROOT: Element = (LEAF, 1.0, 1.0)
"""The element before the first split; it belongs to no column."""


def contributions(forest: Forest, vector: Sequence[float]) -> tuple[float, list[float]]:
    """``(expected log-odds, contribution of each encoded column)`` of one float32 vector."""
    values = list(vector)
    found = [0.0] * len(values)
    walk = _Walk(forest, values, found)
    expected = forest.base_margin
    for root in forest.roots:
        expected += walk.visit(root, [ROOT], [1.0])
    return expected, found


@dataclass(frozen=True, slots=True)
class _Walk:
    """One row's way through one forest; `found` gathers the contributions."""

    forest: Forest
    values: list[float]
    found: list[float]

    def visit(self, node: int, path: list[Element], weights: list[float]) -> float:
        """Add what the leaves below `node` contribute; returns their mean, weighted by cover.

        `weights[k]`: share of the permutations in which k of the path's columns are known.
        """
        forest = self.forest
        column, threshold = forest.feature[node], forest.threshold[node]
        if column == LEAF:
            self._credit(path, weights, threshold)
            return threshold
        left, right = forest.left[node], forest.right[node]
        value = self.values[column]
        # NaN is neither smaller nor greater than anything.
        goes_left = value < threshold or (
            not value >= threshold and bool(forest.default_left[node])
        )
        zero, one = 1.0, 1.0
        for index in range(1, len(path)):
            if path[index][0] == column:  # it decided above: both decisions are one player
                _, zero, one = path[index]
                weights = _unwind(weights, zero, one)
                path = path[:index] + path[index + 1 :]
                break
        mean = 0.0
        cover = forest.cover[node]
        for child, is_hot in ((left, goes_left), (right, not goes_left)):
            share = forest.cover[child] / cover if cover > 0 else 0.5
            known = one if is_hot else 0.0
            below = self.visit(
                child,
                [*path, (column, zero * share, known)],
                _extend(weights, zero * share, known),
            )
            mean += share * below
        return mean

    def _credit(self, path: list[Element], weights: list[float], leaf: float) -> None:
        """Add what one leaf contributes to each column on its path."""
        # Without the row's own decision the share cancels out: one sum for all such columns.
        size = len(weights)
        cold = -leaf * sum(w * size / (size - 1 - k) for k, w in enumerate(weights[:-1]))
        for column, zero, one in path[1:]:
            self.found[column] += _sum_unwind(weights, zero) * (1.0 - zero) * leaf if one else cold


def _extend(weights: list[float], zero: float, one: float) -> list[float]:
    """The weights with one more column on the path."""
    size = len(weights) + 1
    longer = [0.0] * size
    for index, weight in enumerate(weights):
        longer[index] += zero * weight * (size - 1 - index) / size
        longer[index + 1] += one * weight * (index + 1) / size
    return longer


def _unwind(weights: list[float], zero: float, one: float) -> list[float]:
    """The inverse of `_extend`."""
    size = len(weights)
    shorter = [0.0] * (size - 1)
    if one:
        rest = weights[-1]
        for index in range(size - 2, -1, -1):
            shorter[index] = rest * size / ((index + 1) * one)
            rest = weights[index] - shorter[index] * zero * (size - 1 - index) / size
    elif zero:
        for index in range(size - 1):
            shorter[index] = weights[index] * size / (zero * (size - 1 - index))
    return shorter


def _sum_unwind(weights: list[float], zero: float) -> float:
    """``sum(_unwind(weights, zero, 1.0))`` without the list: the innermost loop."""
    size = len(weights)
    total, rest = 0.0, weights[-1]
    for index in range(size - 2, -1, -1):
        part = rest * size / (index + 1)
        total += part
        rest = weights[index] - part * zero * (size - 1 - index) / size
    return total
