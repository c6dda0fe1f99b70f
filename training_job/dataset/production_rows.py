"""Labelled predictions as rows of a dataset: checked by the contract, and split by time.

The newest share of them is the side ``recent``, by which the gate sees what the champion and the
challenger are worth today. The others train; one in eight validates. A person is never in training
and test at once: who has several rows, or uploaded ones, keeps those of one side.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain import keys, times
from domain.contract.contract import Contract
from domain.contract.feature import OTHER, Feature
from domain.contract.file_values import MISSING
from domain.contract.records import SAMPLING_WEIGHT
from domain.model.production import Production
from domain.plural import agree, write_count
from tabular.labelled import LabelledRows, read_labelled
from tabular.log_objects import LogObjects
from tabular.models import Models
from training_job.dataset import dataset, hashing
from training_job.dataset.hashing import NO_TEXT, Hashes, Sides
from training_job.dataset.ids import read_ids
from training_job.dataset.quarantine import Quarantine
from training_job.dataset.validation import Columns
from training_job.errors import BadData

SIDES = ("train", "valid", keys.RECENT)
TRAIN, VALID, RECENT = range(len(SIDES))
ORIGIN = ("prediction_id", "predicted_at", "model_version", "predicted", "source")
"""Columns that say where a row came from; null in an uploaded row."""

Mask = npt.NDArray[np.bool_]
FindSides = Callable[[Hashes], tuple[Mask, Mask]]
"""Hashes of subjects → whether each has uploaded rows for training or validation, and for testing.
"""


@dataclass(frozen=True, slots=True)
class UploadedPeople:
    """Hashes of the subjects of uploaded rows, and the rows' sides."""

    subjects: Hashes
    sides: Sides

    def find(self, subjects: Hashes) -> tuple[Mask, Mask]:
        """See FindSides."""
        tested = self.sides == keys.SPLITS.index("test")
        return tuple(np.isin(subjects, self.subjects[side]) for side in (~tested, tested))  # type: ignore[return-value]  # two of them


@dataclass(frozen=True, slots=True)
class Source:
    """Where production rows come from: predictions of ``[start, end)``, labelled by `now`.

    Times in UTC milliseconds. `test_share`: of the rows, the newest so many are for testing.
    `read_rows`: `read_labelled`, or another function of the same arguments.
    """

    log: LogObjects
    models: Models
    start: int
    end: int
    now: int
    test_share: float
    read_rows: Callable[..., LabelledRows] = read_labelled

    def read(self, contract: Contract) -> LabelledRows:
        """The labelled predictions, and what is known of the others."""
        return self.read_rows(
            log=self.log,
            models=self.models,
            contract=contract,
            start=self.start,
            end=self.end,
            now=self.now,
        )


@dataclass(frozen=True, slots=True)
class ProductionRows:
    """The rows that are in the dataset, in ascending order of their `hashes`.

    `columns`: as of uploaded rows. `origin`: see ORIGIN. `sides`: an index into SIDES per row.
    `subjects`: a hash of each row's subject, if the contract has one.
    """

    columns: Columns
    origin: pa.Table
    weights: npt.NDArray[np.float64]
    hashes: Hashes
    sides: Sides
    subjects: Hashes | None
    production: Production

    def on_side(self, side: str) -> Mask:
        """Which rows are on that side; none for a side of uploaded rows only."""
        code = SIDES.index(side) if side in SIDES else -1
        found: Mask = self.sides == code
        return found

    def table(self, side: str, contract: Contract) -> pa.Table:
        """The rows of one side as the dataset stores them."""
        rows = self.on_side(side)
        found = dataset.to_table(
            {name: values[rows] for name, values in self.columns.items()},
            contract,
            None if self.subjects is None else self.subjects[rows],
        )
        found = found.append_column(SAMPLING_WEIGHT, pa.array(self.weights[rows]))
        origin = self.origin.filter(pa.array(rows))
        for name in ORIGIN:
            found = found.append_column(name, origin[name])
        return found

    def dataset_id(self, uploaded: str) -> str:
        """Name of the dataset with these rows; `uploaded`: of the one without."""
        digest = hashlib.sha256(uploaded.encode())
        for values in (self.hashes, self.sides, self.weights):
            digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()[:16]


