"""Effect sizes as Evidently measures and draws them."""

import math
from typing import TYPE_CHECKING, Any

from domain.drift.drift import Method

if TYPE_CHECKING:
    import pandas as pd


def distance(
    method: Method,
    reference: "pd.Series[Any]",
    current: "pd.Series[Any]",
) -> float:
    """Distance of two samples without missing values.

    ``wasserstein``: first Wasserstein distance over the reference's standard deviation.
    ``jensenshannon``: Jensen-Shannon distance, base e.
    """
    # The functions behind Evidently's `ValueDrift`, without its drawing.
    from evidently.legacy.calculations.stattests import get_stattest
    from evidently.legacy.core import ColumnType

    kind = ColumnType.Numerical if method == "wasserstein" else ColumnType.Categorical
    test = get_stattest(reference, current, kind, method)
    score = float(test(reference, current, kind, 0.0).drift_score)
    # Rounding can push the divergence of near-equal samples below zero, under the square root.
    return 0.0 if method == "jensenshannon" and math.isnan(score) else score
