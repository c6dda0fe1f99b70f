"""The exported scorer is XGBoost, row by row."""

import numpy as np
import pytest
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.contract.contract import Contract
from domain.model import bitmaps
from domain.model.bundle import Bundle, digest
from domain.model.scorer import Forest
from training_job.model import walk
from training_job.model.export import export
from training_job.model.walk import Walk


def _booster(seed: int, *, depth: int, rounds: int, missing: float, columns: int) -> xgb.Booster:
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(300, columns)).astype(np.float32).round(1)
    labels = matrix[:, 0] + random.normal(size=300) > 0.5
    matrix[random.random(matrix.shape) < missing] = np.nan
    params = {"objective": "binary:logistic", "max_depth": depth, "nthread": 1, "seed": seed}
    return xgb.train(params, xgb.DMatrix(matrix, labels), num_boost_round=rounds)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    depth=st.integers(1, 6),
    rounds=st.integers(1, 40),
    missing=st.sampled_from([0.0, 0.3]),
)
def test_any_model_scores_any_row_the_same(
    seed: int, depth: int, rounds: int, missing: float
) -> None:
    columns = 5
    booster = _booster(seed, depth=depth, rounds=rounds, missing=missing, columns=columns)
    random = np.random.default_rng(seed + 1)
    # Rounded values hit thresholds exactly, where < and <= part ways.
    rows = random.normal(size=(200, columns)).astype(np.float32).round(1)
    rows[random.random(rows.shape) < 0.2] = np.nan
    forest = export(booster)
    scored = [forest.margin(row) for row in rows.tolist()]
    probabilities = [forest.probability(row) for row in rows.tolist()]
    np.testing.assert_allclose(probabilities, booster.inplace_predict(rows), rtol=0, atol=1e-6)
    assert scored == Walk(forest).margins(rows).tolist()
    assert probabilities == Walk(forest).probabilities(rows).tolist()
    assert scored == bitmaps.margins(forest, rows.tolist())
    assert forest == Forest.from_dict(forest.to_dict(), columns)


def test_blocks_of_rows_are_bounded_in_rows_and_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    forest = export(_booster(3, depth=4, rounds=20, missing=0.1, columns=5))
    rows = np.random.default_rng(4).normal(size=(1_000, 5)).astype(np.float32).round(1)
    whole = Walk(forest)
    assert whole.block_rows > len(rows)
    monkeypatch.setattr(walk, "MOST_ROWS", 300)
    by_rows = Walk(forest)
    monkeypatch.setattr(walk, "BITMAP_BYTES", 1_000)
    by_memory = Walk(forest)
    assert 1 <= by_memory.block_rows < by_rows.block_rows == 300
    expected = whole.margins(rows).tolist()
    assert expected == by_rows.margins(rows).tolist() == by_memory.margins(rows).tolist()
    assert [] == whole.margins(rows[:0]).tolist()


def test_a_bundle_keeps_every_score_through_its_bytes(contract: Contract) -> None:
    booster = _booster(2, depth=4, rounds=8, missing=0.1, columns=len(contract.encoded_names))
    bundle = Bundle(contract, export(booster), 0.37)
    content = bundle.to_bytes()
    assert bundle == Bundle.from_bytes(content, digest(content))
