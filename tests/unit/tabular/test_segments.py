"""The segments of a table: the same rows whatever form the values come in."""

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from domain.contract.contract import Contract
from domain.contract.feature import Segment
from tabular.segments import assign_groups, segment_masks

BANDS = Segment("age", (30.0, 50.0, 70.0))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([29.9, 30.0, 49.99, 50.0, 70.0, None]), [0, 1, 1, 2, 3, -1]),
        (pa.array([29, 30, None, 80]), [0, 1, -1, 3]),
        (pa.chunked_array([[29.0], [float("nan"), 80.0]]), [0, -1, 3]),
    ],
)
def test_a_band_holds_its_lower_bound_and_not_its_upper(
    contract: Contract, values: Any, expected: list[int]
) -> None:
    found = assign_groups(values, BANDS, contract.feature("age"))
    assert expected == found.tolist()


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("gender", ["Male", "Female", "__other__", None], ["Male", "Female", None, None]),
        ("hypertension", [0, 1, None], ["0", "1", None]),
        ("hypertension", ["0", "1", "__other__"], ["0", "1", None]),
    ],
)
def test_a_value_outside_the_contract_is_in_no_group(
    contract: Contract, name: str, values: list[Any], expected: list[str | None]
) -> None:
    feature, segment = contract.feature(name), Segment(name)
    labels = segment.labels(feature)
    codes = assign_groups(pa.Array.from_pandas(pd.Series(values, dtype=object)), segment, feature)
    found = [labels[code] if code >= 0 else None for code in codes]
    assert [value and f"{name}={value}" for value in expected] == found


def test_masks_are_named_as_people_read_them(contract: Contract) -> None:
    table = pa.table({"gender": ["Male", "Female"], "age": [40.0, None]})
    masks = {name: mask.tolist() for name, mask in segment_masks(table, contract).items()}
    assert [True, False] == masks["age 30 to under 50"]
    assert [False, True] == masks["gender=Female"]
