"""What the card says of each segment."""

import numpy as np
import pytest
from sklearn.metrics import precision_score, recall_score

from tabular.calibration import calibration_error
from tabular.classification import Bools, Floats
from training_job.evaluation.evaluation import measure_segments

THRESHOLD = 0.4


def _rows(rows: int, seed: int) -> tuple[Bools, Floats]:
    rng = np.random.default_rng(seed)
    scores = rng.beta(1.2, 4, rows)
    return rng.random(rows) < scores, scores


def test_each_figure_of_a_segment_is_that_of_its_own_rows_with_an_interval_around_it() -> None:
    labels, scores = _rows(3_000, 1)
    mask = np.arange(3_000) % 3 == 0
    (found,) = measure_segments(labels, scores, THRESHOLD, {"third": mask}, seed=1)
    truth, chances = labels[mask], scores[mask]
    called = chances >= THRESHOLD
    expected = {
        "precision": precision_score(truth, called),
        "recall": recall_score(truth, called),
        "selection_rate": called.mean(),
        "false_positive_rate": called[~truth].mean(),
        "calibration_error": calibration_error(truth, chances),
    }
    assert pytest.approx(expected, abs=1e-12) == {n: getattr(found, n) for n in expected}
    for name, value in expected.items():
        low, high = getattr(found, f"{name}_interval")
        assert low <= value <= high, name
        assert low < high


def test_a_segment_without_negatives_has_no_false_positive_rate_and_no_calibration() -> None:
    labels, scores = np.ones(50, dtype=bool), _rows(50, 2)[1]
    (found,) = measure_segments(labels, scores, THRESHOLD, {"all": labels}, seed=1)
    assert (None, None) == (found.false_positive_rate, found.false_positive_rate_interval)
    assert (None, None) == (found.calibration_error, found.calibration_error_interval)
    assert found.selection_rate == (scores >= THRESHOLD).mean()


def test_a_segment_without_rows_is_left_out() -> None:
    labels, scores = _rows(50, 3)
    nobody = np.zeros(50, dtype=bool)
    assert () == measure_segments(labels, scores, THRESHOLD, {"nobody": nobody}, seed=1)


def test_a_badly_calibrated_group_is_seen_in_its_own_figure() -> None:
    labels, scores = _rows(8_000, 4)
    half = np.arange(8_000) < 4_000
    scores = np.where(half, np.minimum(1.8 * scores, 1), scores)
    masks = {"off": half, "good": ~half}
    off, good = measure_segments(labels, scores, THRESHOLD, masks, seed=1)
    assert off.calibration_error_interval is not None
    assert good.calibration_error_interval is not None
    assert off.calibration_error_interval[0] > 0.3 > good.calibration_error_interval[1]
