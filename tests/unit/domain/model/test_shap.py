"""The explanation: XGBoost's own contributions, and the definition of the Shapley value."""

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xgboost as xgb
from hypothesis import given
from hypothesis import strategies as st

from domain.contract.contract import Contract
from domain.model.bundle import Bundle
from domain.model.scorer import Forest
from domain.model.shap import contributions, explain
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
        expected, by_column = contributions(bundle.forest, row.tolist())
        np.testing.assert_allclose(by_column, their[:-1], rtol=0, atol=TOLERANCE)
        assert math.isclose(expected, their[-1], abs_tol=TOLERANCE)

    of = [f.name for f in contract.features for _ in f.encoded_names]
    for values, their in zip(frame[names].head(20).itertuples(index=False), theirs, strict=False):
        summed = dict.fromkeys(names, 0.0)
        for name, value in zip(of, their[:-1], strict=True):
            summed[name] += value
        row = contract.row(
            {n: None if pd.isna(v) else v for n, v in zip(names, values, strict=True)}
        )
        assert pytest.approx(summed, abs=TOLERANCE) == explain(bundle, row).contributions


def _known(forest: Forest, node: int, vector: list[float], known: set[int]) -> float:
    """The game's value: absent columns go both ways, in proportion to the covers."""
    column = forest.feature[node]
    if column == -1:
        return forest.threshold[node]
    left, right = forest.left[node], forest.right[node]
    if column in known:
        return _known(
            forest, left if vector[column] < forest.threshold[node] else right, vector, known
        )
    below = (forest.cover[c] * _known(forest, c, vector, known) for c in (left, right))
    return sum(below) / forest.cover[node]


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_shapley_value_by_its_definition(seed: int) -> None:
    columns = 5
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(200, columns)).astype(np.float32)
    labels = (matrix[:, 0] * matrix[:, 1] + random.normal(size=200) > 0).astype(int)
    forest = export(_booster(matrix, labels, rounds=2, depth=4))
    vector = matrix[0].tolist()
    found = contributions(forest, vector)[1]

    for column in range(columns):
        others = [c for c in range(columns) if c != column]
        value = 0.0
        for size in range(columns):
            for chosen in combinations(others, size):
                weight = 1 / (columns * math.comb(columns - 1, size))
                gain = sum(
                    _known(forest, root, vector, {*chosen, column})
                    - _known(forest, root, vector, set(chosen))
                    for root in forest.roots
                )
                value += weight * gain
        assert math.isclose(value, found[column], abs_tol=1e-9)


@given(data=st.data(), seed=st.integers(0, 10_000))
def test_the_contributions_add_up_to_the_log_odds(data: st.DataObject, seed: int) -> None:
    contract = data.draw(contracts())
    bundle = Bundle(contract, random_forest(contract, seed, depth=5), 0.5)
    row = contract.row(data.draw(instances(contract)))
    explanation = explain(bundle, row)
    total = explanation.expected + sum(explanation.contributions.values())
    assert [f.name for f in contract.features] == list(explanation.contributions)
    assert math.isclose(bundle.forest.margin(bundle.encoder.encode(row)), total, abs_tol=1e-6)


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
    assert (3.0, [-1.0]) == contributions(forest, [0.0])
