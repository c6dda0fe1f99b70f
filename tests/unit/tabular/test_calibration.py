"""The calibration error, and what chance makes of it."""

import numpy as np
import pytest

from tabular.calibration import calibration_error, calibration_error_by_chance
from tabular.classification import Bools, Floats

LIMIT = 0.15
PLACES = {"rare": (-7.0, 2.5), "some": (-6.0, 4.0), "half": (0.0, 2.0), "most": (3.0, 2.0)}


def _people(rows: int, place: str, seed: int) -> tuple[Bools, Floats]:
    """Labels and the log odds of the chances that they were drawn with."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(*PLACES[place], rows)
    return rng.random(rows) < 1 / (1 + np.exp(-log_odds)), log_odds


def _sigmoid(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def test_scores_that_are_shares_have_no_error_and_others_their_distance() -> None:
    labels = np.arange(1_000) % 4 == 0
    assert pytest.approx(0.0, abs=1e-12) == calibration_error(labels, np.full(1_000, 0.25))
    # 450 are expected where there are 250.
    assert pytest.approx(200 / 250) == calibration_error(labels, np.full(1_000, 0.45))
    # The rarer class counts: 250 negatives, 50 of which are expected to be positive.
    assert pytest.approx(50 / 250) == calibration_error(~labels, np.full(1_000, 0.80))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("factor", [1 / 10, 1 / 3, 1 / 2, 2, 3, 10])
def test_odds_that_are_off_by_two_are_above_the_limit_and_above_chance(
    place: str, factor: float
) -> None:
    labels, log_odds = _people(40_000, place, seed=1)
    scores = _sigmoid(log_odds + np.log(factor))
    error = calibration_error(labels, scores)
    assert max(LIMIT, calibration_error_by_chance(labels, scores, seed=1)) < error


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("rows", [80, 400, 3_000])
def test_perfect_calibration_is_above_chance_as_often_as_it_should(place: str, rows: int) -> None:
    above = 0
    for seed in range(40):
        labels, log_odds = _people(rows, place, seed)
        if not 5 <= np.count_nonzero(labels) <= rows - 5:
            continue  # no error can be had of so few
        scores = _sigmoid(log_odds)
        chance = calibration_error_by_chance(labels, scores, seed=seed)
        above += calibration_error(labels, scores) > chance
    assert above <= 4  # 1 is expected


def test_the_order_of_rows_does_not_matter_and_equal_scores_stay_together() -> None:
    labels, log_odds = _people(3_000, "some", seed=3)
    scores = np.round(_sigmoid(log_odds), 1)
    order = np.random.default_rng(0).permutation(len(labels))
    assert pytest.approx(calibration_error(labels, scores)) == calibration_error(
        labels[order], scores[order]
    )
