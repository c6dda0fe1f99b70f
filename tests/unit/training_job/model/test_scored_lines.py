"""Lines of equal rows add up: no way to part the rows changes them."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_job.model.scored_lines import MOST_BITS, ScoredLines

ROWS = 1_000
RANDOM = np.random.default_rng(1)
SCORES = RANDOM.beta(0.5, 3, ROWS).astype(np.float32)[RANDOM.integers(0, 600, ROWS)]
SCORES[:2] = (0.0, 1.0)
LABELS, CALLED = RANDOM.random(ROWS) < SCORES, SCORES >= 0.3
GROUPS = RANDOM.integers(-1, 3, (2, ROWS)).astype(np.int16)
WEIGHTS = RANDOM.choice([0.0, 0.25, 1.0, 1.5], ROWS)


def _part(start: int, stop: int, *, weighted: bool) -> ScoredLines:
    rows = slice(start, stop)
    weights = WEIGHTS[rows] if weighted else None
    flags = [LABELS[rows], CALLED[rows]]
    return ScoredLines.of_rows(SCORES[rows], flags, GROUPS[:, rows], weights=weights)


@given(
    cuts=st.lists(st.integers(0, ROWS), max_size=6),
    most_lines=st.sampled_from([150, 300, 500, 10_000]),
    weighted=st.booleans(),
)
def test_parts_add_up_to_the_lines_of_all_rows(
    cuts: list[int], most_lines: int, weighted: bool
) -> None:
    bounds = sorted({0, *cuts, ROWS})
    pairs = itertools.pairwise(bounds)
    parts = [_part(*pair, weighted=weighted).condense(most_lines) for pair in pairs]
    expected = _part(0, ROWS, weighted=weighted).condense(most_lines)
    for order in (parts, parts[::-1]):
        found = ScoredLines.add_up(order, most_lines)
        assert expected.bits == found.bits
        for name in ("codes", "groups", "counts", "kinds", "totals"):
            assert np.array_equal(getattr(expected, name), getattr(found, name)), name


@pytest.mark.parametrize("weighted", [False, True])
def test_few_lines_are_exact(weighted: bool) -> None:
    found = _part(0, ROWS, weighted=weighted).condense()
    assert 0 == found.bits
    assert len(found.codes) < ROWS == found.rows.sum()
    again = np.repeat(np.arange(len(found.codes)), found.rows)
    extra = [WEIGHTS] if weighted else []
    rows = sorted(zip(SCORES, LABELS, CALLED, *GROUPS, *extra, strict=True))
    lines = [found.scores, found.flag(0), found.flag(1), *found.groups]
    lines += [] if found.weights is None else [found.weights]
    assert rows == sorted(zip(*(each[again] for each in lines), strict=True))


def test_weights_of_joined_lines_keep_their_sum() -> None:
    weights = RANDOM.lognormal(0, 1, ROWS)
    whole = ScoredLines.of_rows(np.full(ROWS, 0.5), [LABELS], weights=weights)
    found = whole.condense(100)
    assert 0 < found.bits
    assert 100 >= len(found.codes)
    assert found.weights is not None
    for label in (True, False):
        chosen = found.flag(0) == label
        total = found.rows[chosen] @ found.weights[chosen]
        assert weights[LABELS == label].sum() == pytest.approx(total, rel=1e-6)


@pytest.mark.parametrize("most_lines", [1, 400, 600])
def test_many_lines_lose_bits_of_their_scores_and_nothing_else(most_lines: int) -> None:
    found = _part(0, ROWS, weighted=False).condense(most_lines)
    assert 0 < found.bits <= MOST_BITS
    assert len(found.codes) <= most_lines or found.bits == MOST_BITS
    assert (LABELS.sum(), CALLED.sum()) == tuple(found.rows[found.flag(n)].sum() for n in (0, 1))
    cut = np.repeat(found.scores, found.rows)
    assert np.allclose(np.sort(SCORES), np.sort(cut), rtol=1e-3, atol=1e-30)
    assert 1.0 >= cut.max()
