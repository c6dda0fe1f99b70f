"""Rows that are walked together reach the leaves that each reaches alone."""

import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contract.contract import Contract
from domain.contract.feature import Value
from domain.model.bitmaps import margins
from domain.model.bundle import BLOCK_ROWS, FEW_ROWS, Bundle
from domain.model.scorer import MAXIMUM_DEPTH
from tests.unit.contracts import instances
from tests.unit.fakes import random_forest

ANY_VALUE = st.floats(width=32) | st.just(math.nan)


@given(data=st.data(), seed=st.integers(0, 10_000), depth=st.integers(0, 10))
def test_the_margins_are_bit_for_bit_those_of_each_row(
    contract: Contract, data: st.DataObject, seed: int, depth: int
) -> None:
    forest = random_forest(contract, seed, depth=depth, trees=3)
    width = len(contract.encoded_names)
    value = ANY_VALUE | st.sampled_from(forest.threshold)  # where < and <= part ways
    vectors = data.draw(
        st.lists(st.lists(value, min_size=width, max_size=width), min_size=1, max_size=20)
    )
    assert [forest.margin(vector) for vector in vectors] == margins(forest, vectors)


def test_the_deepest_trees_and_no_tree_at_all(contract: Contract) -> None:
    random, width = Random(1), len(contract.encoded_names)
    vectors = [[random.uniform(0, 100) for _ in range(width)] for _ in range(300)]
    forest = random_forest(contract, 3, depth=MAXIMUM_DEPTH, trees=1)
    assert [forest.margin(vector) for vector in vectors] == margins(forest, vectors)
    assert [forest.base_margin] * 300 == margins(replace(forest, roots=()), vectors)


@pytest.mark.parametrize("rows", [0, 1, FEW_ROWS - 1, FEW_ROWS, BLOCK_ROWS, BLOCK_ROWS + 1])
def test_a_bundle_scores_few_and_many_rows_the_same(contract: Contract, rows: int) -> None:
    bundle = Bundle(contract, random_forest(contract, 1), 0.4)
    some: list[tuple[Value, ...]] = []

    @given(instances(contract))
    def collect(instance: dict[str, object]) -> None:
        some.append(contract.row(instance))

    collect()
    many = (some * (1 + rows // len(some)))[:rows]
    assert [bundle.probability(row) for row in many] == bundle.probabilities(many)