def load(
    source: Source,
    contract: Contract,
    *,
    salt: str,
    bad_row_share: float,
    quarantine: Quarantine,
    find_sides: FindSides | None,
) -> ProductionRows | Production:
    """Read, check and split the rows; a `Production` alone when there are none to use.

    `find_sides`: tells the sides of people who have uploaded rows, where these name people. Rows
    that break the contract go into `quarantine`; raises BadData when they are more than
    `bad_row_share` of the labelled ones.
    """
    found = source.read(contract)
    damage = found.damage
    production = Production(
        start=source.start,
        end=source.end,
        coverage=found.coverage,
        other_contract=found.other_contract,
        unreadable=sum(damage.malformed.values()) + sum(damage.unreadable.values()),
    )
    if found.coverage.unknown or not len(found.labels):
        return production
    columns, failures = _check(found.table, contract)
    columns[contract.target] = found.labels
    valid = ~np.logical_or.reduce([*failures.values(), np.zeros(len(found.labels), bool)])
    _quarantine(found.table, failures, ~valid, contract, quarantine)
    production = replace(production, quarantined=int(np.count_nonzero(~valid)))
    if production.quarantined > bad_row_share * len(found.labels):
        reasons = "; ".join(failures)
        raise BadData(
            f"{production.quarantined:,} of "
            f"{write_count(len(found.labels), 'labelled production row')} "
            f"{agree(production.quarantined, 'breaks', 'break')} the contract, more than the "
            f"allowed share of {bad_row_share:.1%}: {reasons}. Correct "
            'the contract, or train with {"production": false}.'
        )
    subjects = _subjects(found.table, contract)
    rows = _Split(found.table, subjects, valid, salt, source.test_share)
    sides, recent_from, apart = rows.split(find_sides)
    kept = np.flatnonzero(sides >= 0)
    hashes = hashing.combine(
        hashing.hash_texts(found.table["prediction_id"].combine_chunks()),
        hashing.hash_rows(_with_subject(columns, subjects, contract), contract),
    )
    order = kept[np.argsort(hashes[kept], kind="stable")]
    counts = np.bincount(sides[order], minlength=len(SIDES)).tolist()
    return ProductionRows(
        columns={name: values[order] for name, values in columns.items()},
        origin=found.table.select(ORIGIN).take(pa.array(order)),
        weights=found.weights[order],
        hashes=hashes[order],
        sides=sides[order],
        subjects=None if subjects is None else subjects[order],
        production=replace(
            production,
            recent_from=recent_from,
            train=counts[TRAIN],
            valid=counts[VALID],
            recent=counts[RECENT],
            set_apart=apart,
        ),
    )


def append(uploaded: pa.Table, production: pa.Table) -> pa.Table:
    """The uploaded rows of a side, then its production rows."""
    if SAMPLING_WEIGHT not in uploaded.column_names:
        weights = pa.array(np.ones(uploaded.num_rows))
        uploaded = uploaded.append_column(SAMPLING_WEIGHT, weights)
    return pa.concat_tables([uploaded, production], promote_options="default")


