"""Performance with labels: its intervals, its verdict, and what has declined."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from domain import typed_json
from domain.drift.performance import Expectation, Performance, read_test_figures
from domain.interval import Interval
from domain.model.card import ModelCard, RecentFigures
from domain.model.gate.evidence import Role
from monitoring_job.statistics.calibration import fit_line
from monitoring_job.statistics.expectation import estimate_performance, find_prevalence
from monitoring_job.statistics.performance import measure_performance
from tests.cards import make_card

METRICS = ("f1", "precision", "recall", "roc_auc")
THRESHOLD = 0.4


def draw(rows: int, seed: int, *, noise: float = 0.0, positives: float = 1.0) -> tuple[Any, Any]:
    """Labels and probabilities of a sharp, calibrated model.

    `noise`: in the log odds of the probability, which the outcome does not follow. `positives`: how
    many times as likely a positive row is drawn as a negative one.
    """
    random = np.random.default_rng(seed)
    odds = random.normal(-6, 5, 8 * rows)
    labels = random.random(8 * rows) < 1 / (1 + np.exp(-odds))
    weights = np.where(labels, positives, 1.0)
    chosen = random.choice(8 * rows, rows, p=weights / weights.sum())
    scores = 1 / (1 + np.exp(-odds[chosen] - random.normal(0, noise, rows)))
    return labels[chosen], scores


def measure(labels: Any, scores: Any, test: dict[str, Interval], **how: Any) -> Performance:
    how = {"sampled": len(labels), **how}
    return measure_performance(
        labels=labels.astype(np.int8), probabilities=scores, threshold=THRESHOLD, test=test, **how
    )


def estimate(labels: Any, scores: Any) -> Expectation:
    old, reference = draw(10_000, seed=99)
    expected = estimate_performance(
        probabilities=scores, reference=reference, reference_labels=old, threshold=THRESHOLD
    )
    assert expected is not None
    return expected


def f1(labels: Any, scores: Any) -> float:
    predicted = scores >= THRESHOLD
    return float(2 * np.sum(labels & predicted) / (labels.sum() + predicted.sum()))


def test_an_interval_covers_the_truth_and_a_perfect_model_has_no_doubt() -> None:
    labels = np.repeat([True, False], [50, 450])
    perfect = measure(labels, labels * 0.9, {"f1": Interval(0.8, 0.78, 0.82)}, sampled=1_000)
    assert dict.fromkeys(METRICS, 1.0) == {n: f and f.value for n, f in perfect.figures.items()}
    assert (True, (), 0.5) == (perfect.has_enough_labels, perfect.declined, perfect.coverage)


def test_without_a_positive_the_undefined_is_none() -> None:
    nothing = measure(np.zeros(200, bool), np.zeros(200), {})
    assert dict.fromkeys(METRICS) == nothing.figures


def _card_with_production(role: Role) -> ModelCard:
    recent = RecentFigures(
        role=role,
        start=0,
        end=1,
        labels=500,
        positives=100,
        effective_rows=500.0,
        metrics={"f1": 0.6, "brier": 0.1},
        intervals={"f1": (0.5, 0.7)},
    )
    return make_card("1-0a1b2c3d", metrics={"f1": 0.8}, intervals={}, recent=recent)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (None, {}),
        (make_card("1-0a1b2c3d", metrics={}), {}),
        (
            make_card("1-0a1b2c3d", metrics={"f1": 0.8, "brier": 0.1}, intervals={}),
            {"f1": (0.8, 0.8, 0.8)},
        ),
        (
            make_card("1-0a1b2c3d", metrics={"f1": 0.8}, intervals={"f1": (0.7, 0.9)}),
            {"f1": (0.8, 0.7, 0.9)},
        ),
        (_card_with_production("decides"), {"f1": (0.6, 0.5, 0.7)}),
        (_card_with_production("objects"), {"f1": (0.8, 0.8, 0.8)}),
    ],
)
def test_a_window_is_compared_with_the_figures_that_the_card_has(
    card: ModelCard | None, expected: dict[str, tuple[float, float, float]]
) -> None:
    assert {n: Interval(*bounds) for n, bounds in expected.items()} == read_test_figures(card)


@pytest.mark.parametrize(("low", "declined"), [(0.83, ("f1",)), (0.75, ())])
def test_a_drop_must_exceed_the_error_of_the_test_figure_too(
    low: float, declined: tuple[str, ...]
) -> None:
    labels, scores = draw(4_000, seed=1)
    before = f1(labels, scores) + 0.08
    found = measure(labels, scores, {"f1": Interval(before, before - (0.85 - low), 1.0)})
    assert declined == found.declined


def test_a_lower_auc_and_probabilities_that_are_off_are_named() -> None:
    labels, scores = draw(2_000, seed=2)
    line = fit_line(*draw(10_000, seed=3))
    found = measure(labels, scores, {"f1": Interval(0.3, 0.2, 0.4)}, calibration=line)
    assert () == found.declined
    figure = found.figures["roc_auc"]
    assert figure is not None
    test = {"f1": Interval(0.3, 0.2, 0.4), "roc_auc": figure}
    worse = measure(*draw(2_000, seed=2, noise=6.0), test, calibration=line)
    assert ("roc_auc", "calibration") == worse.declined
    assert worse.dropped
    assert worse.calibration is not None
    assert worse.calibration.slope.high < 0.8
    assert typed_json.decode(Performance, asdict(worse)) == worse


def test_a_reference_that_says_nothing_makes_no_figure_infinite() -> None:
    labels, scores = draw(2_000, seed=2)
    line = fit_line(labels, np.full(2_000, 0.3))
    found = measure(labels, scores, {"f1": Interval(0.3, 0.2, 0.4)}, calibration=line)
    assert () == found.declined
    json.dumps(asdict(found), allow_nan=False)


def test_labels_of_the_sick_alone_do_not_make_the_probabilities_wrong() -> None:
    labels, scores = draw(4_000, seed=4, positives=9.0)
    line, test = fit_line(*draw(10_000, seed=3)), {"f1": Interval(0.3, 0.2, 0.4)}
    some = measure(labels, scores, test, calibration=line, sampled=8_000)
    assert some.calibration is not None
    assert (None, ()) == (some.calibration.observed_ratio, some.declined)
    everyone = measure(labels, scores, test, calibration=line)
    assert everyone.calibration is not None
    assert everyone.calibration.observed_ratio is not None
    assert everyone.calibration.observed_ratio.low > 1.25
    assert ("calibration",) == everyone.declined


@pytest.mark.parametrize("positives", [0.5, 2.0])
def test_another_prevalence_is_no_expected_drop_and_the_second_assumption_finds_the_truth(
    positives: float,
) -> None:
    labels, scores = draw(10_000, seed=5, positives=positives)
    expected = estimate(labels, scores)
    assert expected.label_shift is not None
    found = expected.label_shift.f1
    assert found.low <= f1(labels, scores) <= found.high
    assert abs(found.value - f1(labels, scores)) < abs(expected.f1.value - f1(labels, scores))
    assert abs(expected.label_shift.prevalence - labels.mean()) < 0.01
    assert not expected.dropped


def test_a_drop_is_expected_when_both_assumptions_say_so() -> None:
    labels, scores = draw(10_000, seed=6)
    unsure = np.abs(np.log(scores / (1 - scores))) < 1.5
    more = np.concatenate([scores, np.repeat(scores[unsure], 8)])
    expected = estimate(labels, more)
    assert expected.label_shift is not None
    assert expected.dropped
    assert max(expected.f1.value, expected.label_shift.f1.value) < expected.reference_f1 - 0.05


def test_expected_f1_holds_the_realised_in_95_of_100_windows() -> None:
    held = []
    for seed in range(100):
        labels, scores = draw(1_000, seed=1_000 + seed)
        expected, realised = estimate(labels, scores), f1(labels, scores)
        assert expected.label_shift is not None
        intervals = (expected.f1, expected.label_shift.f1)
        held.append([each.low <= realised <= each.high for each in intervals])
    assert np.all(np.mean(held, axis=0) >= 0.9)


def test_expected_f1_is_near_the_realised_though_the_scores_are_not_calibrated() -> None:
    random = np.random.default_rng(1)
    chance = random.beta(0.2, 1.5, 60_000)
    truth, score = random.random(60_000) < chance, chance**0.5  # far too sure
    expected = estimate_performance(
        probabilities=score[:50_000],
        reference=score[50_000:],
        reference_labels=truth[50_000:],
        threshold=0.6,
    )
    assert expected is not None
    predicted = score[:50_000] >= 0.6
    realised = 2 * np.sum(truth[:50_000] & predicted) / (truth[:50_000].sum() + predicted.sum())
    assert abs(expected.f1.value - realised) < 0.03
    assert (True, False) == (expected.calibrated, expected.dropped)
    assert "prevalence" in expected.note
    assert "concept drift" in expected.note


def test_the_most_likely_prevalence_is_where_em_comes_to_rest() -> None:
    _, scores = draw(2_000, seed=7, positives=2.0)
    old = share = 0.1
    for _ in range(5_000):  # Saerens, Latinne and Decaestecker's steps
        positive, negative = share / old * scores, (1 - share) / (1 - old) * (1 - scores)
        share = float(np.mean(positive / (positive + negative)))
    assert find_prevalence(scores, old)[0] == pytest.approx(share, abs=1e-6)
