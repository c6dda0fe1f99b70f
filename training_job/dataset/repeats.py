"""Files that repeat each other's rows.

Equal rows are different people, unless chance can't explain how many there are. If two files hold
different people of one population, a row of one file has an equal in the other about as often as a
row has another equal in its own file. Far more than that is a repeated upload.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from domain.model.left_out import RepeatedFile
from training_job.dataset.hashing import Hashes
from training_job.dataset.identity import Positions, group_starts

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
"""So many pairs of files may be equal by chance before equal files are no copies."""


def is_copy(hashes: Hashes, files: int) -> bool:
    """Whether chance can't explain that one of so many files has just the rows of this one.

    The chance is that of drawing these counts again from the file's own shares (multinomial); a
    file of one row, or of few different ones, may well come twice.
    """
    _, counts = np.unique(hashes, return_counts=True)
    return surprise(counts) > math.log(files * files / 2 / CHANCE)


def surprise(counts: npt.NDArray[np.integer]) -> float:
    """Minus the logarithm of the chance to draw these counts from their own shares."""
    rows = int(counts.sum())
    if not rows:
        return 0.0
    sizes, times = np.unique(counts, return_counts=True)
    pairs = zip(sizes.tolist(), times.tolist(), strict=True)
    found: float = sum(n * (math.lgamma(c + 1) - c * math.log(c / rows)) for c, n in pairs)
    return found - math.lgamma(rows + 1)


def find_repeats(
    hashes: Hashes, order: Positions, ends: npt.NDArray[np.int64], names: list[str]
) -> list[RepeatedFile]:
    """Pairs of files of which one repeats most of the other's rows, the largest first.

    `hashes` ascend; `order` is the position that each row was read at, ascending among equal rows;
    `ends`: where the rows of each of the files `names` end.
    """
    files = len(names)
    rows = np.diff(ends, prepend=0)
    alone = np.zeros(files, np.int64)
    common: Counter[tuple[int, int]] = Counter()
    for block in _blocks(hashes):
        origin = np.searchsorted(ends, order[block], side="right")
        starts = np.zeros(len(origin), bool)
        starts[group_starts(hashes[block])] = True
        cells = starts.copy()
        cells[1:] |= origin[1:] != origin[:-1]
        first = np.flatnonzero(cells)
        counts = np.diff(first, append=len(origin))
        alone += np.bincount(origin[first[counts == 1]], minlength=files)
        common += _common_rows(np.cumsum(starts[first]), origin[first], counts, files)
    own = 1 - alone / np.maximum(rows, 1)
    found = []
    for (one, two), equal in common.items():
        small, large = (one, two) if rows[one] <= rows[two] else (two, one)
        of = int(rows[small])
        if _is_unlikely(equal, of, max(own[one], own[two])):
            found.append(RepeatedFile(names[small], names[large], equal, of))
        elif equal == of == rows[large]:
            begin = ends[small] - of
            twin = hashes[(order >= begin) & (order < ends[small])]
            if is_copy(twin, files):
                found.append(RepeatedFile(names[small], names[large], equal, of))
    return sorted(found, key=lambda repeat: (-repeat.rows, repeat.file, repeat.other))


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
