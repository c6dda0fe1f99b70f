"""Why a forest scored a row as it did: exact path-dependent TreeSHAP, in log-odds.

Shapley values of the game in which an absent column sends a row down both branches, in proportion
to the training rows that went there (Lundberg et al., "From local explanations to global
understanding with explainable AI for trees", Nature Machine Intelligence 2020). It is what
XGBoost's `pred_contribs` computes.

In this game a leaf is worth its value times one factor for each column on its path: for a present
column 1 or 0, as the row goes there or not; for an absent one the share of the training rows. A
column's Shapley value is the integral from 0 to 1 over t of what it adds when each other column is
present with probability t (Owen, "Multilinear extensions of games", Management Science 1972). Along
one path that is a polynomial whose degree is lower than the number of columns. So Gauss-Legendre
quadrature with half as many points is exact. The sums over a subtree's leaves go up from child to
parent, so each node is visited once (Yu et al., "Linear TreeSHAP", NeurIPS 2022).

What depends on the forest alone is computed once. A pass takes three points: enough for six columns
on a path, the most in a tree that training makes. Larger trees take several passes.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from domain.model.scorer import LEAF, Forest, sigmoid

PASS = 3
"""Points of the quadrature per pass."""

STRAIGHT = 1e-6
"""Over fewer log-odds than that the sigmoid is a straight line to eight digits."""

Triple = tuple[float, ...]
"""One number for each point of a pass."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """`expected`: log-odds when nothing is known; with all `contributions` the row's log-odds.

    `contributions`: feature → log-odds, in the contract's order.
    """

    expected: float
    contributions: dict[str, float]

    @property
    def baseline(self) -> float:
        """Probability when nothing is known."""
        return sigmoid(self.expected)

    def to_points(self) -> dict[str, float]:
        """Feature → percentage points that it adds to the baseline, or takes from it.

        All of them add up to the difference of the two probabilities. Each is the Aumann-Shapley
        share of the sigmoid on the straight line of log-odds (Aumann and Shapley, "Values of
        Non-Atomic Games", 1974): the feature's log-odds, times the mean slope on that line.
        """
        total = sum(self.contributions.values())
        if abs(total) < STRAIGHT:
            slope = self.baseline * (1 - self.baseline)
        else:
            slope = (sigmoid(self.expected + total) - self.baseline) / total
        return {name: 100 * slope * value for name, value in self.contributions.items()}


class _Point(NamedTuple):
    """A point of the quadrature on [0, 1], and its weight."""

    t: float
    weight: float


class _Branch(NamedTuple):
    """One branch for rows that take it, or for rows that don't.

    `factors` multiply what leaves below are worth. `gains` turn the sum over these leaves into what
    the column contributes by this decision, beyond its decisions above.
    """

    factors: Triple
    gains: Triple


class _Split(NamedTuple):
    """An inner node; `when_left` and `when_right`: both branches of a row that goes there."""

    column: int
    threshold: float
    default_left: int
    when_left: tuple[_Branch, _Branch]
    when_right: tuple[_Branch, _Branch]
    shares: tuple[float, float]
    left: "_Split | float"
    right: "_Split | float"


class Explainer:
    """A forest prepared for explanations; `expected`: its log-odds when nothing is known."""

    expected: float

    def __init__(self, forest: Forest) -> None:
        points = quadrature(PASS * math.ceil(_longest_path(forest) / (2 * PASS)))
        self._trees = [
            _prepare(forest, root, {}, points[first : first + PASS])
            for first in range(0, len(points), PASS)
            for root in forest.roots
        ]
        self.expected = forest.base_margin + sum(_mean(forest, root) for root in forest.roots)

    def contributions(self, vector: Sequence[float]) -> list[float]:
        """Return the log-odds that each encoded column of one float32 vector contributes."""
        values = list(vector)  # read faster than an array
        found = [0.0] * len(values)

        def visit(node: _Split | float, p0: float, p1: float, p2: float, left_by: int) -> Triple:
            """Add what the decisions below contribute; return the sums over the leaves below.

            `p0`, `p1` and `p2`: the product of the factors above. `left_by` has a bit for each
            column by which the row has left the path: its further decisions change nothing.
            """
            if isinstance(node, float):
                return p0 * node, p1 * node, p2 * node
            column, threshold, default_left, when_left, when_right, shares, left, right = node
            if left_by >> column & 1:
                s, z = shares
                a0, a1, a2 = visit(left, p0 * s, p1 * s, p2 * s, left_by)
                b0, b1, b2 = visit(right, p0 * z, p1 * z, p2 * z, left_by)
                return a0 + b0, a1 + b1, a2 + b2
            value = values[column]
            # NaN is neither smaller nor greater than anything.
            if value < threshold or (default_left and not value >= threshold):
                ((f0, f1, f2), (g0, g1, g2)), ((h0, h1, h2), (i0, i1, i2)) = when_left
                a0, a1, a2 = visit(left, p0 * f0, p1 * f1, p2 * f2, left_by)
                b0, b1, b2 = visit(right, p0 * h0, p1 * h1, p2 * h2, left_by | 1 << column)
            else:
                ((f0, f1, f2), (g0, g1, g2)), ((h0, h1, h2), (i0, i1, i2)) = when_right
                a0, a1, a2 = visit(left, p0 * f0, p1 * f1, p2 * f2, left_by | 1 << column)
                b0, b1, b2 = visit(right, p0 * h0, p1 * h1, p2 * h2, left_by)
            found[column] += a0 * g0 + a1 * g1 + a2 * g2 + b0 * i0 + b1 * i1 + b2 * i2
            return a0 + b0, a1 + b1, a2 + b2

        for tree in self._trees:
            visit(tree, 1.0, 1.0, 1.0, 0)
        return found


def quadrature(count: int) -> list[_Point]:
    """Gauss-Legendre quadrature on [0, 1]: exact for polynomials of degree ``2 * count - 1``."""
    points = []
    for index in range(count):
        x = math.cos(math.pi * (index + 0.75) / (count + 0.5))
        for _ in range(8):  # Newton's method; this start takes at most five steps
            value, slope = _legendre(count, x)
            x -= value / slope
        _, slope = _legendre(count, x)
        points.append(_Point((1 + x) / 2, 1 / ((1 - x * x) * slope * slope)))
    return points


def _legendre(degree: int, x: float) -> tuple[float, float]:
    """A Legendre polynomial and its derivative, at -1 < x < 1."""
    before, value = 1.0, x
    for k in range(2, degree + 1):
        before, value = value, ((2 * k - 1) * x * value - (k - 1) * before) / k
    return value, degree * (x * value - before) / (x * x - 1)


def _longest_path(forest: Forest) -> int:
    """The most different columns on a path to a leaf; 1 for a forest without splits."""

    def lengths(node: int, columns: frozenset[int]) -> Iterator[int]:
        if forest.feature[node] == LEAF:
            yield len(columns)
        else:
            below = columns | {forest.feature[node]}
            yield from lengths(forest.left[node], below)
            yield from lengths(forest.right[node], below)

    return max((n for root in forest.roots for n in lengths(root, frozenset())), default=0) or 1


def _shares(forest: Forest, node: int) -> tuple[float, float]:
    """The shares of a node's training rows that went left and right."""
    cover, left, right = forest.cover[node], forest.left[node], forest.right[node]
    if cover <= 0:
        return 0.5, 0.5
    return forest.cover[left] / cover, forest.cover[right] / cover


def _mean(forest: Forest, node: int) -> float:
    """The mean of the leaves below a node, weighted by their training rows."""
    if forest.feature[node] == LEAF:
        return forest.threshold[node]
    left, right = _shares(forest, node)
    return left * _mean(forest, forest.left[node]) + right * _mean(forest, forest.right[node])


def _prepare(
    forest: Forest, node: int, above: Mapping[int, float], points: Sequence[_Point]
) -> _Split | float:
    """`above`: column → share of the rows that its decisions on the path let through."""
    column = forest.feature[node]
    if column == LEAF:
        return forest.threshold[node]
    shares = _shares(forest, node)
    before = above.get(column, 1.0)
    left, not_left = _branches(before, before * shares[0], points)
    right, not_right = _branches(before, before * shares[1], points)
    children = [
        _prepare(forest, child, {**above, column: before * share}, points)
        for child, share in zip((forest.left[node], forest.right[node]), shares, strict=True)
    ]
    return _Split(
        column,
        forest.threshold[node],
        forest.default_left[node],
        (left, not_right),
        (not_left, right),
        shares,
        *children,
    )


def _branches(before: float, after: float, points: Sequence[_Point]) -> tuple[_Branch, _Branch]:
    """One branch for rows that take it, and for rows that don't but came by the decisions above.

    `before` and `after`: the share of rows that the column lets through above, and with this
    branch.
    """
    taken, other = [], []
    for t, weight in points:
        old = t + (1 - t) * before
        absent = (1 - t) * after
        new = t + absent
        so_far = (1 - before) / old
        taken.append((new / old, weight * ((1 - after) / new - so_far)))
        # `after` cancels out here: it may be 0.
        other.append((absent / old, weight * (1 / (t - 1) - so_far)))
    return _Branch(*zip(*taken, strict=True)), _Branch(*zip(*other, strict=True))
