"""Which files repeat each other, and which only hold people who are alike."""

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from training_job.dataset import repeats
from training_job.dataset.hashing import Hashes
from training_job.dataset.repeats import Overlaps, is_copy

RNG = np.random.default_rng(0)


def _fine(rows: int) -> Hashes:
    return RNG.integers(0, 2**63, rows, dtype=np.uint64)


def _coarse(rows: int, cells: int = 1_771) -> Hashes:
    shares = RNG.dirichlet(np.full(cells, 0.3))
    return RNG.choice(cells, rows, p=shares).astype(np.uint64)


def _found(*files: Hashes) -> list[tuple[str, str, int, int]]:
    hashes = np.concatenate(files)
    order = np.argsort(hashes, kind="stable")
    origin = np.repeat(np.arange(len(files)), [len(file) for file in files])[order]
    names = [f"f{number}" for number in range(len(files))]
    overlaps = Overlaps(len(files))
    overlaps.add(hashes[order], origin)
    found = overlaps.find_repeats(names)
    _check_parts(hashes[order], origin, overlaps)
    return [(repeat.file, repeat.other, repeat.rows, repeat.of) for repeat in found]


def _check_parts(hashes: Hashes, origin: npt.NDArray[np.int64], whole: Overlaps) -> None:
    """Parts that divide no equal rows have the whole's counts together."""
    together = Overlaps(whole.files)
    cuts = np.searchsorted(hashes, hashes[:: max(len(hashes) // 5, 1)])
    for start, stop in itertools.pairwise([*np.unique(cuts).tolist(), len(hashes)]):
        part = Overlaps(whole.files)
        part.add(hashes[start:stop], origin[start:stop])
        together.merge(part)
    assert whole == together


FINE, COARSE = _fine(1_000), _coarse(60_000)
ONE_FLAG = RNG.integers(0, 2, 1_000).astype(np.uint64)
KAGGLE_LIKE = RNG.permutation(np.concatenate([_fine(9_000), np.repeat(_fine(200), 4)]))

REPEATED = {
    "the same rows in another order": ([FINE, FINE[::-1]], [("f0", "f1", 1000, 1000)]),
    "a part of a larger file": ([_fine(5_000), np.append(FINE, _fine(99)), FINE[:700]], 700),
    "most rows": ([np.append(FINE[:600], _fine(300)), FINE], 600),
    "a coarse table converted": ([COARSE, RNG.permutation(COARSE)], 60_000),
    "a table with some equal rows": ([KAGGLE_LIKE, RNG.permutation(KAGGLE_LIKE)], 9_800),
}


@pytest.mark.parametrize(("files", "expected"), REPEATED.values(), ids=REPEATED.keys())
def test_a_repeated_file_is_found(
    files: list[Hashes], expected: int | list[tuple[str, str, int, int]]
) -> None:
    found = _found(*files)
    assert 1 == len(found)
    assert expected in (found, found[0][2])


def test_each_of_many_growing_snapshots_repeats_the_one_before() -> None:
    rows = _fine(3_000)
    found = _found(*(rows[: 100 * n] for n in range(1, 31)))
    pairs = {frozenset((one, other)) for one, other, _, _ in found}
    assert {frozenset((f"f{n}", f"f{n + 1}")) for n in range(29)} <= pairs


DIFFERENT = {
    "a coarse table in two files": np.split(COARSE, 2),
    "a coarse table in many files": np.split(COARSE, 60),
    "a large and a small file of a coarse table": np.split(COARSE, [59_000]),
    "one flag": np.split(ONE_FLAG, 4),
    "one flag in many tiny files": np.split(ONE_FLAG, 500),
    "a file per person": np.split(ONE_FLAG[:200], 200),
    "a fine table": np.split(_fine(9_999), 3),
    "a table with some equal rows": np.split(KAGGLE_LIKE, 2),
    "the people without findings in a file of their own": [
        np.full(500, 7, np.uint64),
        np.append(_fine(600), np.full(400, 7, np.uint64)),
    ],
    "a few equal rows": [FINE, np.append(FINE[:5], _fine(3))],
    "one file": [FINE],
    "an empty file": [FINE, FINE[:0]],
}


@pytest.mark.parametrize("files", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_people_who_are_alike_are_no_repeats(files: list[Hashes]) -> None:
    assert [] == _found(*files)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [KAGGLE_LIKE, KAGGLE_LIKE[:5_000], COARSE[:3_000], _fine(100)]
    whole = _found(*files)
    monkeypatch.setattr(repeats, "BLOCK_ROWS", 7)
    assert whole == _found(*files)
    assert [("f1", "f0", 5_000, 5_000)] == whole


@pytest.mark.parametrize(
    ("rows", "files", "copy"),
    [
        (FINE, 2, True),
        (FINE[:30], 1_000, True),
        (COARSE, 2, True),
        (FINE[:1], 2, False),
        (FINE[:3], 2, False),
        (np.full(100_000, 7, np.uint64), 2, False),
        (ONE_FLAG, 2, False),
    ],
)
def test_a_file_of_the_same_content_is_a_copy_unless_chance_explains_it(
    rows: Hashes, files: int, copy: bool
) -> None:
    assert copy == is_copy(rows, files)


def test_the_surprise_is_that_of_the_multinomial_distribution() -> None:
    counts = np.array([3, 1, 2])
    draws = itertools.product(range(3), repeat=6)
    shares = counts / 6
    chance = sum(
        float(np.prod(shares[list(draw)]))
        for draw in draws
        if [3, 1, 2] == np.bincount(draw, minlength=3).tolist()
    )
    assert pytest.approx(repeats.surprise(dict.fromkeys(counts.tolist(), 1))) == -np.log(chance)
