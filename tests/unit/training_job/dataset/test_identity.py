"""A row's identity: what moves it to another side, and what doesn't."""

from collections import Counter
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contract.contract import Contract
from tests.repository import CONTRACT_TOML
from tests.unit.patients import patients
from training_job.dataset import hashing
from training_job.dataset.identity import Identified, identify
from training_job.dataset.ids import read_ids
from training_job.dataset.validation import Columns, check

CONTRACT = Contract.parse(CONTRACT_TOML.read_text())
FRAME = patients(400, seed=1)
COARSE = FRAME.assign(
    age=(FRAME["age"] // 40) * 40.0, bmi=25.0, HbA1c_level=6.0, blood_glucose_level=100.0
)


def _contract(*roles: str) -> Contract:
    context = [{"name": role, "role": role} for role in roles]
    return Contract.from_dict(CONTRACT.to_dict() | {"context": context})


def _columns(frame: pd.DataFrame, contract: Contract = CONTRACT) -> Columns:
    checked = check(pa.Table.from_pandas(frame, preserve_index=False), contract)
    assert checked.valid.all()
    return checked.columns


def _sides(columns: Columns, found: Identified) -> Counter[tuple[Any, ...]]:
    """How often each row is on each side."""
    values = [columns[name][found.order].tolist() for name in FRAME.columns]
    return Counter(zip(found.sides.tolist(), *map(_comparable, values), strict=True))


def _comparable(values: list[Any]) -> list[Any]:
    return [None if value != value else value for value in values]  # noqa: PLR0124 - NaN


@pytest.mark.parametrize("frame", [FRAME, COARSE], ids=["fine", "coarse"])
@given(cut=st.integers(1, 399), salt=st.text(max_size=8), seed=st.integers(0, 1000))
def test_order_is_nothing_and_appended_rows_move_none(
    frame: pd.DataFrame, cut: int, salt: str, seed: int
) -> None:
    whole = _columns(frame)
    order = np.random.default_rng(seed).permutation(400)
    shuffled = {name: values[order] for name, values in whole.items()}
    first = {name: values[:cut] for name, values in shuffled.items()}
    one, other = identify(whole, CONTRACT, salt), identify(shuffled, CONTRACT, salt)
    assert _sides(whole, one) == _sides(shuffled, other)
    assert one.hashes.tolist() == other.hashes.tolist()
    assert _sides(first, identify(first, CONTRACT, salt)) <= _sides(whole, one)


def test_the_sides_of_a_coarse_table_are_samples_of_one_population() -> None:
    """Equal people are spread over the sides in its proportions, whatever they are equal in."""
    rng = np.random.default_rng(5)
    rows = 60_000
    columns = _columns(COARSE[:1])
    columns = {name: np.repeat(values, rows) for name, values in columns.items()}
    columns["hypertension"] = (rng.random(rows) < 0.2).astype(np.int8)
    columns["diabetes"] = (rng.random(rows) < 0.094).astype(np.int8)
    found = identify(columns, CONTRACT, "s")
    assert rows == len(found.order)
    for column, share in (("diabetes", 0.094), ("hypertension", 0.2)):
        values = columns[column][found.order]
        for side, size in ((0, 6 / 8), (1, 1 / 8), (2, 1 / 8)):
            here = values[found.sides == side]
            assert pytest.approx(len(here) / rows, abs=0.006) == size
            assert pytest.approx(here.mean(), abs=0.02) == share


def _doubles_off_by_a_bit(values: pd.Series) -> pa.Array:
    return pa.array(np.nextafter(values.to_numpy(), np.inf))


SPELLINGS = {
    "text": lambda values: pa.array([str(value) for value in values]),
    "padded text": lambda values: pa.array([f"{value:.6f}" for value in values]),
    "decimal": lambda values: pa.array([Decimal(str(v)) for v in values], pa.decimal128(12, 4)),
    "float32": lambda values: pa.array(values.to_numpy(np.float32)),
    "last bit": _doubles_off_by_a_bit,
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_value_is_the_same_number_however_it_is_written(spell: Any) -> None:
    rng = np.random.default_rng(3)
    numbers = {"age": (1, 119), "bmi": (11, 99), "HbA1c_level": (4, 19)}
    drawn = {n: np.round(rng.uniform(*span, len(FRAME)), 3) for n, span in numbers.items()}
    frame = FRAME.assign(**drawn)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for name in numbers:
        index = table.schema.get_field_index(name)
        table = table.set_column(index, name, spell(frame[name]))
    checked = check(table, CONTRACT)
    assert checked.valid.all()
    plain = _columns(frame)
    expected = hashing.hash_rows(plain, CONTRACT)
    assert expected.tolist() == hashing.hash_rows(checked.columns, CONTRACT).tolist()


def test_a_person_is_on_one_side_only() -> None:
    contract = _contract("subject")
    frame = pd.concat([FRAME] * 3).assign(subject=[f"p{n % 150}" for n in range(1200)])
    columns = _columns(frame, contract)
    found = identify(columns, contract, "s")
    assert 1200 == len(found.order)
    sides = pd.Series(found.sides).groupby(columns["subject"][found.order]).nunique()
    assert [1] * 150 == sides.tolist()
    assert {0, 1, 2} == set(found.sides.tolist())


def test_a_row_id_decides_what_is_a_repeat_and_names_ids_of_several_rows() -> None:
    contract = _contract("row_id")
    frame = pd.concat([FRAME, FRAME[:10], FRAME[20:22].assign(age=1.0), FRAME[:5]])
    frame["row_id"] = [*range(400), *range(10), 20, 21, *range(400, 405)]
    found = identify(_columns(frame, contract), contract, "s")
    assert 10 == found.repeated
    assert [20, 21, 410, 411] == found.conflicting.tolist()
    assert 403 == len(found.order)
    assert {*range(400)} - {20, 21} | {*range(412, 417)} == set(found.order.tolist())


def test_a_changed_value_keeps_the_side_of_its_id_and_changes_the_dataset() -> None:
    contract = _contract("row_id")
    frame = FRAME.assign(row_id=[f"visit {n}" for n in range(400)])
    changed = frame.assign(diabetes=1 - frame["diabetes"])
    found = [identify(_columns(f, contract), contract, "s") for f in (frame, changed)]
    one, other = (dict(zip(f.order.tolist(), f.sides.tolist(), strict=True)) for f in found)
    assert one == other
    assert found[0].hashes.tolist() != found[1].hashes.tolist()


@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=30), cut=st.integers(0, 5))
def test_ids_are_equal_exactly_when_their_hashes_are(texts: list[str], cut: int) -> None:
    array = pa.array([*texts, *texts], pa.string()).slice(min(cut, len(texts) - 1))
    found = hashing.hash_texts(array).tolist()
    assert len(set(array.to_pylist())) == len(set(found))
    assert {} == {
        text: hashes
        for text in set(array.to_pylist())
        if len(hashes := {h for h, t in zip(found, array.to_pylist(), strict=True) if t == text})
        > 1
    }


