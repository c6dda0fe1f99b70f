"""The encoder, one row at a time."""

import math
from array import array

from hypothesis import given
from hypothesis import strategies as st

from domain.contract.contract import Contract
from domain.contract.encoder import Encoder
from tests.unit.contracts import contracts, instances


def test_categories_are_one_hot_in_the_contracts_order(contract: Contract) -> None:
    row = ("Male", 54.0, 1, 0, "former", 27.3, 6.6, 140.0)
    expected = [0, 1, 0, 54, 1, 0, 0, 0, 0, 1, 0, 0, 27.3, 6.6, 140]
    assert array("f", expected) == Encoder(contract).encode(row)


def test_a_missing_value_is_nan_in_each_of_its_columns(contract: Contract) -> None:
    vector = Encoder(contract).encode(("Male", 54.0, 1, 0, None, None, 6.6, 140.0))
    missing = {i for i, value in enumerate(vector) if math.isnan(value)}
    names = contract.encoded_names
    expected = {
        i for i, name in enumerate(names) if name.startswith("smoking_history") or name == "bmi"
    }
    assert expected == missing


@given(st.data())
def test_a_vector_is_as_wide_as_its_names_and_decodes_to_the_row(data: st.DataObject) -> None:
    contract = data.draw(contracts())
    row = contract.row(data.draw(instances(contract)))
    vector = list(Encoder(contract).encode(row))
    assert len(contract.encoded_names) == len(vector)
    for value, feature in zip(row, contract.features, strict=True):
        part, vector = vector[: len(feature.encoded_names)], vector[len(feature.encoded_names) :]
        if value is None:
            assert all(map(math.isnan, part))
        elif feature.kind == "category":
            assert [float(value == category) for category in feature.categories] == part
        else:
            assert isinstance(value, float | int)
            assert array("f", [value])[0] == part[0]
