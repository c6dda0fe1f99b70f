"""Every encoder of whole columns says what the domain's says of one row."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.contract.contract import Contract
from domain.contract.encoder import Encoder
from domain.contract.feature import Feature
from domain.contract.feature_document import MOST_CATEGORIES
from training_job.dataset import dataset
from training_job.dataset.validation import check
from training_job.model import encoding
from training_job.model.encoding import encode, encode_columns, rows_per_batch
from training_job.scoring import batch_scorer

AGE = Feature(name="age", kind="number", minimum=0, maximum=120)


def _contract(categories: int) -> Contract:
    """A category with so many values between two numbers."""
    texts = tuple(f"c{number}" for number in range(categories))
    town = Feature(name="town", kind="category", categories=texts, nullable=True)
    bmi = Feature(name="bmi", kind="number", minimum=10, maximum=100, nullable=True)
    return Contract(features=(AGE, town, bmi), target="ill")


@given(categories=st.integers(1, MOST_CATEGORIES), seed=st.integers(0, 2**32 - 1))
@example(categories=1, seed=0)
@example(categories=127, seed=0)
@example(categories=128, seed=0)
@example(categories=129, seed=0)
@example(categories=200, seed=0)
@example(categories=256, seed=0)
@example(categories=257, seed=0)
@example(categories=MOST_CATEGORIES, seed=0)
def test_every_encoder_agrees_with_the_domains_for_any_number_of_categories(
    categories: int, seed: int
) -> None:
    contract = _contract(categories)
    codes = [0, categories - 1, *np.random.default_rng(seed).integers(0, categories, 6)]
    towns = [None, *(f"c{code}" for code in codes)]
    rows = [(20.0 + i, town, None if i % 3 else 27.3) for i, town in enumerate(towns)]
    expected = np.array([Encoder(contract).encode(row) for row in rows])
    texts = pa.table(
        {
            "age": [str(row[0]) for row in rows],
            "town": pa.array(towns, pa.string()),
            "bmi": pa.array([None if row[2] is None else str(row[2]) for row in rows], pa.string()),
            "ill": ["0"] * len(rows),
        }
    )
    coded = texts.set_column(1, "town", texts.column("town").dictionary_encode())
    for table in (texts, coded):
        checked = check(table, contract)
        assert checked.valid.all()
        stored = dataset.to_table(checked.columns, contract)
        np.testing.assert_array_equal(expected, encode_columns(checked.columns, contract))
        np.testing.assert_array_equal(expected, encode(stored, contract))
        assert rows == batch_scorer._rows(checked.columns, contract)


@pytest.mark.parametrize("categories", [2, 100, MOST_CATEGORIES])
def test_a_batch_holds_no_more_cells_than_memory_has_room_for(categories: int) -> None:
    contract = _contract(categories)
    rows = rows_per_batch(contract)
    assert 1 <= rows <= encoding.MOST_ROWS
    assert rows * len(contract.encoded_names) <= encoding.MOST_CELLS
