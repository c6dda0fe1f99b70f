"""Gradient-boosted trees as flat arrays, and the walk through them.

The semantics are XGBoost's (Chen & Guestrin 2016): at an inner node a value smaller than
the threshold goes left, a missing one along the node's default direction; the leaves' values
and the base margin add up to the log-odds.
"""

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from domain.errors import BadBundle

LEAF = -1
MAXIMUM_DEPTH = 16
"""Levels below a root. Training makes six at most; `bitmaps` has a place for each path."""
ROUNDING = 1e-3
"""By how much a child's cover may exceed its parent's: both are sums of float32."""

Node = tuple[int, float, Any, Any, Any]
"""Column, threshold, left and right child, and the one of the two that a missing value goes to."""


@dataclass(frozen=True)
class Forest:
    """Nodes of all trees, one after another; `roots` holds the index of each tree's root.

    Per node: `feature` (index of the encoded column, LEAF at a leaf), `threshold` (a leaf's
    value at a leaf, float32), `left` and `right` (indices of the children), `default_left`,
    `cover` (sum of Hessians of the training rows that reached it, for TreeSHAP).
    """

    base_margin: float
    roots: tuple[int, ...]
    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    default_left: tuple[int, ...]
    cover: tuple[float, ...]

    @cached_property
    def trees(self) -> tuple[Node, ...]:
        """The roots as nested tuples: walking them takes half the time of the flat arrays."""
        nodes: list[Any] = [None] * len(self.feature)
        for node in reversed(range(len(nodes))):  # children come after their parent
            column, threshold = self.feature[node], self.threshold[node]
            if column == LEAF:
                nodes[node] = (LEAF, threshold, None, None, None)
                continue
            left, right = nodes[self.left[node]], nodes[self.right[node]]
            default = left if self.default_left[node] else right
            nodes[node] = (column, threshold, left, right, default)
        return tuple(nodes[root] for root in self.roots)

    def margin(self, vector: Sequence[float]) -> float:
        """Log-odds of one encoded float32 vector; NaN stands for missing."""
        values = list(vector)  # read faster than an array
        total = self.base_margin
        if any(map(math.isnan, values)):
            return self._margin_with_missing(values)
        for root in self.trees:
            column, threshold, left, right, _ = root
            while column >= 0:
                column, threshold, left, right, _ = left if values[column] < threshold else right
            total += threshold
        return total

    def _margin_with_missing(self, values: list[float]) -> float:
        total = self.base_margin
        for root in self.trees:
            column, threshold, left, right, default = root
            while column >= 0:
                value = values[column]
                # NaN is neither smaller nor greater than anything.
                column, threshold, left, right, default = (
                    left if value < threshold else right if value >= threshold else default
                )
            total += threshold
        return total

    def probability(self, vector: Sequence[float]) -> float:
        """Probability of the positive class for one encoded vector."""
        return sigmoid(self.margin(vector))

    def to_dict(self) -> dict[str, float | Sequence[float]]:
        """Plain lists; `from_dict` is the inverse."""
        return {
            "base_margin": self.base_margin,
            "roots": list(self.roots),
            "feature": list(self.feature),
            "threshold": list(self.threshold),
            "left": list(self.left),
            "right": list(self.right),
            "default_left": list(self.default_left),
            "cover": list(self.cover),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], columns: int) -> "Forest":
        """Decode and check that every walk stays inside and ends; raises BadBundle.

        `columns`: width of the encoded vector.
        """
        try:
            forest = cls(
                base_margin=float(data["base_margin"]),
                roots=_integers(data["roots"]),
                feature=_integers(data["feature"]),
                threshold=tuple(array("f", data["threshold"])),  # as XGBoost compares them
                left=_integers(data["left"]),
                right=_integers(data["right"]),
                default_left=_integers(data["default_left"]),
                cover=tuple(array("d", data["cover"])),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BadBundle(f"The trees can't be decoded ({type(error).__name__}).") from None
        forest._check(columns)
        return forest

    def _check(self, columns: int) -> None:
        nodes = len(self.feature)
        parts = (self.threshold, self.left, self.right, self.default_left, self.cover)
        sizes_agree = all(len(part) == nodes for part in parts)
        if not sizes_agree or not all(0 <= root < nodes for root in self.roots):
            raise BadBundle("The trees' arrays don't fit together.")
        if len(set(self.roots)) < len(self.roots):
            raise BadBundle("One of the trees is listed twice.")
        if not math.isfinite(self.base_margin) or not all(map(math.isfinite, self.threshold)):
            raise BadBundle("The trees have a value that is not finite.")
        if not all(0 <= cover < math.inf for cover in self.cover):  # false for NaN too
            raise BadBundle("The trees have a cover that is not a number of rows.")
        depth = [0] * nodes
        for node, (column, left, right) in enumerate(
            zip(self.feature, self.left, self.right, strict=True)
        ):
            if column == LEAF:
                continue
            # Children after their parent: no walk can loop.
            if not (node < left < nodes and node < right < nodes and 0 <= column < columns):
                raise BadBundle("The trees point outside themselves.")
            # One parent each: an explanation visits no node twice.
            if left == right or depth[left] or depth[right]:
                raise BadBundle("The trees share branches.")
            depth[left] = depth[right] = depth[node] + 1
            # A share above one, to the power of the depth, would be infinite in an explanation.
            if max(self.cover[left], self.cover[right]) > self.cover[node] * (1 + ROUNDING):
                raise BadBundle("A branch of the trees has more rows than its parent.")
        if any(depth[root] for root in self.roots):
            raise BadBundle("The trees share branches.")
        if max(depth, default=0) > MAXIMUM_DEPTH:
            raise BadBundle("The trees are deeper than any that training makes.")


def sigmoid(margin: float) -> float:
    """Log-odds → probability, without overflow at either end."""
    if margin >= 0:
        return 1.0 / (1.0 + math.exp(-margin))
    odds = math.exp(margin)
    return odds / (1.0 + odds)


def _integers(values: Any) -> tuple[int, ...]:
    return tuple(array("q", values))
