"""Histograms of a number in the reference and in the window, for people to look at.

They decide nothing. Bins end at round numbers that follow from the bulk of the values, and the
outer ones are open, so that no edge is anybody's value.
"""

import math

import numpy as np

from domain.drift.disclosure import SMALLEST_GROUP, choose_suppressed, round_significant
from domain.drift.summary import Histogram
from monitoring_job.statistics.profiles import Column
from tabular.classification import Floats

BINS = 12
"""About so many closed bins."""
BULK = (0.01, 0.99)
"""Between these quantiles lie the closed bins."""
ROUND_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def compute_histogram(reference: Column, current: Column) -> Histogram | None:
    """Count the valid values of both sides in the same bins.

    None for categories and flags, whose shares the profile has, and for too few or equal values.
    """
    if reference.feature.kind != "number":
        return None
    sides = [column.valid.to_numpy(np.float64) for column in (reference, current)]
    if min(map(len, sides)) < 2 * SMALLEST_GROUP:
        return None
    edges = _choose_edges(sides)
    if edges is None:
        return None
    old, new = (_count(side, edges) for side in sides)
    return Histogram(edges=tuple(float(edge) for edge in edges), reference=old, current=new)


def _choose_edges(sides: list[Floats]) -> Floats | None:
    bulks = [np.quantile(side, BULK) for side in sides]
    low, high = min(bulk[0] for bulk in bulks), max(bulk[1] for bulk in bulks)
    with np.errstate(over="ignore"):
        width = (high - low) / BINS
    if not (math.isfinite(width) and width > 0):
        return None
    power = 10.0 ** math.floor(math.log10(width))
    step = next(factor for factor in ROUND_STEPS if factor * power >= width * (1 - 1e-9)) * power
    numbers = np.arange(math.floor(low / step), math.ceil(high / step) + 1)
    return np.array([float(f"{number * step:.10g}") for number in numbers])


def _count(values: Floats, edges: Floats) -> tuple[float | None, ...]:
    """The share of the values in each bin, below the first edge first; None: suppressed."""
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    suppressed = choose_suppressed({n: int(count) for n, count in enumerate(counts)})
    return tuple(
        None if n in suppressed else round_significant(count / len(values))
        for n, count in enumerate(counts)
    )
