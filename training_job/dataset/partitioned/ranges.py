"""One range of the rows of a dataset, on a worker: told apart, split, counted, stored."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from adapters.s3 import OpenBucket
from domain import keys
from domain.contract.contract import Contract
from training_job.dataset import dataset, hashing, production_rows, tables
from training_job.dataset.dataset import Floats
from training_job.dataset.hashing import Hashes, Sides
from training_job.dataset.identity import identify, tell_apart
from training_job.dataset.partitioned.pieces import Numbers, Piece, cut, join, make_empty
from training_job.dataset.production_rows import Mask, UploadedPeople
from training_job.dataset.repeats import Overlaps
from training_job.dataset.row_weights import WeightSums
from training_job.dataset.time_split import Observed, TimeCut
from training_job.dataset.validation import Columns, hash_subjects


@dataclass(frozen=True, slots=True)
class Rules:
    """What is known only once every file has been read.

    `grouping`: context columns that define segments and have values. `skipped`: positions of files
    that are copies of others. `files`: positions of the files with valid rows.
    `cut`: where the test side begins, if the split is by time.
    """

    contract: Contract
    salt: str
    grouping: tuple[str, ...]
    skipped: tuple[int, ...]
    files: tuple[int, ...]
    cut: TimeCut | None = None

    def join(self, groups: Iterable[Sequence[Piece]]) -> tuple[Piece, Numbers]:
        """``(rows of a range, file of each)``: equal keys in the order of one machine.

        Context columns that no file has are not among the columns.
        """
        pieces = [one for one in itertools.chain(*groups) if one.file not in self.skipped]
        absent = {f.name for f in self.contract.segment_context} - set(self.grouping)
        empty = {n: values for n, values in make_empty(self.contract).items() if n not in absent}
        files = np.array([piece.file for piece in pieces], np.int64)
        return join(pieces, empty), np.repeat(files, [len(piece.keys) for piece in pieces])


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Rows of one range that share an id.

    `files`, `numbers` and `subjects`: of those whose values differ. `repeated`: rows left out
    because their id and values came before.
    """

    files: Numbers
    numbers: Numbers
    subjects: Hashes | None
    repeated: int


def settle_ids(
    groups: Iterable[Sequence[Piece]], *, rules: Rules, ranges: int
) -> tuple[list[list[Piece]], Conflicts]:
    """Keep one row of each id in a range of ids; its rows are cut anew, by their hashes."""
    contract = rules.contract
    rows, files = rules.join(groups)
    hashes = hashing.combine(hashing.hash_rows(rows.columns, contract), rows.keys)
    context = hashing.hash_context(rows.columns, contract)
    if context is not None:
        hashes = hashing.combine(hashes, context)
    kept, repeated, conflicting = tell_apart(hashes, rows.keys)
    people = hash_subjects(rows.columns, contract)
    chosen = {name: values[kept] for name, values in rows.columns.items()}
    return [[piece] for piece in cut(chosen, hashes[kept], ranges)], Conflicts(
        files[conflicting],
        rows.numbers[conflicting],
        None if people is None else people[conflicting],
        repeated,
    )


@dataclass(frozen=True, slots=True)
class Range:
    """Rows of a range in the dataset's order; `hashes` ascend over all ranges.

    `weights`: as in the files.
    """

    columns: Columns
    hashes: Hashes
    sides: Sides
    context: Hashes | None
    subjects: Hashes | None
    weights: Floats | None = None

    @property
    def tested(self) -> Hashes:
        """Hashes of the test rows."""
        tested: Hashes = self.hashes[self.sides == keys.SPLITS.index("test")]
        return tested

    def find_people(self, subjects: Hashes) -> tuple[Mask, Mask]:
        """See `UploadedPeople.find`."""
        mine = np.empty(0, np.uint64) if self.subjects is None else self.subjects
        return UploadedPeople(mine, self.sides).find(subjects)


@dataclass(frozen=True, slots=True)
class RangeCounts:
    """Rows and positives by side, how often files hold equal rows, and sums of the weights."""

    rows: tuple[int, ...]
    positives: tuple[int, ...]
    overlaps: Overlaps
    weights: WeightSums | None = None


def observe(groups: Iterable[Sequence[Piece]], *, rules: Rules) -> Observed:
    """Sum up when a range's rows were observed, for a split by time."""
    columns = rules.join(groups)[0].columns
    times = columns[rules.contract.training_columns.time].astype(np.float64, copy=False)
    return Observed.of(times, hash_subjects(columns, rules.contract))


def split_range(groups: Iterable[Sequence[Piece]], *, rules: Rules) -> tuple[Range, RangeCounts]:
    """Tell a range's rows apart and split them, by the same functions as on one machine."""
    contract = rules.contract
    rows, files = rules.join(groups)
    columns = rows.columns
    row_id, weight = contract.context_column("row_id"), contract.training_columns.weight
    hashes = rows.keys if row_id is None else None
    found = identify(columns, contract, rules.salt, hashes, rules.cut)
    overlaps = Overlaps(len(rules.files))
    if len(rules.files) > 1 and row_id is None:
        overlaps.add(found.hashes, np.searchsorted(rules.files, files[found.order]))
    people = hash_subjects(columns, contract)
    names = [*(f.name for f in contract.features), contract.target, *rules.grouping]
    kept = Range(
        {name: columns[name][found.order] for name in names},
        found.hashes,
        found.sides,
        found.context,
        None if people is None else people[found.order],
        columns[weight][found.order].astype(np.float64, copy=False) if weight else None,
    )
    sides, labels = len(keys.SPLITS), kept.columns[contract.target]
    counts = np.bincount(found.sides, minlength=sides)
    positives = np.bincount(found.sides[labels == 1], minlength=sides)
    sums = None if kept.weights is None else WeightSums.of(kept.weights)
    return kept, RangeCounts(tuple(counts.tolist()), tuple(positives.tolist()), overlaps, sums)


def store_range(
    rows: Range,
    index: int,
    *,
    ranges: int,
    dataset_id: str,
    contract: Contract,
    extra: Mapping[str, pa.Table],
    mean_weight: float,
    open_bucket: OpenBucket,
) -> dict[str, dict[str, int]]:
    """Write a range's rows of each side; side → part → rows.

    `extra`: by side, a table without rows that has the columns of production rows, too.
    `mean_weight`: of the whole dataset's uploaded rows.
    """
    stored: dict[str, dict[str, int]] = {}
    for code, side in enumerate(keys.SPLITS):
        chosen = rows.sides == code
        if not chosen.any():
            continue
        table = dataset.to_table(
            {name: values[chosen] for name, values in rows.columns.items()},
            contract,
            None if rows.subjects is None else rows.subjects[chosen],
            None if rows.weights is None else rows.weights[chosen] / mean_weight,
        )
        if side in extra:
            table = production_rows.append(table, extra[side])
        part = keys.dataset_part(side, index, ranges)
        tables.store(table, open_bucket(), keys.dataset(dataset_id, part))
        stored[side] = {part: table.num_rows}
    return stored
