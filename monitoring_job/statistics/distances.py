"""Effect sizes, computed as Evidently computes the ones that it draws; a test compares them."""

from typing import TYPE_CHECKING, Any

import numpy as np

from domain.drift.drift import Method

if TYPE_CHECKING:
    import pandas as pd

SMALLEST_SCALE = 0.001
"""Evidently's lower limit for the standard deviation that it divides by."""


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
        scale = max(float(np.std(reference)), SMALLEST_SCALE)
        return float(wasserstein_distance(reference, current)) / scale
    shares = [side.value_counts(normalize=True) for side in (reference, current)]
    values = shares[0].index.union(shares[1].index)
    old, new = (side.reindex(values, fill_value=0.0).to_numpy() for side in shares)
    # Rounding can push the divergence of nearly equal samples below zero, under the square root.
    return float(np.nan_to_num(jensenshannon(old, new)))
