"""The vectorised contract and encoder say exactly what the domain's say."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contract.contract import Contract
from domain.contract.encoder import Encoder
from domain.contract.feature import Feature
from training_job.dataset import dataset
from training_job.dataset.validation import check, target_feature
from training_job.model.encoding import encode


def _valid(feature: Feature) -> st.SearchStrategy[object]:
    nothing = [st.none()] if feature.nullable else []
    if feature.kind == "category":
        return st.one_of(st.sampled_from(feature.categories), *nothing)
    if feature.kind == "flag":
        return st.one_of(st.sampled_from([0, 1]), *nothing)
    return st.one_of(st.floats(feature.minimum, feature.maximum), *nothing)


INVALID: dict[str, st.SearchStrategy[object]] = {
    "category": st.just("elsewhere"),
    "flag": st.sampled_from([2, -1]),
    "number": st.sampled_from([-1.0, 1e6, 1e300]),
}


def _any(feature: Feature) -> st.SearchStrategy[object]:
    return st.one_of(_valid(feature), _valid(feature), st.none(), INVALID[feature.kind])


@given(data=st.data())
def test_a_batch_is_valid_exactly_where_each_instance_is(
    data: st.DataObject, contract: Contract
) -> None:
    features = (*contract.features, target_feature(contract))
    rows = data.draw(st.lists(st.tuples(*map(_any, features)), min_size=1, max_size=20))
    texts = {
        f.name: pa.array([None if r[i] is None else str(r[i]) for r in rows], pa.string())
        for i, f in enumerate(features)
    }
    checked = check(pa.table(texts), contract)

    def is_valid(row: tuple[object, ...]) -> bool:
        instance = dict(zip((f.name for f in contract.features), row, strict=False))
        return not contract.validate(instance) and row[-1] in (0, 1)

    expected = [is_valid(row) for row in rows]
    assert expected == checked.valid.tolist()
    assert len(rows) - sum(expected) == len(checked.why)


@given(data=st.data())
def test_a_column_is_encoded_as_each_row_is(data: st.DataObject, contract: Contract) -> None:
    rows = data.draw(st.lists(st.tuples(*map(_valid, contract.features)), min_size=1, max_size=20))
    columns = {f.name: [row[i] for row in rows] for i, f in enumerate(contract.features)}
    types = {"category": pa.string(), "number": pa.float64(), "flag": pa.int8()}
    table = pa.table({f.name: pa.array(columns[f.name], types[f.kind]) for f in contract.features})
    one_by_one = np.array([Encoder(contract).encode(row) for row in rows], dtype=np.float32)
    np.testing.assert_array_equal(one_by_one, encode(table, contract))


@given(
    numbers=st.lists(st.floats(10, 100), min_size=1, max_size=20),
    bad=st.sampled_from(["heavy", "", " 9", "0x28", "1_0", "1e400", "-", "."]),
    whole=st.booleans(),
)
def test_a_numbers_value_does_not_depend_on_its_neighbours(
    numbers: list[float], bad: str, whole: bool
) -> None:
    """Its last bit decides on the row's hash, and so on its side and on who is its duplicate."""
    bmi = Feature(name="bmi", kind="number", minimum=10, maximum=100)
    contract = Contract(features=(bmi,), target="diabetes", segments=())
    texts = [str(int(number)) if whole else repr(number) for number in numbers]

    def parsed(column: list[str]) -> list[float]:
        table = pa.table({"bmi": pa.array(column, pa.string())})
        values: list[float] = check(table, contract, labelled=False).columns["bmi"].tolist()
        return values

    assert parsed(texts) == parsed([*texts, bad]) == [float(text) for text in texts]


@pytest.mark.parametrize("text", ["forty", "4O", "4 0", "1,000", "1e400", "inf"])
def test_text_where_a_number_belongs_is_refused_with_what_is_wanted(
    text: str, contract: Contract
) -> None:
    good = {"gender": "Male", "age": "40", "hypertension": "0", "heart_disease": "0"}
    good |= {"smoking_history": "never", "bmi": "25", "HbA1c_level": "6", "diabetes": "1"}
    rows = [{**good, "blood_glucose_level": "90"}, {**good, "blood_glucose_level": text}]
    checked = check(pa.Table.from_pylist(rows), contract)
    assert [True, False] == checked.valid.tolist()
    assert ["blood_glucose_level must be a number from 40 to 700"] == checked.reasons


def test_a_split_survives_parquet(tmp_path: Path, contract: Contract) -> None:
    import pyarrow.parquet as pq

    columns = {
        "gender": np.array([0, 2], np.int8),
        "age": np.array([1.5, 80.0]),
        "hypertension": np.array([0, 1], np.int8),
        "heart_disease": np.array([0, 0], np.int8),
        "smoking_history": np.array([-1, 5], np.int8),
        "bmi": np.array([np.nan, 27.32]),
        "HbA1c_level": np.array([6.6, np.nan]),
        "blood_glucose_level": np.array([140.0, 80.0]),
        "diabetes": np.array([0, 1], np.int8),
    }
    path = tmp_path / "split.parquet"
    pq.write_table(dataset.to_table(columns, contract), path)
    split = dataset.Split.read(path, contract=contract)
    assert [
        ("Female", 1.5, 0, 0, None, None, 6.6, 140.0),
        ("Other", 80.0, 1, 0, "not current", 27.32, None, 80.0),
    ] == list(split.rows(contract))
    assert [0, 1] == split.labels.tolist()
