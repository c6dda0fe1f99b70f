"""Distances: corrected for noise, with a lower bound that a fixed shift passes ever more often."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from domain.drift.drift import EFFECT_THRESHOLD, Method
from monitoring_job.statistics.distances import (
    Distance,
    count_values,
    estimate_distance,
    join_rare,
    measure_distance,
)

REFERENCE_ROWS, WINDOWS = 10_000, 16


def numbers(random: np.random.Generator, rows: int, shift: float) -> "pd.Series[Any]":
    """A standard normal sample, moved by `shift` standard deviations."""
    return pd.Series(random.normal(shift, 1.0, rows))


def categories(random: np.random.Generator, rows: int, shift: float) -> "pd.Series[Any]":
    """Four categories, the first of which gains `shift` from the second."""
    counts = random.multinomial(rows, [0.4 + shift, 0.3 - shift, 0.2, 0.1])
    return pd.Series(np.repeat(np.arange(4), counts))


Draw = Callable[[np.random.Generator, int, float], "pd.Series[Any]"]
SAMPLES: dict[Method, Draw] = {"wasserstein": numbers, "jensenshannon": categories}


def estimates(
    method: Method, *, rows: int, shift: float, windows: int = WINDOWS
) -> list[tuple[Distance, float]]:
    """The corrected and the uncorrected distance of each of some seeded windows."""
    random, draw = np.random.default_rng([rows, round(1000 * shift)]), SAMPLES[method]
    sides = ((draw(random, REFERENCE_ROWS, 0.0), draw(random, rows, shift)) for _ in range(windows))
    return [
        (estimate_distance(method, old, new), measure_distance(method, old, new))
        for old, new in sides
    ]


@pytest.mark.parametrize("rows", [1_000, 10_000, 100_000])
@pytest.mark.parametrize(
    ("method", "shift", "true"),
    [
        ("wasserstein", 0.15, 0.15),
        ("wasserstein", 0.5, 0.5),
        ("jensenshannon", 0.12, 0.1073),
        ("jensenshannon", 0.2, 0.1903),
    ],
)
def test_noise_adds_at_most_a_tenth_to_a_distance(
    method: Method, shift: float, true: float, rows: int
) -> None:
    found = [corrected.value for corrected, _ in estimates(method, rows=rows, shift=shift)]
    assert true == pytest.approx(float(np.mean(found)), rel=0.1)


@pytest.mark.parametrize(
    ("method", "shift", "true"),
    [
        ("wasserstein", 0.25, 0.25),
        ("wasserstein", 0.5, 0.5),
        ("jensenshannon", 0.2, 0.1903),
        ("jensenshannon", 0.25, 0.2541),
    ],
)
def test_a_distance_that_300_rows_can_find_is_off_by_a_tenth_at_most(
    method: Method, shift: float, true: float
) -> None:
    found = estimates(method, rows=300, shift=shift, windows=80)
    assert np.mean([corrected.bound >= EFFECT_THRESHOLD for corrected, _ in found]) >= 0.5
    assert pytest.approx(true, rel=0.1) == np.mean([corrected.value for corrected, _ in found])


@pytest.mark.parametrize("method", ["wasserstein", "jensenshannon"])
@pytest.mark.parametrize("rows", [300, 3_000])
def test_without_a_change_the_corrected_distance_is_half_the_uncorrected_or_less(
    method: Method, rows: int
) -> None:
    pairs = estimates(method, rows=rows, shift=0.0)
    corrected, uncorrected = np.mean([(found.value, before) for found, before in pairs], axis=0)
    assert corrected <= 0.5 * uncorrected


@pytest.mark.parametrize(
    ("method", "shift"),
    [("wasserstein", 0.09), ("wasserstein", 0.13), ("jensenshannon", 0.1)],
)
def test_a_fixed_shift_is_not_found_less_often_in_larger_windows(
    method: Method, shift: float
) -> None:
    shares = [
        np.mean(
            [
                found.bound >= EFFECT_THRESHOLD
                for found, _ in estimates(method, rows=rows, shift=shift)
            ]
        )
        for rows in (1_000, 10_000, 100_000)
    ]
    falls = [float(before - after) for before, after in pairwise(shares)]
    assert max(falls) <= 0.05


def test_the_distance_is_above_its_bound_in_nineteen_of_twenty_windows() -> None:
    found = estimates("wasserstein", rows=2_000, shift=0.2, windows=100)
    assert 0.9 <= np.mean([corrected.bound <= 0.2 for corrected, _ in found]) <= 0.99


@pytest.mark.parametrize("method", ["wasserstein", "jensenshannon"])
def test_equal_samples_have_no_distance(method: Method) -> None:
    sample = SAMPLES[method](np.random.default_rng(1), 500, 0.0)
    found = estimate_distance(method, sample, sample)
    assert (0.0, True) == (found.value, found.bound <= 0.0)


def test_one_value_on_both_sides_has_no_distance() -> None:
    same = pd.Series([5.0] * 200)
    assert 0.0 == estimate_distance("wasserstein", same, same).value


def test_rare_categories_are_counted_together() -> None:
    old = pd.Series(["a"] * 900 + ["b"] * 90 + [f"rare {n}" for n in range(10)])
    new = pd.Series(["a"] * 90 + ["b"] * 10)
    joined = join_rare(*count_values(old, new))
    assert ([900, 90, 10], [90, 10, 0]) == tuple(side.tolist() for side in joined)
