"""How far two distributions are apart.

`measure_distance` is the number that Evidently computes and draws; a test compares them. It is too
large in small samples, because noise moves two samples apart even if nothing has changed.
`estimate_distance` corrects that, and says how far the distributions are apart at least.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from domain.drift.drift import Method

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

SMALLEST_SCALE = 0.001
"""Evidently's lower limit for the standard deviation that it divides by."""
Z95 = 1.644854
"""Quantile of the normal distribution for a one-sided bound at 95 %."""
SHARPNESS = 2.0
"""How fast the correction of a Wasserstein distance fades where two distribution functions clearly
differ. Lower values correct too much there, higher ones make the estimate noisy."""
MINIMUM_EXPECTED = 5
"""Categories with fewer expected rows on one side are counted together (Cochran's rule): their
shares are mostly noise, and the chi-square test does not hold for them."""


@dataclass(frozen=True, slots=True)
class Distance:
    """An estimate and its lower bound: the distributions are this far apart at least, at 95 %."""

    value: float
    bound: float


def measure_distance(
    method: Method, reference: "pd.Series[Any]", current: "pd.Series[Any]"
) -> float:
    """Distance of two samples without missing values.

    ``wasserstein``: first Wasserstein distance in standard deviations of the reference.
    ``jensenshannon``: Jensen-Shannon distance of the shares of the values, base e.
    """
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import wasserstein_distance

    if method == "wasserstein":
        return float(wasserstein_distance(reference, current)) / _scale(reference)
    old, new = (counts / counts.sum() for counts in count_values(reference, current))
    # Rounding can push the divergence of nearly equal samples below zero, under the square root.
    return float(np.nan_to_num(jensenshannon(old, new)))


def estimate_distance(
    method: Method, reference: "pd.Series[Any]", current: "pd.Series[Any]"
) -> Distance:
    """The same distance, corrected for what noise adds to it."""
    if method == "wasserstein":
        return _estimate_wasserstein(
            np.sort(np.asarray(reference, dtype=np.float64)),
            np.sort(np.asarray(current, dtype=np.float64)),
            _scale(reference),
        )
    return _estimate_jensenshannon(*join_rare(*count_values(reference, current)))


def count_values(reference: "pd.Series[Any]", current: "pd.Series[Any]") -> tuple[Floats, Floats]:
    """How often each value occurs in the reference and in the window, in the same order."""
    counts = [side.value_counts() for side in (reference, current)]
    values = counts[0].index.union(counts[1].index)
    old, new = (np.asarray(side.reindex(values, fill_value=0), dtype=np.float64) for side in counts)
    return old, new


def join_rare(old: Floats, new: Floats) -> tuple[Floats, Floats]:
    """Add up the counts of rare values; two values or more are left."""
    expected = (old + new) * min(old.sum(), new.sum()) / (old.sum() + new.sum())
    rare = expected < MINIMUM_EXPECTED
    if np.count_nonzero(rare) < 2 or np.count_nonzero(~rare) < 1:
        return old, new
    joined = [np.append(side[~rare], side[rare].sum()) for side in (old, new)]
    return joined[0], joined[1]


def _scale(reference: "pd.Series[Any]") -> float:
    return max(float(np.std(reference)), SMALLEST_SCALE)


def _estimate_wasserstein(old: Floats, new: Floats, scale: float) -> Distance:
    """Correct the area between two distribution functions, value by value.

    Where the functions are equal, their samples differ by `noise` (standard deviation), and so on
    average by noise times the square root of 2/pi. That is subtracted, and the less, the more
    certainly they differ: there, noise cancels out. The bound comes from the delta method.
    """
    values = np.unique(np.concatenate([old, new]))
    widths = np.diff(values) / scale
    in_old = np.searchsorted(old, values, side="right") / len(old)
    in_new = np.searchsorted(new, values, side="right") / len(new)
    pooled = (len(old) * in_old + len(new) * in_new) / (len(old) + len(new))
    apart = (in_new - in_old)[:-1]
    noise = np.sqrt(pooled * (1 - pooled) * (1 / len(old) + 1 / len(new)))[:-1]
    certainty = np.divide(apart, noise, out=np.zeros_like(apart), where=noise > 0)
    added = np.sqrt((1 + 2 * SHARPNESS) * 2 / np.pi) * noise * np.exp(-SHARPNESS * certainty**2)
    value = float(np.sum((np.abs(apart) - added) * widths))
    moved = np.concatenate([[0.0], np.cumsum(np.sign(apart) * widths)])
    shares = (np.diff(in_old, prepend=0.0), np.diff(in_new, prepend=0.0))
    errors = [
        _deviation(moved, share) / math.sqrt(len(side))
        for share, side in zip(shares, (old, new), strict=True)
    ]
    return Distance(max(0.0, value), value - Z95 * math.hypot(*errors))


def _deviation(values: Floats, weights: Floats) -> float:
    """Weighted standard deviation; values near the limit of a float don't overflow."""
    largest = float(np.max(np.abs(values), initial=0.0)) or 1.0
    scaled = values / largest
    mean = float(weights @ scaled)
    return largest * math.sqrt(float(weights @ (scaled - mean) ** 2))


def _estimate_jensenshannon(old: Floats, new: Floats) -> Distance:
    """Subtract from the divergence what noise adds to it in second order, then take the root.

    The divergence is the square of the distance. Its bound comes from the delta method.
    """
    rows_old, rows_new = old.sum(), new.sum()
    p, q = old / rows_old, new / rows_new
    middle = (p + q) / 2
    from_old, from_new = (
        np.log(np.divide(share, middle, out=np.ones_like(share), where=share > 0))
        for share in (p, q)
    )
    divergence = float(p @ from_old + q @ from_new) / 2
    added = float(
        np.sum(q * (1 - p) / (2 * middle)) / rows_old
        + np.sum(p * (1 - q) / (2 * middle)) / rows_new
    )
    corrected = divergence - added / 4
    value = math.sqrt(max(0.0, corrected))
    error = math.hypot(
        _deviation(from_old, p) / math.sqrt(rows_old), _deviation(from_new, q) / math.sqrt(rows_new)
    )
    error_of_root = error / (4 * value) if value > 0 else math.inf
    return Distance(value, value - Z95 * error_of_root)
