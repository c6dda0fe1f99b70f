"""The sample of a window: bounded, and the same whatever the order of reading."""

import pyarrow as pa
import pytest

from domain.contract.records import sample_key
from tabular.sample import Sample


def _rows(count: int, *, first: int = 0) -> pa.Table:
    ids = [f"id-{number}" for number in range(first, first + count)]
    return pa.table(
        {
            "prediction_id": ids,
            "predicted_at": pa.array(range(first, first + count), pa.int64()),
            "sample_key": [sample_key(text) for text in ids],
        }
    )


def test_a_sample_depends_on_the_rows_and_not_on_their_order() -> None:
    parts = [_rows(700, first=first) for first in range(0, 14_000, 700)]
    forwards, backwards = Sample(2_000), Sample(2_000)
    for part in parts:
        forwards.add(part)
    for part in reversed(parts):
        backwards.add(part)
    assert forwards.finish().table.equals(backwards.finish().table)
    assert forwards.finish().share == backwards.finish().share
    assert 1_800 <= forwards.finish().table.num_rows <= 2_000


def test_a_sample_never_holds_much_more_than_its_limit() -> None:
    sample = Sample(1_000)
    held = []
    for first in range(0, 50_000, 500):
        sample.add(_rows(500, first=first))
        held.append(sample._held)
    assert max(held) <= 1_500
    assert 50_000 == sample.logged


def test_a_sample_is_bounded_even_when_all_rows_bear_one_key() -> None:
    parts = [_rows(500, first=first) for first in range(0, 10_000, 500)]
    parts = [part.set_column(2, "sample_key", pa.array([7] * 500)) for part in parts]
    forwards, backwards = Sample(1_000), Sample(1_000)
    for part, other in zip(parts, reversed(parts), strict=True):
        forwards.add(part)
        backwards.add(other)
        assert forwards._held <= 1_500
    assert forwards.finish().table.equals(backwards.finish().table)
    assert 1_000 == forwards.finish().table.num_rows


def test_a_sample_that_fits_is_everything() -> None:
    sample = Sample(1_000)
    sample.add(_rows(1_000))
    assert (1_000, 1.0) == (sample.finish().table.num_rows, sample.finish().share)


@pytest.mark.parametrize("limit", [2_000, 20_000])
@pytest.mark.parametrize("one_key", [False, True])
def test_samples_of_parts_add_up_to_the_sample_of_all_rows(limit: int, one_key: bool) -> None:
    tables = [_rows(700, first=first) for first in range(0, 14_000, 700)]
    if one_key:
        tables = [table.set_column(2, "sample_key", pa.array([7] * 700)) for table in tables]
    whole, parts = Sample(limit), [Sample(limit) for _ in range(3)]
    for number, table in enumerate(tables):
        whole.add(table)
        parts[number % 3].add(table)
    before = [part.finish() for part in parts]
    joined = Sample.of_parts([Sample.of_parts(parts[:2]), Sample(limit), parts[2]])
    assert whole.finish() == joined.finish()
    assert before == [part.finish() for part in parts]
