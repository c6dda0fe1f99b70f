"""Small-cell suppression: no published figure describes fewer than eleven people.

Leaving out the small groups alone is not enough: whoever knows the total and all other groups finds
the missing one by subtraction. A second group is then suppressed as well (complementary
suppression; Hundepool et al., *Statistical Disclosure Control*, 2012, chapter 4).
"""

from collections.abc import Container, Hashable, Mapping, Sequence
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
    return choose_suppressed_by_all([counts], last=last)


def choose_suppressed_by_all(
    wholes: Sequence[Mapping[Name, int]], *, last: Container[Name] = ()
) -> frozenset[Name]:
    """Choose which groups must be suppressed where several counts of the same groups are shown.

    `wholes`: for example all rows, and those that are positive. A group that is small by any of
    them is suppressed, and together the suppressed groups have no or eleven rows by each. The
    next smallest group is one by the first count.
    """
    first = wholes[0]
    suppressed = {n for counts in wholes for n, rows in counts.items() if 0 < rows < SMALLEST_GROUP}
    others = [name for name, rows in first.items() if rows > 0 and name not in suppressed]
    for name in sorted(others, key=lambda other: (other in last, first[other])):
        hidden = [sum(counts[each] for each in suppressed) for counts in wholes]
        if not any(0 < rows < SMALLEST_GROUP for rows in hidden):
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