@dataclass(frozen=True, slots=True)
class _Split:
    table: pa.Table
    subjects: Hashes | None
    valid: Mask
    salt: str
    test_share: float

    def split(self, find_sides: FindSides | None) -> tuple[Sides, int, int]:
        """``(side per row or -1, time from which rows are recent, rows set apart)``."""
        at = self.table["predicted_at"].to_numpy()
        last = np.sort(at[self.valid])
        if not len(last):
            return np.full(len(at), -1, np.int8), 0, 0
        recent_from = int(last[min(int(len(last) * (1 - self.test_share)), len(last) - 1)])
        ids = hashing.hash_texts(self.table["prediction_id"].combine_chunks())
        owners = ids
        if self.subjects is not None:
            owners = np.where(self.subjects == NO_TEXT, ids, self.subjects)
        # By the same hash as uploaded rows, so that a person has one side among all of them.
        assigned = hashing.assign_sides(owners, self.salt)
        sides = np.where(assigned == keys.SPLITS.index("valid"), VALID, TRAIN).astype(np.int8)
        sides[at >= recent_from] = RECENT
        sides[~self.valid] = -1
        apart = self._find_split_people(sides, find_sides)
        sides[apart] = -1
        return sides, recent_from, int(np.count_nonzero(apart))

    def _find_split_people(self, sides: Sides, find_sides: FindSides | None) -> Mask:
        """Rows of people who have other rows on the other side of training and test."""
        if self.subjects is None:
            return np.zeros(len(sides), bool)
        known = self.subjects != NO_TEXT
        recent = sides == RECENT
        if find_sides is not None:
            trained, tested = find_sides(self.subjects)
            apart = (recent & trained) | (~recent & tested)
        else:
            apart = np.zeros(len(sides), bool)
        newest = self.subjects[recent & known & ~apart]
        apart |= ~recent & np.isin(self.subjects, newest)
        found: Mask = apart & known & (sides >= 0)
        return found


def _check(table: pa.Table, contract: Contract) -> tuple[Columns, dict[str, Mask]]:
    """The rows' values, and which rows break which rule of the contract."""
    columns: Columns = {}
    failures: dict[str, Mask] = {}
    grouping = (replace(feature, nullable=True) for feature in contract.segment_context)
    for feature in (*contract.features, *grouping):
        array = table[feature.column].combine_chunks()
        missing = array.is_null().to_numpy(zero_copy_only=False)
        columns[feature.name], invalid = _values(array, missing, feature)
        bad = invalid if feature.nullable else invalid | missing
        if bad.any():
            failures[f"{feature.name} {feature.expectation}"] = bad
    return columns, failures


def _values(
    array: pa.Array, missing: Mask, feature: Feature
) -> tuple[npt.NDArray[np.generic], Mask]:
    """``(values, invalid)`` of a column as `tabular.rows` reads it."""
    if feature.kind == "category":
        codes = pc.index_in(array, value_set=pa.array(feature.categories, pa.string()))
        values = pc.fill_null(codes, MISSING).to_numpy(zero_copy_only=False).astype(np.int16)
        if feature.collects_rest:
            return values, np.zeros(len(array), bool)
        invalid = pc.fill_null(pc.equal(array, OTHER), False)
        return values, np.asarray(invalid.to_numpy(zero_copy_only=False), bool)
    numbers = np.asarray(array.to_numpy(zero_copy_only=False), np.float64)
    bad: Mask = np.isnan(numbers) & ~missing
    if feature.kind == "number":
        return numbers, bad
    return np.where(np.isnan(numbers), MISSING, numbers).astype(np.int8), bad


def _quarantine(
    table: pa.Table,
    failures: dict[str, Mask],
    bad: Mask,
    contract: Contract,
    quarantine: Quarantine,
) -> None:
    """One entry per row: the day's folder and the prediction's id as its file, and 0 as its row."""
    subjects = _subjects(table, contract)
    for row in np.flatnonzero(bad).tolist():
        reason = "; ".join(text for text, broken in failures.items() if broken[row])
        day = times.from_millis(table["predicted_at"][row].as_py()).date()
        file = f"{keys.stream('log', day)}{table['prediction_id'][row].as_py()}"
        people = None if subjects is None else subjects[row : row + 1]
        quarantine.add(file, [0], [reason], [0], people)


def _subjects(table: pa.Table, contract: Contract) -> Hashes | None:
    """A hash of each row's subject, as of an uploaded row; None without such a column."""
    if contract.context_column("subject") is None:
        return None
    return hashing.hash_texts(read_ids(table["subject"].combine_chunks()))


def _with_subject(columns: Columns, subjects: Hashes | None, contract: Contract) -> Columns:
    name = contract.context_column("subject")
    return columns if name is None or subjects is None else {**columns, name: subjects}
