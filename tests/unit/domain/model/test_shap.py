"""The explanation: XGBoost's own contributions, and the definition of the Shapley value."""

import math
from fractions import Fraction
from itertools import combinations
from random import Random

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xgboost as xgb
from hypothesis import given
from hypothesis import strategies as st

from domain.contract.contract import Contract
from domain.model.bundle import Bundle
from domain.model.scorer import LEAF, Forest, sigmoid
from domain.model.shap import Explainer, Explanation, quadrature
from tests.unit.contracts import contracts, instances
from tests.unit.fakes import random_forest
from tests.unit.patients import patients
from training_job.model.encoding import encode
from training_job.model.export import export

TOLERANCE = 1e-5


def _booster(matrix: np.ndarray, labels: np.ndarray, *, rounds: int, depth: int) -> xgb.Booster:
    params = {"objective": "binary:logistic", "max_depth": depth, "nthread": 1, "seed": 1}
    return xgb.train(params, xgb.DMatrix(matrix, labels), num_boost_round=rounds)


def test_a_thousand_explanations_are_xgboosts_own(contract: Contract) -> None:
    """60 trees of depth 6, a tenth of the values missing where they may be."""
    frame = patients(1_500, seed=3)
    random = np.random.default_rng(3)
    frame["bmi"] = frame["bmi"].mask(random.random(len(frame)) < 0.1)
    frame["smoking_history"] = frame["smoking_history"].mask(random.random(len(frame)) < 0.1)
    names = [feature.name for feature in contract.features]
    matrix = encode(pa.Table.from_pandas(frame[names], preserve_index=False), contract)
    booster = _booster(matrix, frame["diabetes"].to_numpy(), rounds=60, depth=6)
    bundle = Bundle(contract, export(booster), 0.5)
    rows = matrix[:1_000]
    theirs = booster.predict(xgb.DMatrix(rows), pred_contribs=True)

    for row, their in zip(rows, theirs, strict=True):
        by_column = bundle.explainer.contributions(row.tolist())
        np.testing.assert_allclose(by_column, their[:-1], rtol=0, atol=TOLERANCE)
        assert math.isclose(bundle.explainer.expected, their[-1], abs_tol=TOLERANCE)

    of = [f.name for f in contract.features for _ in f.encoded_names]
    for values, their in zip(frame[names].head(20).itertuples(index=False), theirs, strict=False):
        summed = dict.fromkeys(names, 0.0)
        for name, value in zip(of, their[:-1], strict=True):
            summed[name] += value
        row = contract.row(
            {n: None if pd.isna(v) else v for n, v in zip(names, values, strict=True)}
        )
        assert pytest.approx(summed, abs=TOLERANCE) == bundle.explain(row).contributions


def _worth(forest: Forest, node: int, vector: list[float], known: set[int]) -> Fraction:
    """The game's value, without rounding: absent columns go both ways, by the covers."""
    column = forest.feature[node]
    if column == LEAF:
        return Fraction(forest.threshold[node])
    left, right = forest.left[node], forest.right[node]
    if column in known:
        goes_left = (
            forest.default_left[node]
            if math.isnan(vector[column])
            else (vector[column] < forest.threshold[node])
        )
        return _worth(forest, left if goes_left else right, vector, known)
    below = (Fraction(forest.cover[c]) * _worth(forest, c, vector, known) for c in (left, right))
    return sum(below, Fraction()) / Fraction(forest.cover[node])


def _shapley(forest: Forest, vector: list[float], column: int) -> Fraction:
    """The Shapley value by its definition."""
    others = [c for c in range(len(vector)) if c != column]
    return sum(
        (
            Fraction(1, len(vector) * math.comb(len(others), size))
            * (
                _worth(forest, root, vector, {*chosen, column})
                - _worth(forest, root, vector, set(chosen))
            )
            for size in range(len(vector))
            for chosen in combinations(others, size)
            for root in forest.roots
        ),
        Fraction(),
    )


