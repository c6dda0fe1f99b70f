"""Intervals from counts agree with intervals from resampled rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from domain.contract.gate_limits import SEGMENT_METRICS, SegmentMetric
from domain.contract.objective import F1, Cost, Objective
from domain.interval import Interval
from tabular.calibration import calibration_error
from tabular.classification import confusion_intervals
from tabular.score_intervals import score_intervals
from training_job.evaluation.bootstrap import metric_interval, paired_change
from training_job.evaluation.evaluation import compare_pairwise
from training_job.model.objective import count_answers, evaluate_counts

ROWS = 4_000
FIGURES: dict[str, Callable[[Any, Any], float]] = {
    "roc_auc": metrics.roc_auc_score,
    "pr_auc": metrics.average_precision_score,
    "brier": metrics.brier_score_loss,
    "log_loss": metrics.log_loss,
    "calibration_error": calibration_error,
}


def _sample(seed: int = 1) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    margin = rng.normal(-2.5, 1.5, ROWS)
    return rng.random(ROWS) < 1 / (1 + np.exp(-margin)), 1 / (1 + np.exp(-0.8 * margin))


def _by_rows(figure: Callable[[Any], float], *, centred: bool = False) -> Interval:
    """The same interval the slow way: each resample is a list of row numbers.

    `centred`: around the value, whatever resampling adds to the figure.
    """
    rng = np.random.default_rng(9)
    values = np.array([figure(rng.integers(0, ROWS, ROWS)) for _ in range(600)])
    value = figure(np.arange(ROWS))
    low, high = np.percentile(values + (value - values.mean() if centred else 0), (2.5, 97.5))
    return Interval(value, float(low), float(high))


def _close(found: Interval, expected: Interval) -> None:
    width = expected.high - expected.low
    assert pytest.approx(expected.value, abs=1e-12) == found.value
    assert pytest.approx(expected.low, abs=0.15 * width) == found.low
    assert pytest.approx(expected.high, abs=0.15 * width) == found.high


@pytest.mark.parametrize("name", FIGURES)
def test_score_intervals_are_those_of_resampled_rows(name: str) -> None:
    labels, scores = _sample()
    values = {name: float(FIGURES[name](labels, scores))}
    found = score_intervals(labels, scores, values, seed=1)[name]
    centred = name == "calibration_error"
    slow = _by_rows(lambda rows: FIGURES[name](labels[rows], scores[rows]), centred=centred)
    _close(found, slow)


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("f1", metrics.f1_score),
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
    ],
)
def test_counted_intervals_are_those_of_resampled_rows(
    name: str, figure: Callable[[Any, Any], float]
) -> None:
    labels, scores = _sample()
    called = scores >= 0.3
    found = confusion_intervals(labels, called, seed=1)[name]
    assert found is not None
    _close(found, _by_rows(lambda rows: figure(labels[rows], called[rows])))


OBJECTIVES = [
    F1,
    Objective(Cost(1.0, 5.0)),
    Objective(minimum_recall=0.8),
    Objective(minimum_precision=0.5),
]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.metric)
def test_the_paired_change_is_that_of_resampled_rows(objective: Objective) -> None:
    labels, scores = _sample()
    noise = np.random.default_rng(2).normal(0, 0.05, ROWS)
    one, other = scores >= 0.3, scores + noise >= 0.35

    def metric(rows: Any, predicted: Any) -> float:
        return float(evaluate_counts(objective, count_answers(labels[rows], predicted[rows])))

    found = paired_change(objective, labels, one, other, seed=1)
    assert found is not None
    expected = _by_rows(lambda rows: metric(rows, one) - metric(rows, other))
    _close(found.interval, expected)
    wide = (expected.high - expected.low) / (2 * 1.96)
    assert pytest.approx(wide, rel=0.15) == found.standard_error
    alone = metric_interval(objective, labels, one, seed=1)
    assert alone is not None
    _close(alone, _by_rows(lambda rows: metric(rows, one)))


@pytest.mark.parametrize("name", SEGMENT_METRICS)
def test_a_segment_is_compared_by_the_metric_that_the_contract_names(name: SegmentMetric) -> None:
    labels, scores = _sample()
    one, other = scores >= 0.3, scores >= 0.4
    figure = {
        "f1": metrics.f1_score,
        "precision": metrics.precision_score,
        "recall": metrics.recall_score,
        "false_positive_rate": lambda truth, called: called[~truth].mean(),
    }[name]
    masks = {"half": np.arange(ROWS) % 2 == 0}
    found = compare_pairwise(
        labels,
        one,
        other,
        masks,
        objective=F1,
        segment_metric=name,
        thresholds=(0.3, 0.4),
        version="1-00000000",
        seed=1,
    )
    truth, first, second = (each[masks["half"]] for each in (labels, one, other))
    expected = figure(truth, first) - figure(truth, second)
    change = found.segments[0].change
    assert pytest.approx(expected, abs=1e-12) == change.value
    assert change.low < change.value < change.high
    whole = paired_change(F1, labels, one, other, seed=1)
    assert whole is not None
    assert whole.interval == found.gain


@pytest.mark.parametrize(
    ("noise", "thresholds", "spare", "cost_of_a_miss", "surely_saves"),
    [
        (0.0, (0.2, 0.1), 0.0, 6.0, False),
        (0.0, (0.1, 0.2), 0.0, 6.0, False),
        (0.0, (0.2, 0.05), 0.1, 4.0, True),
        (1.8, (0.2, 0.05), 0.0, 76**0.5, True),
    ],
    ids=["higher threshold", "lower threshold", "recall to spare", "better model"],
)
def test_a_miss_costs_what_the_thresholds_imply(
    noise: float,
    thresholds: tuple[float, float],
    spare: float,
    cost_of_a_miss: float,
    surely_saves: bool,
) -> None:
    rng = np.random.default_rng(3)
    chances = rng.beta(0.3, 2.0, 20_000)
    labels = rng.random(20_000) < chances
    log_odds = np.log(chances / (1 - chances)) + rng.normal(0, noise, 20_000)
    one, other = chances >= thresholds[0], 1 / (1 + np.exp(-log_odds)) >= thresholds[1]
    paired = compare_pairwise(
        labels,
        one,
        other,
        {"all": np.ones(20_000, dtype=bool)},
        objective=Objective(minimum_recall=float(other[labels].mean()) - spare),
        thresholds=thresholds,
        version="1-00000000",
        seed=1,
    )
    found = paired.required
    assert found is not None
    assert (thresholds[0] > thresholds[1]) == (paired.gain.low > 0)
    assert pytest.approx(cost_of_a_miss) == found.cost_of_a_miss
    assert pytest.approx(one[labels].mean() - other[labels].mean()) == found.gain.value
    assert [found.saved_cost_gain] == [segment.change for segment in paired.segments]
    assert surely_saves == (found.saved_cost_gain.low > 0)


@pytest.mark.parametrize(
    ("thresholds", "spare", "cost_of_a_miss"),
    [((0.1, 0.2), 0.0, 6.0), ((0.1, 0.2), 0.1, 9.0)],
    ids=["lower threshold", "precision to spare"],
)
def test_a_required_precision_is_compared_and_a_lower_threshold_alone_gains_recall(
    thresholds: tuple[float, float], spare: float, cost_of_a_miss: float
) -> None:
    rng = np.random.default_rng(3)
    chances = rng.beta(0.3, 2.0, 20_000)
    labels = rng.random(20_000) < chances
    one, other = (chances >= threshold for threshold in thresholds)
    paired = compare_pairwise(
        labels,
        one,
        other,
        {},
        objective=Objective(minimum_precision=float(labels[other].mean()) - spare),
        thresholds=thresholds,
        version="1-00000000",
        seed=1,
    )
    found = paired.required
    assert found is not None
    assert paired.gain.low > 0
    assert pytest.approx(labels[one].mean() - labels[other].mean()) == found.gain.value
    assert found.gain.high < 0
    assert pytest.approx(cost_of_a_miss) == found.cost_of_a_miss
    assert (spare > 0) == (found.saved_cost_gain.low > 0)


def test_only_a_required_figure_is_compared() -> None:
    labels, scores = _sample()
    found = compare_pairwise(
        labels,
        scores >= 0.3,
        scores >= 0.4,
        {},
        objective=F1,
        thresholds=(0.3, 0.4),
        version="1-00000000",
        seed=1,
    )
    assert found.required is None


def test_the_same_answers_change_nothing() -> None:
    labels, scores = _sample()
    found = paired_change(F1, labels, scores > 0.3, scores > 0.3, seed=1)
    assert found is not None
    assert (Interval(0.0, 0.0, 0.0), 0.0) == (found.interval, found.standard_error)


def test_the_change_is_undefined_where_the_metric_is() -> None:
    none = np.zeros(500, dtype=bool)
    alarm = none.copy()
    alarm[0] = True
    assert paired_change(F1, none, none, alarm, seed=1) is None
    found = paired_change(F1, none, alarm, alarm, seed=1)
    assert found is not None
    assert Interval(0.0, 0.0, 0.0) == found.interval
    assert metric_interval(F1, none, none, seed=1) is None


def test_one_seed_gives_one_interval() -> None:
    labels, scores = _sample()
    values = {"roc_auc": 0.9}
    assert confusion_intervals(labels, scores > 0.3, seed=4) == confusion_intervals(
        labels, scores > 0.3, seed=4
    )
    assert score_intervals(labels, scores, values, seed=4) == score_intervals(
        labels, scores, values, seed=4
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_well_calibrated_models_error_lies_in_its_own_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.beta(0.5, 3, ROWS)
    labels = rng.random(ROWS) < scores
    value = calibration_error(labels, scores)
    found = score_intervals(labels, scores, {"calibration_error": value}, seed=1)
    interval = found["calibration_error"]
    assert interval.low <= value <= interval.high
