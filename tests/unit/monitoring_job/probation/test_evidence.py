"""Evidence for a higher F1: valid at every look, and found when there is a difference."""

import math
from collections import Counter

import numpy as np
import pytest

from domain.model.probation import Answers
from monitoring_job.probation.evidence import (
    BETS,
    FRACTIONS,
    INTERVALS,
    ROWS,
    Row,
    _factors,
    is_rejected,
    weigh_evidence,
)

EQUAL = [0.884, 0.006, 0.006, 0.004, 0.022, 0.008, 0.008, 0.062]
"""Shares of `ROWS`: two models of equal F1 that differ in some answers."""
WORSE = [0.882, 0.004, 0.012, 0.004, 0.022, 0.004, 0.024, 0.048]
"""The champion misses more of the positives and calls more of the negatives."""


def _f1(shares: list[float], which: int) -> float:
    hits = sum(s for s, row in zip(shares, ROWS, strict=True) if row[0] and row[which])
    calls = sum(s for s, row in zip(shares, ROWS, strict=True) if row[which])
    return 2 * hits / (calls + sum(s for s, row in zip(shares, ROWS, strict=True) if row[0]))


def _draw(shares: list[float], rows: int, rng: np.random.Generator) -> dict[Row, int]:
    counts = rng.multinomial(rows, np.array(shares) / sum(shares))
    return {row: int(n) for row, n in zip(ROWS, counts, strict=True) if n}


def _answers(counts: dict[Row, int]) -> Answers:
    return Answers.of_rows(counts)


def test_a_look_at_every_run_calls_equal_models_unequal_no_more_often_than_alpha() -> None:
    """Ever, over 60 looks. F1 is equal: the hardest case of "no worse"."""
    assert _f1(EQUAL, 1) == pytest.approx(_f1(EQUAL, 2))
    rng, ever = np.random.default_rng(1), 0
    for _ in range(100):
        seen: Counter[Row] = Counter()
        for _ in range(60):
            seen.update(_draw(EQUAL, 50, rng))
            if is_rejected(seen, 0.0, 0.05):
                ever += 1
                break
    assert ever <= 5


def test_no_bet_wins_on_average_for_the_true_f1() -> None:
    """Expected factor of one row, of each bet against the interval that holds the true F1."""
    factors = _factors(int(_f1(EQUAL, 2) * INTERVALS), 0.0)
    assert len(BETS) * len(FRACTIONS) == len(factors)
    assert sum(math.exp(log_share) for log_share, _ in factors) == pytest.approx(1)
    for _, logs in factors:
        by_row = dict(logs)
        growth = sum(share * math.exp(by_row[row]) for share, row in zip(EQUAL, ROWS, strict=True))
        assert growth <= 1 + 1e-12


def test_a_worse_champion_is_found_and_the_bound_lies_below_the_truth() -> None:
    truth = _f1(WORSE, 1) - _f1(WORSE, 2)
    rng = np.random.default_rng(2)
    found = [weigh_evidence(_answers(_draw(WORSE, 3_000, rng)), margin=0.0, alpha=0.05)
             for _ in range(20)]  # fmt: skip
    assert sum(evidence.rejected for evidence in found) >= 19
    assert all(evidence.lower < truth for evidence in found)
    many = weigh_evidence(_answers(_draw(WORSE, 200_000, rng)), margin=0.0, alpha=0.05)
    assert truth - 0.04 < many.lower < truth


def test_a_better_champion_is_never_called_worse() -> None:
    swapped = {(y, c, p): n for (y, p, c), n in zip(ROWS, range(8), strict=True)}
    better = [WORSE[swapped[row]] for row in ROWS]
    counts = _draw(better, 20_000, np.random.default_rng(3))
    assert not weigh_evidence(_answers(counts), margin=0.0, alpha=0.05).rejected


@pytest.mark.parametrize("counts", [{}, {(1, 1, 0): 3}, {(0, 0, 0): 1_000_000}])
def test_few_or_silent_rows_prove_nothing(counts: dict[Row, int]) -> None:
    evidence = weigh_evidence(_answers(counts), margin=0.0, alpha=0.05)
    assert not evidence.rejected
    assert evidence.lower <= 0


def test_a_margin_asks_for_more() -> None:
    counts = _draw(WORSE, 20_000, np.random.default_rng(4))
    truth = _f1(WORSE, 1) - _f1(WORSE, 2)
    assert is_rejected(counts, truth / 2, 0.05)
    assert not is_rejected(counts, truth, 0.05)


def test_answers_survive_their_counts() -> None:
    counts = {row: n for n, row in enumerate(ROWS)}
    answers = Answers.of_rows(counts)
    assert counts == answers.by_row()
    assert (28, 22) == (answers.rows, answers.positives)
