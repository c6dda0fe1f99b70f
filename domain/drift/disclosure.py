"""What may be told about people in groups: none of fewer than eleven, not by subtraction either.

Who knows a group's whole and all of its other parts knows the part that was left out, so leaving
out the small ones isn't enough (Hundepool et al., *Statistical Disclosure Control*, 2012, ch. 4).
"""

from collections.abc import Container, Hashable, Mapping
from typing import TypeVar

SMALLEST_GROUP = 11
"""Groups with fewer rows are not shown: with some knowledge, they could be told apart."""

Name = TypeVar("Name", bound=Hashable)


def choose_suppressed(counts: Mapping[Name, int], *, last: Container[Name] = ()) -> frozenset[Name]:
    """The parts of a whole that must not be told, given the rows of each part.

    Those of one to ten rows; and while all that is hidden is fewer than eleven rows together, the
    next smallest too, one of `last` only when no other is left.
    """
    found = {name for name, rows in counts.items() if 0 < rows < SMALLEST_GROUP}
    others = [name for name, rows in counts.items() if rows >= SMALLEST_GROUP]
    for name in sorted(others, key=lambda other: (other in last, counts[other])):
        if not found or sum(counts[each] for each in found) >= SMALLEST_GROUP:
            break
        found.add(name)
    return frozenset(found)


def round_significant(value: float) -> float:
    """Three significant digits: a figure so exact that one row more or less moves it tells about
    that row, to whoever may choose the window.
    """
    return float(f"{value:.3g}")