WHOLE = [pa.int8(), pa.int64(), pa.float32(), pa.float64(), pa.string(), pa.large_string()]
IDS = {str(kind): pa.array([1, 7, 100]).cast(kind) for kind in WHOLE} | {
    "float16": pa.array(np.array([1, 7, 100], np.float16)),
    "decimals": pa.array([Decimal("1.00"), Decimal("7.00"), Decimal("100.00")]),
    "floats as text": pa.array(["1.0", "7.00", "100.0"]),
    "blanks": pa.array([" 1", "7 ", " 100 "]),
    "dictionary": pa.array(["1", "7", "100"]).dictionary_encode(),
    "dictionary of floats": pa.array([1.0, 7.0, 100.0]).dictionary_encode(),
    "bytes": pa.array([b"1", b"7", b"100"]),
}


@pytest.mark.parametrize("array", IDS.values(), ids=IDS.keys())
def test_an_id_is_one_text_in_every_type(array: pa.Array) -> None:
    assert ["1", "7", "100"] == read_ids(array).to_pylist()


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array(["NA", "nan", "", "null", " ", None]), [None] * 6),
        (pa.array([1.0, None, np.nan, 2.0**52]), ["1", None, None, str(2**52)]),
        (pa.array(["007", "1.10", "x.0", "1e5"]), ["007", "1.10", "x.0", "1e5"]),
        (pa.array([[1], None, [2]]), [None] * 3),
        (pa.array([{"a": 1}]), [None]),
    ],
    ids=["words for missing", "floats with gaps", "texts", "lists", "structs"],
)
def test_what_is_an_id_and_what_is_none(array: pa.Array, expected: list[str | None]) -> None:
    assert expected == read_ids(array).to_pylist()
