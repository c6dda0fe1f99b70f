"""Deciles and moments of values in many places are numpy's own."""

import numpy as np
import numpy.typing as npt
import pytest

from domain.contract.feature import Feature
from training_job.dataset.partitioned.profile import (
    Described,
    Picked,
    Within,
    add_moments,
    choose,
    find_bounds,
    find_ranks,
    interpolate,
)
from training_job.dataset.profile import QUANTILES

RANDOM = np.random.default_rng(0)
VALUES = [
    RANDOM.normal(size=1_001),
    RANDOM.integers(-5, 5, 5_000).astype(float),
    np.sort(RANDOM.integers(-5, 5, 300).astype(float)),
    RANDOM.normal(size=777) * 1e-300,
    np.array([3.5]),
    np.array([-0.0, 0.0, -1.0, 1.0]),
    np.r_[RANDOM.random(50), np.nan],
]


@pytest.mark.parametrize("picked", [2, 3, 10, 10_000])
@pytest.mark.parametrize("values", [*VALUES, np.r_[-np.inf, RANDOM.random(50), np.inf]])
def test_deciles_of_values_in_many_places_are_numpys(
    values: npt.NDArray[np.float64], picked: int
) -> None:
    places = np.array_split(values, 3)
    present = values[~np.isnan(values)]
    ranks = find_ranks(len(present))
    bounds = find_bounds([Picked.of(place, picked) for place in places], ranks)
    ordered = [np.sort(place[~np.isnan(place)]) for place in places]
    found = {
        rank: choose([Within.of(place, one) for place in ordered], rank)
        for rank, one in zip(ranks, bounds, strict=True)
    }
    expected = np.unique(np.quantile(present, QUANTILES)).tolist()
    assert expected == interpolate(found, len(present))


def test_places_count_few_values_within_the_bounds() -> None:
    places = np.array_split(RANDOM.permutation(np.arange(200_000.0)), 4)
    bounds = find_bounds([Picked.of(place, 1_000) for place in places], [100_000])
    (low, high) = bounds[0]
    assert low is not None
    assert 0 < high - low < 200_000 / 1_000 * 3


@pytest.mark.parametrize("values", VALUES)
def test_mean_and_deviation_of_many_places_are_numpys(values: npt.NDArray[np.float64]) -> None:
    feature = Feature(name="x", kind="number", minimum=-10.0, maximum=10.0, nullable=True)
    places = [Described.of(place, feature, ()) for place in np.array_split(values, 3)]
    expected = float(np.nanmean(values)), float(np.nanstd(values))
    assert expected == pytest.approx(add_moments(places), rel=1e-12, abs=1e-300)
    assert add_moments([Described.of(np.full(3, np.nan), feature, ())]) is None
