"""What makes a row that row, and which side of the split it falls on.

With a ``row_id`` a row is its id. Without one it is its values, the label included, and the number
of its occurrence: the first, second, … of equal rows. So equal rows stay what they are, different
people; nothing depends on the order of files or rows; and appended rows move no earlier one. The
side is a hash of the ``subject`` where there is one, of the row's identity otherwise. Context
columns that define segments are part of the dataset, but move no row to another side. If the
contract names a time, the newest rows are the test side, and the hash decides of the others only.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domain import keys
from domain.contract.contract import Contract
from training_job.dataset import hashing
from training_job.dataset.hashing import Hashes, Sides
from training_job.dataset.time_split import Observed, TimeCut
from training_job.dataset.validation import Columns

Positions = npt.NDArray[np.intp]
TRAIN, TEST = keys.SPLITS.index("train"), keys.SPLITS.index("test")


@dataclass(frozen=True, slots=True)
class Identified:
    """The rows that make the dataset, in its order.

    `order`: their positions among the rows read; `hashes`: ascending, so that equal rows are
    neighbours; `sides`: of each; `context`: hashes of their context columns, if there are any.
    `repeated`: rows left out because their id and values came before.
    `conflicting`: positions of rows that share an id and differ in their values. `cut`: where the
    test side begins, if the split is by time.
    """

    order: Positions
    hashes: Hashes
    sides: Sides
    context: Hashes | None
    repeated: int
    conflicting: Positions
    cut: TimeCut | None = None


def identify(
    columns: Columns,
    contract: Contract,
    salt: str,
    hashes: Hashes | None = None,
    cut: TimeCut | None = None,
) -> Identified:
    """Tell rows apart by the contract's rules, and split them.

    `hashes`: those of `hash_rows`, if known. `cut`: of a split by time, where these are not all
    rows.
    """
    hashes = hashing.hash_rows(columns, contract) if hashes is None else hashes
    row_id, subject = contract.context_column("row_id"), contract.context_column("subject")
    context = hashing.hash_context(columns, contract)
    if row_id is None:
        if context is None:
            order = np.argsort(hashes, kind="stable")
        else:
            order = np.lexsort((context, hashes))
        repeated, conflicting = 0, np.empty(0, np.intp)
        hashes = hashes[order]
    else:
        ids = columns[row_id].astype(np.uint64, copy=False)
        hashes = hashing.combine(hashes, ids)
        if context is not None:
            hashes = hashing.combine(hashes, context)
        kept, repeated, conflicting = tell_apart(hashes, ids)
        order = kept[np.argsort(hashes[kept], kind="stable")]
        hashes = hashes[order]
    if row_id is not None:
        owners = columns[row_id].astype(np.uint64, copy=False)[order]
    else:
        owners = hashing.combine(hashes, _occurrences(hashes))
    people = None if subject is None else columns[subject].astype(np.uint64, copy=False)[order]
    if people is not None:
        owners = np.where(people == hashing.NO_TEXT, owners, people)
    sides = hashing.assign_sides(owners, salt)
    if (time := contract.training_columns.time) and len(order):
        times = columns[time].astype(np.float64, copy=False)[order]
        cut = cut or Observed.of(times, people).cut(time)
        sides[sides == TEST] = TRAIN
        sides[cut.find_tested(times, people)] = TEST
    if context is not None:
        context = context[order]
    return Identified(order, hashes, sides, context, repeated, conflicting, cut)


def group_starts(ordered: Hashes) -> Positions:
    """Where each run of equal values begins."""
    first = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return np.flatnonzero(first)


def _occurrences(ordered: Hashes) -> Hashes:
    """The number of each row among its equals, from 0."""
    numbers = np.arange(len(ordered), dtype=np.uint64)
    starts = np.zeros_like(numbers)
    np.copyto(starts[1:], numbers[1:], where=ordered[1:] != ordered[:-1])
    np.maximum.accumulate(starts, out=starts)
    numbers -= starts
    return numbers


def tell_apart(hashes: Hashes, ids: Hashes) -> tuple[Positions, int, Positions]:
    """``(first row of each id, how many rows repeat one, rows in conflict)``; rows by position.

    Rows conflict that have one id and different values.
    """
    order = np.argsort(ids, kind="stable")
    starts = group_starts(ids[order])
    sizes = np.diff(starts, append=len(order))
    ordered = hashes[order]
    differs = ordered != np.repeat(ordered[starts], sizes)
    clash = np.logical_or.reduceat(differs, starts) if len(starts) else np.empty(0, bool)
    kept = order[starts[~clash]]
    conflicting = np.sort(order[np.repeat(clash, sizes)])
    return kept, int(sizes[~clash].sum()) - len(kept), conflicting
