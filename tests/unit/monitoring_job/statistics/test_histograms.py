"""Histograms: both sides in the same bins, and no bin about fewer than eleven rows."""

import json

import numpy as np
import pandas as pd
import pytest

from domain import typed_json
from domain.contract.contract import Contract
from domain.contract.feature import Feature
from domain.drift.summary import Histogram
from domain.errors import BadRecord
from monitoring_job.statistics.histograms import BINS, compute_histogram
from monitoring_job.statistics.profiles import VALID, Column
from tests.unit.monitoring import scored
from tests.unit.monitoring_job.statistics.test_statistics import compared

NUMBER = Feature(name="bmi", kind="number", minimum=0.0, maximum=1e308)


def _column(values: object, feature: Feature = NUMBER) -> Column:
    numbers = pd.Series(np.asarray(values, dtype=np.float64))
    return Column(feature, numbers, pd.Series(np.full(len(numbers), VALID), dtype="str"))


def test_a_shift_moves_the_shares_between_round_edges() -> None:
    rng = np.random.default_rng(1)
    found = compute_histogram(_column(rng.normal(27, 6, 5_000)), _column(rng.normal(33, 6, 3_000)))
    assert found is not None
    assert BINS / 2 <= len(found.edges) <= BINS + 3
    assert all(edge == round(edge, 1) for edge in found.edges)
    for shares in (found.reference, found.current):
        assert len(shares) == len(found.edges) + 1
        assert 1.0 == pytest.approx(sum(share or 0.0 for share in shares), abs=0.02)
    bins = range(len(found.reference))
    before, after = (max(bins, key=lambda n: s[n] or 0) for s in (found.reference, found.current))
    assert before < after


def test_the_open_ends_hold_what_lies_beyond_and_no_edge_is_a_value() -> None:
    rng = np.random.default_rng(2)
    values = np.append(rng.normal(100, 10, 2_000), [1e6] * 15)
    found = compute_histogram(_column(values), _column(values))
    assert found is not None
    assert found.edges[-1] < 1_000
    assert found.reference[-1] is not None


def test_a_bin_of_one_to_ten_rows_is_suppressed_with_the_next_smallest() -> None:
    values = [1.0] * 300 + [5.0] * 200 + [9.0] * 3
    found = compute_histogram(_column(values), _column([1.0] * 300 + [9.0] * 200))
    assert found is not None
    assert 2 == found.reference.count(None)
    assert 0 == found.current.count(None)


@pytest.mark.parametrize(
    ("reference", "current"),
    [
        ([5.0] * 100, [5.0] * 100),  # nothing to see
        ([1.0, 2.0] * 10, [1.0, 2.0] * 50),
        ([1.0, 2.0] * 50, []),
        ([-1.7e308, 1.7e308] * 50, [1.0, 2.0] * 50),
    ],
)
def test_too_few_equal_or_endless_values_have_none(
    reference: list[float], current: list[float]
) -> None:
    assert compute_histogram(_column(reference), _column(current)) is None


def test_a_run_has_them_for_numbers_only_and_they_come_back(contract: Contract) -> None:
    found = compared(contract, scored(1_000, seed=21))
    kinds = {name: column.kind for name, column in found.items()}
    assert {n for n, kind in kinds.items() if kind == "number"} == {
        name for name, column in found.items() if column.histogram is not None
    }
    histogram = found["age"].histogram
    assert histogram is not None
    stored = json.loads(json.dumps({n: getattr(histogram, n) for n in histogram.__slots__}))
    assert histogram == typed_json.decode(Histogram, stored)


def test_damaged_bins_are_refused() -> None:
    stored = {"edges": [1, 2], "reference": [0.5], "current": [0.5, 0.5, 0.0]}
    with pytest.raises(BadRecord, match="one bin more than edges"):
        typed_json.decode(Histogram, stored)
