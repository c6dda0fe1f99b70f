"""Files that repeat each other's rows.

Equal rows are different people, unless chance can't explain how many there are. If two files hold
different people of one population, a row of one file has an equal in the other about as often as a
row has another equal in its own file. Far more than that is a repeated upload.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from domain.model.left_out import RepeatedFile
from training_job.dataset.hashing import Hashes
from training_job.dataset.identity import group_starts

MOST = 0.5
"""Share of a file's rows that another file must hold for it to be named."""
FEWEST_ROWS = 20
"""Of a smaller file nothing is said: a few equal rows are no evidence."""
DEVIATIONS = 5.0
NEIGHBOURS = 8
"""A row that lies in several files is compared with the next so many of them, which bounds the
time that a coarse table takes."""
BLOCK_ROWS = 1_000_000
CHANCE = 0.01
"""If chance makes more pairs of files equal than this, equal files don't count as copies."""


def measure_surprise(hashes: Hashes) -> float:
    """Minus the logarithm of the chance to draw the counts of these rows from their own shares."""
    _, counts = np.unique(hashes, return_counts=True)
    times, found = np.unique(counts, return_counts=True)
    return surprise(dict(zip(times.tolist(), found.tolist(), strict=True)))


def is_copy(hashes: Hashes, files: int) -> bool:
    """Whether a file that has just the rows of one of so many files is a copy of it."""
    return is_surprising(measure_surprise(hashes), files)


def is_surprising(surprise: float, files: int) -> bool:
    """Whether chance can't explain that one of so many files has just the rows of another one.

    The chance is that of drawing these counts again from the file's own shares (multinomial); a
    file of one row, or of few different ones, may well come twice.
    """
    return surprise > math.log(files * files / 2 / CHANCE)


def surprise(multiples: Mapping[int, int]) -> float:
    """`multiples`: how many different rows there are so many times."""
    rows = sum(times * found for times, found in multiples.items())
    if not rows:
        return 0.0
    pairs = multiples.items()
    return sum(n * (math.lgamma(c + 1) - c * math.log(c / rows)) for c, n in pairs) - math.lgamma(
        rows + 1
    )


@dataclass(slots=True)
class Overlaps:
    """How often files hold equal rows, in counts that may be added up over parts of the rows.

    `multiples`: ``(file, times)`` → how many different rows the file holds so many times. `common`:
    pairs of files → rows that both hold, each as often as both have it.
    """

    files: int
    multiples: "Counter[tuple[int, int]]" = field(default_factory=Counter)
    common: "Counter[tuple[int, int]]" = field(default_factory=Counter)

    def add(self, hashes: Hashes, origin: npt.NDArray[np.int64]) -> None:
        """Count rows in ascending order of `hashes`, which have all of their equals among them.

        `origin`: the file of each, ascending among equal rows.
        """
        for block in _blocks(hashes):
            files = origin[block]
            starts = np.zeros(len(files), bool)
            starts[group_starts(hashes[block])] = True
            cells = starts.copy()
            cells[1:] |= files[1:] != files[:-1]
            first = np.flatnonzero(cells)
            counts = np.diff(first, append=len(files))
            pairs, found = np.unique(counts * self.files + files[first], return_counts=True)
            for pair, rows in zip(pairs.tolist(), found.tolist(), strict=True):
                self.multiples[pair % self.files, pair // self.files] += rows
            self.common += _common_rows(np.cumsum(starts[first]), files[first], counts, self.files)

    def merge(self, other: "Overlaps") -> None:
        """Add what was counted over other rows."""
        self.multiples += other.multiples
        self.common += other.common

    def find_repeats(self, names: Sequence[str]) -> list[RepeatedFile]:
        """Pairs of files of which one repeats most of the other's rows, the largest first."""
        rows, alone = np.zeros((2, self.files), np.int64)
        for (file, times), found in self.multiples.items():
            rows[file] += times * found
            alone[file] += found if times == 1 else 0
        own = 1 - alone / np.maximum(rows, 1)
        repeats = []
        for (one, two), equal in self.common.items():
            small, large = (one, two) if rows[one] <= rows[two] else (two, one)
            of = int(rows[small])
            if _is_unlikely(equal, of, max(own[one], own[two])) or (
                equal == of == rows[large] and self._is_copy(small)
            ):
                repeats.append(RepeatedFile(names[small], names[large], equal, of))
        return sorted(repeats, key=lambda repeat: (-repeat.rows, repeat.file, repeat.other))

    def _is_copy(self, file: int) -> bool:
        mine = {times: found for (of, times), found in self.multiples.items() if of == file}
        return is_surprising(surprise(mine), self.files)


def _blocks(hashes: Hashes) -> Iterator[slice]:
    """Parts of the sorted rows, none of which divides equal rows."""
    cuts = np.searchsorted(hashes, hashes[::BLOCK_ROWS])
    for start, stop in itertools.pairwise(np.unique([*cuts, len(hashes)]).tolist()):
        yield slice(start, stop)


def _common_rows(
    group: npt.NDArray[np.int64],
    file: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    files: int,
) -> Counter[tuple[int, int]]:
    """Rows that two files have in common, each as often as both have it."""
    common: Counter[tuple[int, int]] = Counter()
    for step in range(1, min(NEIGHBOURS, files - 1) + 1):
        pairs = np.flatnonzero(group[:-step] == group[step:])
        if not len(pairs):
            break
        both = np.minimum(counts[pairs], counts[pairs + step])
        keys, inverse = np.unique(file[pairs] * files + file[pairs + step], return_inverse=True)
        sums = np.bincount(inverse, both).astype(np.int64)
        for key, rows in zip(keys.tolist(), sums.tolist(), strict=True):
            common[divmod(key, files)] += rows
    return common


def _is_unlikely(equal: int, rows: int, own: float) -> bool:
    """Whether chance, of which `own` is the share within one file, hardly explains so many."""
    if rows < FEWEST_ROWS or equal < MOST * rows:
        return False
    deviation = math.sqrt(max(own, 1 / rows) * (1 - own) / rows)
    return equal / rows > max(2 * own, own + DEVIATIONS * deviation)
