"""The points of the card's plots: right, and none of them about fewer than eleven people."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics

from training_job.evaluation import curves
from training_job.evaluation.curves import Scored, compute_curves, cut_groups
from training_job.evaluation.plots import PlotData

NOTHING: Any = None


def _data(scores: Any, labels: Any) -> PlotData:
    return PlotData(
        contract=NOTHING,
        booster=NOTHING,
        matrix=NOTHING,
        labels=np.asarray(labels, dtype=np.int8),
        scores=np.asarray(scores, dtype=np.float64),
        threshold=0.5,
        history=(),
    )


@pytest.fixture(autouse=True)
def explained(monkeypatch: pytest.MonkeyPatch) -> dict[str, npt.NDArray[np.float64]]:
    """The SHAP values that the model's rows have, by feature."""
    found = {"age": np.repeat([1.0, -2.0], 10), "bmi": np.full(20, 0.12345)}
    monkeypatch.setattr(curves, "contributions", lambda _: found)
    return found


def test_importance_is_the_mean_absolute_shap_value_and_has_shares() -> None:
    found = compute_curves(_data([0.5] * 30, [0, 1] * 15))
    assert {"age": 1.5, "bmi": 0.123} == found.importance
    assert 1.0 == pytest.approx(sum(found.shares.values()))


def test_importance_over_few_rows_is_not_shown(
    explained: dict[str, npt.NDArray[np.float64]],
) -> None:
    explained.clear()
    explained["age"] = np.ones(10)
    found = compute_curves(_data([0.5] * 30, [0, 1] * 15))
    assert ({}, {}) == (found.importance, found.shares)


def test_the_roc_has_the_area_of_the_exact_curve_and_the_calibration_its_line() -> None:
    rng = np.random.default_rng(1)
    scores = rng.beta(0.6, 4, 20_000)
    labels = rng.random(20_000) < scores
    found = compute_curves(_data(scores, labels))
    assert (0.0, 0.0) == found.roc[0]
    assert (1.0, 1.0) == found.roc[-1]
    assert 20 < len(found.roc) <= curves.ROC_STEPS + 2
    area = metrics.auc(*zip(*found.roc, strict=True))
    assert metrics.roc_auc_score(labels, scores) == pytest.approx(area, abs=0.005)
    assert all(abs(observed - mean) < 0.05 for mean, observed in found.calibration)
    assert [*found.calibration] == sorted(found.calibration)


@pytest.mark.parametrize("seed", range(20))
def test_no_step_is_about_one_to_ten_rows_of_an_outcome(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(30, 3_000))
    scores = np.round(rng.beta(0.5, 5, rows), int(rng.integers(1, 4)))
    labels = (rng.random(rows) < scores * rng.random() * 1.5).astype(np.int8)
    scored = Scored.of(_data(scores, labels))
    ends = cut_groups(scored, 50)
    for start, end in zip((0, *ends[:-1]), ends, strict=False):  # without groups, without ends
        assert start < end
        assert not scored.is_small(start, end)
    few = 0 < labels.sum() < 11 or 0 < rows - labels.sum() < 11
    assert [] == ends if few else len(scored.scores) == ends[-1]


def test_rows_that_are_counted_together_give_the_same_points() -> None:
    rng = np.random.default_rng(3)
    scores = np.round(rng.beta(0.6, 4, 5_000), 2)
    labels = (rng.random(5_000) < scores).astype(np.int8)
    pairs, counts = np.unique(np.stack([scores, labels]), axis=1, return_counts=True)
    together = replace(_data(pairs[0], pairs[1]), counts=counts)
    assert compute_curves(_data(scores, labels)) == compute_curves(together)


@pytest.mark.parametrize("labels", [[0] * 40, [1] * 40, [1] * 5 + [0] * 40])
def test_without_enough_of_both_outcomes_there_is_no_roc(labels: list[int]) -> None:
    assert () == compute_curves(_data(np.linspace(1, 0, len(labels)), labels)).roc
