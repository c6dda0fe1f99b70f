"""The threshold: the best expected metric, or a recall that is surely reached."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contract.objective import Cost, Objective
from tabular.classification import Bools, Floats
from training_job.model.objective import count_answers, evaluate_constant, evaluate_counts
from training_job.model.threshold import choose_threshold

F1 = Objective()
OBJECTIVES = [F1, Objective(Cost(1.0, 5.0)), Objective(Cost(3.0, 1.0))]


def _people(rows: int, seed: int) -> tuple[Bools, Floats]:
    """Labels, and the very chances that they were drawn with."""
    rng = np.random.default_rng(seed)
    chances = 1 / (1 + np.exp(-rng.normal(-2.5, 2.0, rows)))
    return rng.random(rows) < chances, chances


def _expected(objective: Objective, chances: Floats, threshold: float) -> float:
    called = chances >= threshold
    tp, fn = chances[called].sum(), chances[~called].sum()
    fp, tn = (1 - chances[called]).sum(), (1 - chances[~called]).sum()
    return float(evaluate_counts(objective, [tn, fp, fn, tp]))


@pytest.mark.parametrize("objective", OBJECTIVES, ids=["F1", "cost of misses", "cost of alarms"])
@given(st.lists(st.sampled_from([0.05, 0.2, 0.2001, 0.5, 0.7, 0.99]), min_size=2, max_size=40))
def test_no_other_threshold_has_a_better_expected_metric(
    objective: Objective, scores: list[float]
) -> None:
    chances = np.array(scores)
    found = choose_threshold(np.ones(len(chances), bool), chances, objective)
    best = max(_expected(objective, chances, cut) for cut in np.unique(chances))
    np.testing.assert_allclose(_expected(objective, chances, found), best)


@pytest.mark.parametrize(("misses", "expected"), [(1.0, 0.5), (4.0, 0.2), (9.0, 0.1)])
def test_a_cost_asks_for_the_threshold_at_which_both_errors_cost_the_same(
    misses: float, expected: float
) -> None:
    labels, chances = _people(50_000, seed=1)
    found = choose_threshold(labels, chances, Objective(Cost(false_negative=misses)))
    assert pytest.approx(expected, abs=0.002) == found


@pytest.mark.parametrize("minimum", [0.5, 0.85, 0.95])
def test_a_required_recall_is_reached_on_new_rows_nine_times_in_ten(minimum: float) -> None:
    objective, reached = Objective(minimum_recall=minimum), []
    for seed in range(200):
        labels, chances = _people(2_000, seed)
        threshold = choose_threshold(labels, chances, objective)
        fresh, others = _people(20_000, seed + 1_000)
        reached.append(np.mean(others[fresh] >= threshold) >= minimum)
    assert 0.85 <= np.mean(reached) <= 0.97


@pytest.mark.parametrize(("minimum", "recall"), [(0.4, 0.78), (0.6, 0.48)])
def test_a_required_precision_is_reached_on_new_rows(minimum: float, recall: float) -> None:
    """Also by a model whose scores are too sure of themselves, as a fitted model's may be."""
    objective, found = Objective(minimum_precision=minimum), []
    fresh, others = _people(100_000, seed=1_000)
    for seed in range(100):
        labels, chances = _people(2_000, seed)
        odds = (chances / (1 - chances)) ** 1.1
        threshold = choose_threshold(labels, odds / (1 + odds), objective)
        cut = (threshold / (1 - threshold)) ** (1 / 1.1)
        called = others >= cut / (1 + cut)
        found.append((fresh[called].mean() >= minimum, called[fresh].mean()))
    reached, recalls = np.mean(found, axis=0)
    assert reached >= 0.9
    assert recalls >= recall


def test_unequal_weights_make_a_required_precision_less_sure() -> None:
    objective, found = Objective(minimum_precision=0.6), []
    for seed in range(40):
        labels, chances = _people(2_000, seed)
        plain = choose_threshold(labels, chances, objective)
        assert plain == choose_threshold(labels, chances, objective, np.full(2_000, 4.0))
        weights = np.random.default_rng(seed + 1_000).lognormal(0, 1.5, 2_000)
        found.append((plain, choose_threshold(labels, chances, objective, weights)))
    plains, weighted = np.mean(found, axis=0)
    assert weighted > plains + 0.03


def test_a_precision_that_no_threshold_reaches_leaves_the_surest_one() -> None:
    labels, chances = np.arange(40) < 4, np.linspace(0.3, 0.01, 40)
    found = choose_threshold(labels, chances, Objective(minimum_precision=0.95))
    assert 0.01 < found < 0.3


def test_with_too_few_positives_to_be_sure_all_of_them_are_found() -> None:
    labels = np.array([True, False, True, False])
    found = choose_threshold(labels, np.array([0.9, 0.8, 0.3, 0.1]), Objective(minimum_recall=0.9))
    assert pytest.approx(0.2) == found


def test_few_rows_cost_less_f1_than_with_the_threshold_that_is_best_on_them() -> None:
    fresh, others = _people(100_000, seed=9)
    lost = {"expected": 0.0, "counted": 0.0}
    for seed in range(60):
        labels, chances = _people(500, seed)
        cuts = np.unique(chances)
        counts = [count_answers(labels, chances >= cut) for cut in cuts]
        counted = float(cuts[np.argmax(evaluate_counts(F1, counts))])
        for rule, threshold in (
            ("expected", choose_threshold(labels, chances, F1)),
            ("counted", counted),
        ):
            lost[rule] -= float(evaluate_counts(F1, count_answers(fresh, others >= threshold)))
    assert 60 * 0.005 < lost["counted"] - lost["expected"]


def test_the_metrics_of_a_known_case() -> None:
    counts = [[80, 10, 4, 6]]
    assert pytest.approx(12 / 26) == evaluate_counts(F1, counts)[0]
    assert pytest.approx(6 / 16) == evaluate_counts(Objective(minimum_recall=0.6), counts)[0]
    assert pytest.approx(6 / 10) == evaluate_counts(Objective(minimum_precision=0.6), counts)[0]
    # Five for each of 4 misses and one for each of 10 alarms; "no to all" costs 10 times 5.
    assert pytest.approx(1 - 30 / 50) == evaluate_counts(Objective(Cost(1.0, 5.0)), counts)[0]


def test_a_metric_may_be_undefined() -> None:
    assert np.isnan(evaluate_counts(F1, [9, 0, 0, 0]))
    assert np.isnan(evaluate_counts(Objective(minimum_recall=0.5), [9, 0, 1, 0]))
    assert np.isnan(evaluate_counts(Objective(Cost()), [9, 1, 0, 0]))


def test_the_best_constant_answer() -> None:
    labels = np.arange(10) < 4
    assert pytest.approx(0.8 / 1.4) == evaluate_constant(F1, labels)
    assert pytest.approx(0.4) == evaluate_constant(Objective(minimum_recall=0.9), labels)
    assert pytest.approx(0.0) == evaluate_constant(Objective(Cost(1.0, 5.0)), labels)
    assert 0 == evaluate_constant(Objective(minimum_precision=0.41), labels)
    assert 1 == evaluate_constant(Objective(minimum_precision=0.4), labels)
