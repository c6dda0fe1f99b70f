"""Weights of uploaded rows: read, scaled exactly, and part of the dataset."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contract.contract import Contract
from tests.repository import CONTRACT_TOML
from tests.unit.patients import patients
from training_job.dataset.column_values import read_weights
from training_job.dataset.identity import identify
from training_job.dataset.row_weights import WeightSums
from training_job.dataset.validation import check

TEXT = CONTRACT_TOML.read_text().replace("[target]\nname", '[target]\nweight = "w"\nname')


@given(
    weights=st.lists(st.floats(2**-149, 1e9, width=32), min_size=1, max_size=50),
    seed=st.integers(0, 99),
    parts=st.integers(1, 5),
)
def test_the_mean_is_the_same_however_the_rows_are_divided(
    weights: list[float], seed: int, parts: int
) -> None:
    values = np.array(weights)
    whole = WeightSums.of(values)
    pieces = np.array_split(np.random.default_rng(seed).permutation(values), parts)
    merged = WeightSums.merge([WeightSums.of(piece) for piece in pieces])
    assert whole.mean == merged.mean
    assert whole.mean == pytest.approx(values.mean())
    assert 1 <= whole.effective_rows <= len(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", " 0.5", "1e3"], [1, 0.5, 1000]),
        ([1, 2], [1, 2]),
        (["0", "-1", "", "x", None, "1e10", "1e-60", "inf"], []),
        ([float("nan"), float("inf"), -0.5], []),
        ([True], []),
    ],
)
def test_a_weight_is_a_number_above_0(values: list[Any], expected: list[float]) -> None:
    found, bad = read_weights(pa.array(values), ".")
    assert expected == found[~bad].tolist()


def test_other_weights_are_another_dataset_with_the_same_sides() -> None:
    contract = Contract.parse(TEXT)
    frame = patients(300, seed=1)

    def find(weights: Any) -> Any:
        table = pa.Table.from_pandas(frame.assign(w=weights), preserve_index=False)
        return identify(check(table, contract).columns, contract, "s")

    one, other = find(1.0), find(np.arange(300) + 1.0)
    assert one.sides.tolist() == other.sides.tolist()
    assert one.context.tolist() != other.context.tolist()


def test_a_row_without_a_weight_breaks_the_contract_by_name() -> None:
    frame = patients(3, seed=1).assign(w=[1.0, 0.0, 2.0])
    found = check(pa.Table.from_pandas(frame, preserve_index=False), Contract.parse(TEXT))
    assert [True, False, True] == found.valid.tolist()
    assert ["w must be a number above 0, at most a billion"] == found.reasons
