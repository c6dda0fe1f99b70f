"""The walk through the trees. Its agreement with XGBoost is tested with the export."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contract.contract import Contract
from domain.errors import BadBundle
from domain.model.scorer import Forest, sigmoid
from tests.unit.contracts import instances
from tests.unit.fakes import random_forest

STUMP: dict[str, Any] = {
    "base_margin": -1.0,
    "roots": [0],
    "feature": [0, -1, -1],
    "threshold": [0.5, 2.0, 3.0],
    "left": [1, 0, 0],
    "right": [2, 0, 0],
    "default_left": [1, 0, 0],
    "cover": [10.0, 4.0, 6.0],
}


@pytest.mark.parametrize(
    ("value", "expected"), [(0.4, 1.0), (0.5, 2.0), (0.6, 2.0), (math.nan, 1.0), (-1e30, 1.0)]
)
def test_smaller_goes_left_equal_goes_right_missing_by_default(
    value: float, expected: float
) -> None:
    assert expected == Forest.from_dict(STUMP, 1).margin([value])


def test_a_missing_value_follows_the_nodes_own_direction() -> None:
    forest = Forest.from_dict(STUMP | {"default_left": [0, 0, 0]}, 1)
    assert 2.0 == forest.margin([math.nan])


def test_trees_add_up() -> None:
    nodes = {name: values * 2 for name, values in STUMP.items() if isinstance(values, list)}
    below = {"left": [1, 0, 0, 4, 0, 0], "right": [2, 0, 0, 5, 0, 0], "roots": [0, 3]}
    leaves = {"threshold": [0.5, 2.0, 3.0, -0.5, 7.0, 11.0]}
    two = {"base_margin": -1.0, **nodes, **below, **leaves}
    assert -1.0 + 2.0 + 11.0 == Forest.from_dict(two, 1).margin([0.0])


def test_without_trees_the_base_margin_decides() -> None:
    forest = Forest.from_dict({**{k: [] for k in STUMP}, "base_margin": 0.0}, 1)
    assert 0.5 == forest.probability([1.0])


def _slow_margin(forest: Forest, vector: list[float]) -> float:
    """The definition, node by node over the flat arrays."""
    total = forest.base_margin
    for root in forest.roots:
        node = root
        while forest.feature[node] != -1:
            value = vector[forest.feature[node]]
            left = (
                forest.default_left[node] if math.isnan(value) else value < forest.threshold[node]
            )
            node = forest.left[node] if left else forest.right[node]
        total += forest.threshold[node]
    return total


@given(data=st.data(), seed=st.integers(0, 10_000))
def test_the_walk_follows_the_definition(
    contract: Contract, data: st.DataObject, seed: int
) -> None:
    forest = random_forest(contract, seed)
    width = len(contract.encoded_names)
    vector = data.draw(
        st.lists(st.floats(width=32, allow_infinity=False), min_size=width, max_size=width)
    )
    assert math.isclose(_slow_margin(forest, vector), forest.margin(vector), abs_tol=1e-12)


@given(st.integers(0, 10_000))
def test_a_forest_survives_its_dictionary(contract: Contract, seed: int) -> None:
    forest = random_forest(contract, seed)
    assert forest == Forest.from_dict(forest.to_dict(), len(contract.encoded_names))


@given(data=st.data(), nodes=st.integers(1, 6))
def test_whatever_decodes_can_be_walked_to_an_end(data: st.DataObject, nodes: int) -> None:
    """Random arrays either raise BadBundle or score every vector: no walk loops or leaves."""
    index = st.integers(-2, nodes + 1)
    arrays = {
        name: data.draw(st.lists(index, min_size=nodes, max_size=nodes))
        for name in ("feature", "left", "right", "default_left", "threshold", "cover")
    }
    roots = data.draw(st.lists(st.integers(-1, nodes), max_size=3))
    try:
        forest = Forest.from_dict({"base_margin": 0.0, "roots": roots, **arrays}, 2)
    except BadBundle:
        return
    for vector in ([0.0, 0.0], [9.0, 9.0], [math.nan, math.nan]):
        assert math.isfinite(forest.margin(vector))


@pytest.mark.parametrize(
    "damage",
    [
        {"left": [0, 0, 0]},
        {"right": [0, 0, 0]},
        {"left": [3, 0, 0]},
        {"left": [-1, 0, 0]},
        {"feature": [1, -1, -1]},
        {"feature": [-2, -1, -1]},
        {"feature": [0, -1]},
        {"roots": [3]},
        {"roots": [-1]},
        {"roots": ["0"]},
        {"roots": None},
        {"threshold": [math.nan, 2.0, 3.0]},
        {"threshold": [0.5, math.inf, 3.0]},
        {"threshold": [0.5, 10**400, 3.0]},
        {"threshold": "abc"},
        {"base_margin": math.nan},
        {"base_margin": None},
        {"base_margin": 10**400},
        {"cover": [1.0]},
        {"cover": [math.nan, 4.0, 6.0]},
        {"cover": [10.0, -4.0, 6.0]},
        {"cover": [math.inf, 4.0, 6.0]},
        {"cover": [4.0, 4.1, 6.0]},
        {"cover": [1e-300, 1e300, 0.0]},
        {"cover": [0.0, 4.0, 6.0]},
        {"right": [1, 0, 0]},
        {"roots": [0, 0]},
        {"roots": [0, 2]},
        {"feature": [2**70, -1, -1]},
        {"feature": {"0": 1}},
    ],
)
def test_damaged_trees_are_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(BadBundle):
        Forest.from_dict(STUMP | damage, 1)


def test_a_tree_that_never_ends_is_refused() -> None:
    nodes = 2 * 65 + 1  # a chain: each inner node has a leaf and the next one
    inner = [node % 2 == 0 and node < nodes - 1 for node in range(nodes)]
    chain = {
        "base_margin": 0.0,
        "roots": [0],
        "feature": [0 if i else -1 for i in inner],
        "threshold": [0.5] * nodes,
        "left": [n + 1 if i else 0 for n, i in enumerate(inner)],
        "right": [n + 2 if i else 0 for n, i in enumerate(inner)],
        "default_left": [0] * nodes,
        "cover": [1.0] * nodes,
    }
    with pytest.raises(BadBundle, match="deeper"):
        Forest.from_dict(chain, 1)


@pytest.mark.parametrize(("margin", "expected"), [(0, 0.5), (1e6, 1.0), (-1e6, 0.0)])
def test_the_sigmoid_does_not_overflow(margin: float, expected: float) -> None:
    assert expected == sigmoid(margin)


def test_valid_instances_give_probabilities(contract: Contract) -> None:
    from domain.contract.encoder import Encoder

    forest, encoder = random_forest(contract, 1), Encoder(contract)

    @given(instances(contract))
    def check(instance: dict[str, Any]) -> None:
        assert 0 < forest.probability(encoder.encode(contract.row(instance))) < 1

    check()
