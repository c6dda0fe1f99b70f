"""A split by time: the newest rows are the test side, and nobody is on both sides."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.contract.contract import Contract
from tests.repository import CONTRACT_TOML
from tests.unit.patients import patients
from training_job.dataset.column_values import read_times
from training_job.dataset.hashing import NO_TEXT
from training_job.dataset.identity import TEST, Identified, identify
from training_job.dataset.time_split import Observed
from training_job.dataset.validation import Columns, check
from training_job.errors import BadData

TIME = '\n[split]\ntime = "seen on"\n'
PERSON = '[[context]]\nname = "person"\nrole = "subject"\nnullable = true\n'
ROW_ID = '[[context]]\nname = "visit"\nrole = "row_id"\n'
ROWS = 400
RANDOM = np.random.default_rng(3)
FRAME = patients(ROWS, seed=1).assign(
    **{"seen on": RANDOM.integers(0, 300, ROWS)},
    person=[f"p{n}" if n % 5 else "" for n in RANDOM.integers(0, 150, ROWS)],
    visit=[f"v{n}" for n in range(ROWS)],
)


def _contract(*tables: str) -> Contract:
    return Contract.parse(CONTRACT_TOML.read_text() + TIME + "".join(tables))


def _columns(frame: pd.DataFrame, contract: Contract) -> Columns:
    checked = check(pa.Table.from_pandas(frame, preserve_index=False), contract)
    assert checked.valid.all()
    return checked.columns


def _times(columns: Columns, found: Identified, *, tested: bool) -> list[float]:
    rows = found.order[(found.sides == TEST) == tested]
    times: list[float] = columns["seen on"][rows].tolist()
    return times


def test_the_newest_eighth_is_the_test_side_and_all_else_is_older() -> None:
    contract = _contract()
    columns = _columns(FRAME, contract)
    found = identify(columns, contract, "s")
    assert max(_times(columns, found, tested=False)) < min(_times(columns, found, tested=True))
    shares = np.bincount(found.sides, minlength=3) / ROWS
    np.testing.assert_allclose(shares, [7 / 8 * 7 / 8, 7 / 8 / 8, 1 / 8], atol=0.04)


def test_a_persons_newest_row_decides_for_all_their_rows() -> None:
    contract = _contract(PERSON)
    columns = _columns(FRAME, contract)
    found = identify(columns, contract, "s")
    people, tested = columns["person"][found.order], found.sides == TEST
    named = people != NO_TEXT
    assert set() == set(people[named & tested]) & set(people[named & ~tested])
    assert found.cut is not None
    assert max(_times(columns, found, tested=False)) < found.cut.at
    assert pytest.approx(1 / 8, abs=0.04) == tested.mean()
    newest = pd.Series(columns["seen on"][found.order]).groupby(people).max()
    assert set(people[named & tested]) == set(newest.index[newest >= found.cut.at]) - {NO_TEXT}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1_000), tables=st.sampled_from([(), (PERSON,), (ROW_ID, PERSON)]))
def test_the_order_of_rows_is_nothing(seed: int, tables: tuple[str, ...]) -> None:
    contract = _contract(*tables)
    whole = _columns(pd.concat([FRAME, FRAME[:50]]), contract)
    order = np.random.default_rng(seed).permutation(ROWS + 50)
    shuffled = {name: values[order] for name, values in whole.items()}
    one, other = identify(whole, contract, "s"), identify(shuffled, contract, "s")
    for name in ("hashes", "sides", "context"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist()
    for name, values in whole.items():
        np.testing.assert_array_equal(values[one.order], shuffled[name][other.order])


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_parts_in_any_order_have_the_cut_of_the_whole(parts: int) -> None:
    columns = _columns(FRAME, _contract(PERSON))
    times, people = columns["seen on"].astype(np.float64), columns["person"].astype(np.uint64)
    whole = Observed.of(times, people).cut("seen on")
    pieces = [
        Observed.of(times[part], people[part])
        for part in np.array_split(np.random.default_rng(1).permutation(ROWS), parts)
    ]
    merged = Observed.merge(pieces).cut("seen on")
    assert whole.at == merged.at
    assert whole.people.tolist() == merged.people.tolist()


def test_rows_of_one_time_are_on_one_side_whichever_share_is_nearest() -> None:
    years = np.repeat([2019.0, 2020.0, 2021.0, 2022.0], [40, 30, 20, 10])
    assert 2022 == Observed.of(years, None).cut("year").at
    assert 2021 == Observed.of(np.repeat([2019.0, 2021.0, 2022.0], [85, 12, 3]), None).cut("y").at


def test_one_time_for_all_rows_is_refused_by_name() -> None:
    with pytest.raises(BadData, match="All rows have the same year"):
        Observed.of(np.full(9, 2020.0), None).cut("year")


def test_an_id_that_comes_back_at_another_time_is_in_conflict() -> None:
    contract = _contract(ROW_ID)
    again = FRAME[:2].assign(**{"seen on": [1_000, FRAME["seen on"][1]]})
    found = identify(_columns(pd.concat([FRAME, again]), contract), contract, "s")
    assert [0, ROWS] == found.conflicting.tolist()
    assert 1 == found.repeated


AT = datetime(2024, 3, 1, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2024-03-01T14:30:00Z", "2024-03-01 14:30", " 2024-03-01T15:30+01:00"], AT.timestamp()),
        (["2024-03-01"], datetime(2024, 3, 1, tzinfo=UTC).timestamp()),
        (["\ufeff2024-03-01", "2024-03-01\u200b"], datetime(2024, 3, 1, tzinfo=UTC).timestamp()),
        ([AT], AT.timestamp()),
        ([AT.replace(tzinfo=None)], AT.timestamp()),
        ([date(2024, 3, 1)], datetime(2024, 3, 1, tzinfo=UTC).timestamp()),
        (["2024", "2024.0"], 2024.0),
        ([2024], 2024.0),
        ([2024.0], 2024.0),
        (["20240301"], 20240301.0),
    ],
)
def test_times_are_the_same_in_every_type(values: list[Any], expected: float) -> None:
    for array in (pa.array(values), pa.array(values).dictionary_encode()):
        found, kinds = read_times(array, ".")
        assert [expected] * len(values) == found.tolist()
        assert {"numbers" if expected < 1e9 else "dates"} == kinds


@pytest.mark.parametrize(
    "values", [["", None, "1.3.2024", "soon", "1e999"], [float("nan"), float("inf")], [True], [[1]]]
)
def test_what_is_no_time_is_none(values: list[Any]) -> None:
    found, kinds = read_times(pa.array(values), ".")
    assert np.isnan(found).all()
    assert not kinds