def _grown(random: Random, columns: int, depth: int) -> Forest:
    """Two trees in which each node splits by any column, the same one again too."""
    nodes: dict[str, list[float]] = {
        name: [] for name in ("feature", "threshold", "left", "right", "default_left", "cover")
    }

    def grow(levels: int, cover: int) -> int:
        node = len(nodes["feature"])
        is_leaf = levels == 0 or cover < 2
        for name, value in (
            ("feature", LEAF if is_leaf else random.randrange(columns)),
            ("threshold", random.uniform(-1, 1)),
            ("left", 0),
            ("right", 0),
            ("default_left", random.randrange(2)),
            ("cover", cover),
        ):
            nodes[name].append(value)
        if not is_leaf:
            share = random.randint(1, cover - 1)
            nodes["left"][node] = grow(levels - 1, share)
            nodes["right"][node] = grow(levels - 1, cover - share)
        return node

    roots = [grow(depth, 2**depth * 3) for _ in range(2)]
    return Forest.from_dict({"base_margin": 0.25, "roots": roots, **nodes}, columns)


@pytest.mark.parametrize(("columns", "depth"), [(1, 1), (1, 4), (2, 6), (4, 5), (6, 6), (7, 7)])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_shapley_value_by_its_definition(columns: int, depth: int, seed: int) -> None:
    random = Random(seed)
    forest = _grown(random, columns, depth)
    vector = [math.nan if random.random() < 0.2 else random.uniform(-1, 1) for _ in range(columns)]
    explainer = Explainer(forest)
    found = explainer.contributions(vector)
    for column in range(columns):
        assert math.isclose(_shapley(forest, vector, column), found[column], abs_tol=1e-12)
    nothing_known = sum(_worth(forest, root, vector, set()) for root in forest.roots)
    assert math.isclose(0.25 + nothing_known, explainer.expected, abs_tol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3, 6, 9, 33])
def test_quadrature_is_exact_for_polynomials_of_its_degree(count: int) -> None:
    points = quadrature(count)
    for power in range(2 * count):
        assert math.isclose(
            1 / (power + 1), sum(weight * t**power for t, weight in points), rel_tol=1e-13
        )


@given(data=st.data(), seed=st.integers(0, 10_000))
def test_the_contributions_add_up_to_the_log_odds(data: st.DataObject, seed: int) -> None:
    contract = data.draw(contracts())
    bundle = Bundle(contract, random_forest(contract, seed, depth=5), 0.5)
    row = contract.row(data.draw(instances(contract)))
    explanation = bundle.explain(row)
    total = explanation.expected + sum(explanation.contributions.values())
    assert [f.name for f in contract.features] == list(explanation.contributions)
    assert math.isclose(bundle.forest.margin(bundle.encoder.encode(row)), total, abs_tol=1e-6)


@given(
    expected=st.floats(-20, 20),
    contributions=st.lists(st.floats(-9, 9), min_size=1, max_size=6),
)
def test_percentage_points_add_up_and_keep_signs_and_order(
    expected: float, contributions: list[float]
) -> None:
    by_name = {str(index): value for index, value in enumerate(contributions)}
    found = Explanation(expected, by_name).to_points()
    difference = sigmoid(expected + sum(contributions)) - sigmoid(expected)
    assert math.isclose(100 * difference, sum(found.values()), abs_tol=1e-7)
    for name, value in by_name.items():
        assert found[name] * value >= 0
        assert abs(found[name]) <= 25 * abs(value) + 1e-9  # the sigmoid is nowhere steeper


@pytest.mark.parametrize("rest", [0.0, 1e-9, -1e-9, 1e-5])
def test_contributions_that_cancel_out_are_no_division_by_zero(rest: float) -> None:
    points = Explanation(0.0, {"a": 2.0, "b": -2.0 + rest}).to_points()
    assert pytest.approx({"a": 50.0, "b": -50.0}, abs=1e-3) == points


def test_branches_that_no_row_reached_are_explained_too() -> None:
    forest = Forest.from_dict(
        {
            "base_margin": 0.0,
            "roots": [0],
            "feature": [0, -1, -1],
            "threshold": [0.5, 2.0, 4.0],
            "left": [1, 0, 0],
            "right": [2, 0, 0],
            "default_left": [1, 0, 0],
            "cover": [0.0, 0.0, 0.0],
        },
        1,
    )
    explainer = Explainer(forest)
    assert 3.0 == explainer.expected
    assert pytest.approx([-1.0]) == explainer.contributions([0.0])
