"""Small-cell suppression: no published figure describes fewer than eleven people.

Leaving out the small groups alone is not enough: whoever knows the total and all other groups finds
the missing one by subtraction. A second group is then suppressed as well (complementary
suppression; Hundepool et al., *Statistical Disclosure Control*, 2012, chapter 4).
"""

from collections.abc import Container, Hashable, Mapping
from typing import TypeVar

from domain.interval import Interval

SMALLEST_GROUP = 11
"""Groups with fewer rows are suppressed: with some background knowledge, people in them could be
recognised."""

Name = TypeVar("Name", bound=Hashable)


def choose_suppressed(counts: Mapping[Name, int], *, last: Container[Name] = ()) -> frozenset[Name]:
    """Choose which groups must be suppressed, given how many rows each group of a whole has.

    These are the groups of one to ten rows. While all suppressed groups together have fewer than
    eleven rows, the next smallest group is added, but one in `last` only when no other is left.
    """
    suppressed = {name for name, rows in counts.items() if 0 < rows < SMALLEST_GROUP}
    others = [name for name, rows in counts.items() if rows >= SMALLEST_GROUP]
    for name in sorted(others, key=lambda other: (other in last, counts[other])):
        if not suppressed or sum(counts[each] for each in suppressed) >= SMALLEST_GROUP:
            break
        suppressed.add(name)
    return frozenset(suppressed)


def round_significant(value: float) -> float:
    """Round to three significant digits.

    An exact figure changes visibly with a single row, so whoever may choose the window could learn
    about that row from two figures.
    """
    return float(f"{value:.3g}")


def round_interval(interval: Interval) -> Interval:
    """Round value and bounds to three significant digits."""
    return Interval(*map(round_significant, (interval.value, interval.low, interval.high)))
