"""Evidence that one of two classifiers has the higher F1 on the same rows, at any time.

F1 = 2 TP / (2 TP + FP + FN) is a ratio, so no mean of bounded numbers. But with the outcome y and
the answers p of the predecessor and c of the champion, each 0 or 1, "the predecessor's F1 exceeds
the champion's by no more than m" means that for f, the champion's unknown F1,

    E[u] = 0   with   u = 2 y c - f (c + y),   and
    E[v] <= 0  with   v = 2 y p - (f + m) (p + y).

So E[a v - b u] <= 0 for every a >= 0 and every b. A bet on that number multiplies the capital by
1 + L (a v - b u), which is never negative for a small L. Under the hypothesis the capital is a
supermartingale, and so is the mean of several such bets. By Ville's inequality it ever reaches
1 / alpha with probability alpha at most, so one may look after every row. (S. Howard, A. Ramdas,
J. McAuliffe and J. Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", 2021;
I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting", 2024.)
Of `BETS`, those with a = b see the rows on which the two models differ, those with a = 0 see that f
is not the champion's F1, and the others see both.

The hypothesis is rejected when the bets against every f between 0 and 1 have won. f is taken by
intervals: every bet is the least that it would be for any f of its interval. The capital depends on
the numbers of rows with each (y, p, c) alone, not on their order.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from domain.model.probation import Answers

INTERVALS = 50
"""Intervals of f between 0 and 1."""
BETS = ((0.4, 1.0, 1.0), (0.2, 1.0, 0.7), (0.2, 1.0, 1.3), (0.1, 0.0, 1.0), (0.1, 0.0, -1.0))
"""Share of the capital, a, b."""
FRACTIONS = (0.25, 0.6)
"""L, as fractions of the L that could lose everything."""
STEPS = 13
"""Halvings of the interval in which the bound is searched."""

Row = tuple[int, int, int]
"""Outcome, the predecessor's answer, the champion's answer."""
ROWS: tuple[Row, ...] = tuple((y, p, c) for y in (0, 1) for p in (0, 1) for c in (0, 1))


@dataclass(frozen=True, slots=True)
class Evidence:
    """`lower`: the predecessor's F1 minus the champion's is at least that, at level `alpha`.

    `rejected`: whether it is more than the margin.
    """

    lower: float
    rejected: bool


def weigh_evidence(answers: Answers, *, margin: float, alpha: float) -> Evidence:
    """Weigh the rows seen so far; `margin`: a difference of F1, `alpha`: the error allowed."""
    counts = answers.by_row()
    return Evidence(_find_lower(counts, alpha), is_rejected(counts, margin, alpha))


def is_rejected(counts: Mapping[Row, int], margin: float, alpha: float) -> bool:
    """Whether "the predecessor is better by `margin` at most" is rejected."""
    wanted = -math.log(alpha)
    return all(_log_capital(counts, k, margin) >= wanted for k in range(INTERVALS))


def _log_capital(counts: Mapping[Row, int], k: int, margin: float) -> float:
    """Logarithm of the capital against the k-th interval of f."""
    return _add_logs(
        log_share + sum(counts.get(row, 0) * log for row, log in logs if counts.get(row))
        for log_share, logs in _factors(k, margin)
    )


def _find_lower(counts: Mapping[Row, int], alpha: float) -> float:
    """The largest margin that is rejected, to 1/4096."""
    low, high = -1.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_rejected(counts, middle, alpha) else (low, middle)
    return low


@lru_cache(maxsize=4096)
def _factors(k: int, margin: float) -> tuple[tuple[float, tuple[tuple[Row, float], ...]], ...]:
    """For each bet and fraction: log of its share, and by row the log of what it wins or loses."""
    found = []
    for share, a, b in BETS:
        outcomes = {row: _find_outcome(row, a, b, k, margin) for row in ROWS}
        worst = max(*(-outcome for outcome in outcomes.values()), 1e-9)
        for fraction in FRACTIONS:
            logs = tuple((row, math.log1p(fraction * o / worst)) for row, o in outcomes.items())
            found.append((math.log(share / len(FRACTIONS)), logs))
    return tuple(found)


def _find_outcome(row: Row, a: float, b: float, k: int, margin: float) -> float:
    """a v - b u of a row, for the f of the k-th interval that makes it smallest."""
    y, p, c = row
    return min(
        a * (2 * y * p - (f + margin) * (p + y)) - b * (2 * y * c - f * (c + y))
        for f in (k / INTERVALS, (k + 1) / INTERVALS)
    )


def _add_logs(logs: Iterable[float]) -> float:
    found = list(logs)
    largest = max(found)
    return largest + math.log(sum(math.exp(each - largest) for each in found))
