"""Lines with counts give the figures of the rows that they stand for."""

from typing import Any

import numpy as np
import pytest

from domain.contract.gate_limits import SegmentMetric
from domain.contract.objective import Cost, Objective
from tabular.calibration import calibration_error_by_chance
from training_job.evaluation.evaluation import compare_pairwise, measure, measure_segments
from training_job.model.objective import evaluate_constant
from training_job.model.threshold import choose_threshold

RANDOM = np.random.default_rng(4)
LINES = 1_500
SCORES = np.round(RANDOM.beta(1, 3, LINES), 3)
LABELS = RANDOM.random(LINES) < SCORES
OTHER = SCORES + RANDOM.normal(0, 0.1, LINES) >= 0.35
MASKS = {"half": RANDOM.random(LINES) < 0.5, "positives": LABELS}
COUNTS = RANDOM.integers(1, 6, LINES)
EACH = np.repeat(np.arange(LINES), COUNTS)
ROW_MASKS = {name: mask[EACH] for name, mask in MASKS.items()}
OBJECTIVES = [
    Objective(Cost(false_negative=3)),
    Objective(minimum_recall=0.8),
    Objective(minimum_precision=0.5),
]


def _flat(found: Any) -> Any:
    """All numbers within, in order."""
    if isinstance(found, dict):
        return [number for value in found.values() for number in _flat(value)]
    if isinstance(found, tuple | list):
        return [number for value in found for number in _flat(value)]
    if hasattr(found, "__dataclass_fields__"):
        return [n for name in found.__dataclass_fields__ for n in _flat(getattr(found, name))]
    return [found] if isinstance(found, int | float) else []


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.metric)
def test_figures_are_those_of_the_rows(objective: Objective) -> None:
    found = measure(LABELS, SCORES, 0.3, objective=objective, seed=1, counts=COUNTS)
    rows = measure(LABELS[EACH], SCORES[EACH], 0.3, objective=objective, seed=1)
    assert rows.keys() == found.keys()
    assert pytest.approx(_flat(rows), abs=1e-9) == _flat(found)
    constant = evaluate_constant(objective, LABELS[EACH])
    assert constant == evaluate_constant(objective, LABELS, COUNTS)


def test_figures_of_segments_are_those_of_the_rows() -> None:
    found = measure_segments(LABELS, SCORES, 0.3, MASKS, seed=1, counts=COUNTS)
    rows = measure_segments(LABELS[EACH], SCORES[EACH], 0.3, ROW_MASKS, seed=1)
    assert len(rows) == len(found) == 2
    assert pytest.approx(_flat(rows), abs=1e-9) == _flat(found)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.metric)
@pytest.mark.parametrize("segment_metric", [None, "recall"])
def test_the_comparison_is_that_of_the_rows(
    objective: Objective, segment_metric: SegmentMetric | None
) -> None:
    options: Any = {"objective": objective, "thresholds": (0.3, 0.35), "version": "1-00000000"}
    options |= {"seed": 1, "segment_metric": segment_metric}
    called = SCORES >= 0.3
    found = compare_pairwise(LABELS, called, OTHER, MASKS, counts=COUNTS, **options)
    rows = compare_pairwise(LABELS[EACH], called[EACH], OTHER[EACH], ROW_MASKS, **options)
    assert rows == found


def test_the_error_by_chance_is_that_of_the_rows() -> None:
    for labels in (LABELS, ~LABELS):
        rows = calibration_error_by_chance(labels[EACH], SCORES[EACH], seed=1)
        found = calibration_error_by_chance(labels, SCORES, seed=1, counts=COUNTS)
        assert pytest.approx(rows, abs=1e-9) == found


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.metric)
def test_the_threshold_is_that_of_the_rows(objective: Objective) -> None:
    rows = choose_threshold(LABELS[EACH], SCORES[EACH], objective)
    assert rows == choose_threshold(LABELS, SCORES, objective, counts=COUNTS)
