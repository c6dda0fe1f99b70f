"""Deciles from counts of bits are numpy's own."""

from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest

from training_job.dataset.partitioned.profile import (
    CountDigits,
    Selection,
    find_ranks,
    interpolate,
)
from training_job.dataset.profile import QUANTILES

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    "values",
    [
        RANDOM.normal(size=1_001),
        RANDOM.integers(-5, 5, 5_000).astype(float),
        RANDOM.normal(size=777) * 1e-300,
        np.array([3.5]),
        np.array([-0.0, 0.0, -1.0, 1.0]),
        np.r_[RANDOM.random(50), np.nan],
        np.r_[-np.inf, RANDOM.random(50), np.inf],
    ],
)
def test_deciles_of_values_in_many_places_are_numpys(values: npt.NDArray[np.float64]) -> None:
    present = values[~np.isnan(values)]
    searched = Selection(find_ranks(len(present)))
    for _ in range(6):
        wanted = CountDigits({"x": (searched.bits, searched.prefixes)})
        counts: Counter[int] = Counter()
        for part in np.array_split(values, 3):
            counts.update(wanted({"x": part})["x"])
        searched.narrow(counts)
    assert 64 == searched.bits
    expected = np.unique(np.quantile(present, QUANTILES)).tolist()
    assert expected == interpolate(searched.values(), len(present))
