"""F1, precision, recall and the rates of groups: undefined figures are None, in both jobs alike."""

import numpy as np
import pytest
from fairlearn.metrics import false_positive_rate, selection_rate, true_positive_rate
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_score

from domain.interval import Interval
from tabular.classification import bootstrap_figures, confusion_intervals, group_intervals

NONE = np.zeros(500, dtype=bool)
ALL = np.ones(500, dtype=bool)
FIRST = np.arange(500) == 0
PERFECT = Interval(1.0, 1.0, 1.0)
NOTHING = Interval(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("labels", "predicted", "expected"),
    [
        (NONE, NONE, {"f1": None, "precision": None, "recall": None}),
        (NONE, ALL, {"f1": NOTHING, "precision": NOTHING, "recall": None}),
        (ALL, NONE, {"f1": NOTHING, "precision": None, "recall": NOTHING}),
        (ALL, ALL, {"f1": PERFECT, "precision": PERFECT, "recall": PERFECT}),
    ],
)
def test_a_figure_without_a_denominator_is_none(
    labels: np.ndarray, predicted: np.ndarray, expected: dict[str, Interval | None]
) -> None:
    assert expected == confusion_intervals(labels, predicted, seed=1)


@given(st.integers(1, 60), st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 1))
def test_the_rates_of_a_group_are_those_of_fairlearn(
    rows: int, seed: int, positive: float, selected: float
) -> None:
    rng = np.random.default_rng(seed)
    labels, predicted = rng.random(rows) < positive, rng.random(rows) < selected
    truth, answers = labels.astype(int), predicted.astype(int)
    expected = {
        "selection_rate": selection_rate(truth, answers, pos_label=1),
        "recall": true_positive_rate(truth, answers, pos_label=1),
        "false_positive_rate": false_positive_rate(truth, answers, pos_label=1),
        "precision": precision_score(truth, answers, zero_division=0),
    }
    found = group_intervals(labels, predicted, seed=1, resamples=10)
    # Where fairlearn says 0 for want of a denominator, there is no figure.
    ours = {name: figure.value if (figure := found[name]) else 0.0 for name in expected}
    assert pytest.approx(expected, abs=1e-12, rel=0) == ours


def test_an_undefined_rate_is_none_and_not_zero() -> None:
    found = group_intervals(ALL, NONE, seed=1)
    assert found["false_positive_rate"] is None
    assert NOTHING == found["selection_rate"]


def test_a_rates_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    inside = 0
    for seed in range(400):
        labels = rng.random(300) < 0.3
        predicted = rng.random(300) < np.where(labels, 0.8, 0.2)
        rate = group_intervals(labels, predicted, seed=seed, resamples=400)["false_positive_rate"]
        assert rate is not None
        inside += rate.low <= 0.2 <= rate.high
    assert 0.91 <= inside / 400 <= 0.985


def test_resamples_that_leave_a_figure_undefined_do_not_count() -> None:
    found = bootstrap_figures(FIRST, FIRST, seed=1)["f1"]
    assert np.isnan(found.resampled).any()  # the only positive row was not drawn
    assert PERFECT == found.interval
