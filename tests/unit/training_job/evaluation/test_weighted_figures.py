"""Weighted rows give the figures of a table in which each row is there as often as it counts."""

import numpy as np
import pytest

from domain.contract.objective import Cost, Objective
from training_job.evaluation.evaluation import measure, measure_segments

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
