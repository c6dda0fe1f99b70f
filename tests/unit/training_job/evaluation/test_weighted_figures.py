"""Weighted rows give the figures of a table in which each row is there as often as it counts."""

from typing import Any

import numpy as np
import pytest

from domain.contract.objective import Cost, Objective
from tabular.coverage import effective_rows, thin_lines
from training_job.evaluation.evaluation import measure, measure_segments
from training_job.model.threshold import choose_threshold

RANDOM = np.random.default_rng(4)
ROWS = 4_000
SCORES = RANDOM.beta(1, 3, ROWS)
LABELS = RANDOM.random(ROWS) < SCORES
WEIGHTS = RANDOM.choice([1, 4], ROWS)
REPEATED = np.repeat(np.arange(ROWS), WEIGHTS)
OBJECTIVE = Objective(Cost(false_negative=3))
ALL = {"all": np.ones(ROWS, bool), "none": np.zeros(ROWS, bool)}


def test_figures_are_those_of_the_repeated_rows() -> None:
    weights = WEIGHTS / WEIGHTS.mean()
    found = measure(LABELS, SCORES, 0.3, objective=OBJECTIVE, seed=1, weights=weights)
    repeated = measure(LABELS[REPEATED], SCORES[REPEATED], 0.3, objective=OBJECTIVE, seed=1)
    assert repeated.keys() == found.keys()
    for name in ("f1", "precision", "recall", "saved_cost"):
        assert pytest.approx(repeated[name].value) == found[name].value
    for name in ("roc_auc", "pr_auc", "brier", "log_loss"):
        assert pytest.approx(repeated[name].value, abs=0.02) == found[name].value
        assert found[name].high - found[name].low > repeated[name].high - repeated[name].low


def test_figures_of_a_segment_are_those_of_the_repeated_rows() -> None:
    (found,) = measure_segments(LABELS, SCORES, 0.3, ALL, seed=1, weights=WEIGHTS.astype(float))
    masks = {"all": np.ones(len(REPEATED), bool)}
    (repeated,) = measure_segments(LABELS[REPEATED], SCORES[REPEATED], 0.3, masks, seed=1)
    assert (ROWS, int(LABELS.sum())) == (found.rows, found.positives)
    for name in ("f1", "precision", "recall", "selection_rate", "false_positive_rate"):
        assert pytest.approx(getattr(repeated, name)) == getattr(found, name)


def test_weights_of_one_change_nothing() -> None:
    plain = measure(LABELS, SCORES, 0.3, objective=OBJECTIVE, seed=1)
    ones = measure(LABELS, SCORES, 0.3, objective=OBJECTIVE, seed=1, weights=np.ones(ROWS))
    assert plain == ones


def test_lines_with_counts_give_the_figures_of_their_weighted_rows() -> None:
    counts = RANDOM.integers(1, 6, ROWS)
    each = np.repeat(np.arange(ROWS), counts)
    weights = WEIGHTS / WEIGHTS.mean()
    options: Any = {"objective": OBJECTIVE, "seed": 1}
    found = measure(LABELS, SCORES, 0.3, weights=weights, counts=counts, **options)
    rows = measure(LABELS[each], SCORES[each], 0.3, weights=weights[each], **options)
    exact = ("f1", "precision", "recall", "saved_cost")
    assert {n: rows[n] for n in exact} == {n: pytest.approx(found[n], abs=1e-12) for n in exact}
    for name in ("roc_auc", "pr_auc", "brier", "log_loss"):
        assert pytest.approx(rows[name].value, abs=0.02) == found[name].value


def test_the_threshold_of_lines_is_that_of_their_weighted_rows() -> None:
    counts = RANDOM.integers(1, 6, ROWS)
    each = np.repeat(np.arange(ROWS), counts)
    weights = WEIGHTS.astype(float)
    for objective in (OBJECTIVE, Objective(minimum_recall=0.8), Objective(minimum_precision=0.5)):
        rows = choose_threshold(LABELS[each], SCORES[each], objective, weights[each])
        assert rows == choose_threshold(LABELS, SCORES, objective, weights, counts)


def test_lines_are_thinned_to_what_each_row_counts_for() -> None:
    counts = np.array([40_000, 10_000, 20_000])
    kept = thin_lines(np.array([1.0, 2.0, 0.5]), counts, np.random.default_rng(1))
    assert [20_000, 10_000, 5_000] == pytest.approx(kept.tolist(), rel=0.05)
    assert 1.6 == effective_rows(np.array([1.0, 3.0]))
    assert 3.2 == effective_rows(np.array([1.0, 3.0]), np.array([2, 2]))
