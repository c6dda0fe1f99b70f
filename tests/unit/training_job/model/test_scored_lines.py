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
WHOLE = ScoredLines.of_rows(SCORES, [LABELS, CALLED], GROUPS)


def _part(start: int, stop: int) -> ScoredLines:
    rows = slice(start, stop)
    return ScoredLines.of_rows(SCORES[rows], [LABELS[rows], CALLED[rows]], GROUPS[:, rows])


@given(
    cuts=st.lists(st.integers(0, ROWS), max_size=6),
    most_lines=st.sampled_from([150, 300, 500, 10_000]),
)
def test_parts_add_up_to_the_lines_of_all_rows(cuts: list[int], most_lines: int) -> None:
    bounds = sorted({0, *cuts, ROWS})
    parts = [_part(*pair).condense(most_lines) for pair in itertools.pairwise(bounds)]
    for order in (parts, parts[::-1]):
        found, expected = ScoredLines.add_up(order, most_lines), WHOLE.condense(most_lines)
        assert expected.bits == found.bits
        for name in ("codes", "groups", "counts"):
            assert np.array_equal(getattr(expected, name), getattr(found, name)), name


def test_few_lines_are_exact() -> None:
    found = WHOLE.condense()
    assert 0 == found.bits
    assert len(found.codes) < ROWS == found.rows.sum()
    again = np.repeat(np.arange(len(found.codes)), found.rows)
    rows = sorted(zip(SCORES, LABELS, CALLED, *GROUPS, strict=True))
    lines = (found.scores, found.flag(0), found.flag(1), *found.groups)
    assert rows == sorted(zip(*(each[again] for each in lines), strict=True))


@pytest.mark.parametrize("most_lines", [1, 400, 600])
def test_many_lines_lose_bits_of_their_scores_and_nothing_else(most_lines: int) -> None:
    found = WHOLE.condense(most_lines)
    assert 0 < found.bits <= MOST_BITS
    assert len(found.codes) <= most_lines or found.bits == MOST_BITS
    assert (LABELS.sum(), CALLED.sum()) == tuple(found.rows[found.flag(n)].sum() for n in (0, 1))
    cut = np.repeat(found.scores, found.rows)
    assert np.allclose(np.sort(SCORES), np.sort(cut), rtol=1e-3, atol=1e-30)
    assert 1.0 >= cut.max()
