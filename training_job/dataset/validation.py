"""The contract's rules over whole columns.

What a text means is said by `domain.contract.file_values`, what a value must be by
`Contract.validate` for one instance; tests compare.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.context import Context
from domain.contract.contract import Contract
from domain.contract.feature import Feature
from domain.contract.file_format import Decimal
from domain.contract.file_values import MISSING, CodedText, NumberText
from training_job.dataset import row_weights
from training_job.dataset.column_values import (
    read_codes,
    read_numbers,
    read_times,
    read_weights,
)
from training_job.dataset.files.hints import SAMPLE, TARGET, advise
from training_job.dataset.hashing import hash_texts
from training_job.dataset.ids import find_shortened, read_ids
from training_job.dataset.time_split import TimeKind

Columns = dict[str, npt.NDArray[np.generic]]
"""Feature or target name → its values: int16 codes for a category (-1 is missing),
float64 for a number (NaN is missing), int8 for a flag (-1 is missing). Context column → the same by
its kind; of a text that is logged its values as objects (None is missing), of one that identifies
training rows uint64 hashes of its values. A row's time (see `TimeKind`) and weight: float64."""


SHORTENED = (
    "must not be a number that a spreadsheet shortened, such as 1.23457E+11: format the column as"
    " text before you save it"
)
TIME_EXPECTED = "must be a number, or a date or time such as 2024-03-01 or 2024-03-01T14:00:00Z"


@dataclass(frozen=True, slots=True)
class Checked:
    """A batch after the rules: valid rows' values, the mask, and why the others failed.

    `valid`: bool per row of the batch. `reasons`: the distinct ones; `why`: an index into them per
    invalid row, in order. `labels_left_out`: how many invalid rows have a label, and how many of
    those are positive. `hints`: what could be declared in the contract. `subjects`: a hash of the
    subject per invalid row, if the contract has one. `times`: what the column of times held.
    """

    columns: Columns
    valid: npt.NDArray[np.bool_]
    reasons: list[str]
    why: npt.NDArray[np.intp]
    labels_left_out: tuple[int, int] = (0, 0)
    hints: tuple[str, ...] = ()
    subjects: npt.NDArray[np.uint64] | None = None
    times: frozenset[TimeKind] = frozenset()


def has_values(values: npt.NDArray[np.generic], feature: Feature) -> bool:
    """Whether any value of a checked column is there."""
    missing = np.isnan(values) if feature.kind == "number" else values == MISSING
    return not bool(np.all(missing))


def target_feature(contract: Contract) -> Feature:
    """The target as a column of the training data: a flag that can't be missing."""
    return Feature(name=contract.target, kind="flag", in_files=contract.target_in_files)


def check(table: pa.Table, contract: Contract, *, labelled: bool = True) -> Checked:
    """Apply the contract to a batch whose columns are texts (CSV) or typed (Parquet).

    `labelled`: whether the target is among them and must be valid too; then the context columns are
    those that identify rows and define segments, otherwise those that are logged.
    """
    columns: Columns = {}
    failures: dict[str, npt.NDArray[np.bool_]] = {}
    hints: dict[str, None] = {}
    for feature in _wanted(contract, labelled):
        array = table.column(feature.name).combine_chunks()
        values, bad = _column(array, feature, contract.files.decimal)
        columns[feature.name] = values
        if bad.any():
            failures[f"{feature.name} {feature.expectation}"] = bad
            some = array.filter(pa.array(bad)).slice(0, SAMPLE).to_pylist()
            where = _name_place(feature, contract)
            hints[advise(feature, some, contract.files.decimal, where)] = None
    for entry in contract.identifying_context if labelled else ():
        column = table.column(entry.name).combine_chunks()
        ids = read_ids(column)
        columns[entry.name], bad = hash_texts(ids), ids.is_null().to_numpy(zero_copy_only=False)
        if bad.any() and not entry.nullable:
            failures[f"{entry.name} must be there"] = bad
        if (shortened := find_shortened(ids)).any():
            failures[f"{entry.name} {SHORTENED}"] = shortened
    for entry in () if labelled else contract.request_context.columns:
        if entry.values is None:
            columns[entry.name], bad = _logged_text(table.column(entry.name), entry)
            if bad.any():
                failures[f"{entry.name} {entry.expectation}"] = bad
            ids = pa.array(columns[entry.name], pa.string())
            if entry.role and (shortened := find_shortened(ids)).any():
                failures[f"{entry.name} {SHORTENED}"] = shortened
    kinds = _read_training_columns(table, contract, columns, failures) if labelled else frozenset()
    valid = np.ones(table.num_rows, dtype=bool)
    for bad in failures.values():
        valid &= ~bad
    left_out = (0, 0)
    subjects = _hash_subjects(columns, contract, ~valid)
    if failures:
        if labelled:
            labels = columns[contract.target][~valid]
            left_out = (int((labels != MISSING).sum()), int((labels == 1).sum()))
        columns = {name: values[valid] for name, values in columns.items()}
    advice = tuple(hint for hint in hints if hint)
    reasons = _reasons(failures, ~valid)
    return Checked(columns, valid, *reasons, left_out, advice, subjects, kinds)


def _read_training_columns(
    table: pa.Table,
    contract: Contract,
    columns: Columns,
    failures: dict[str, npt.NDArray[np.bool_]],
) -> frozenset[TimeKind]:
    """Add time and weight to `columns` and what is wrong to `failures`; the kinds of the times."""
    kinds: frozenset[TimeKind] = frozenset()
    time, weight = contract.training_columns.time, contract.training_columns.weight
    if time:
        array = table.column(time).combine_chunks()
        columns[time], kinds = read_times(array, contract.files.decimal)
        if (bad := np.isnan(columns[time])).any():
            failures[f"{time} {TIME_EXPECTED}"] = bad
    if weight:
        array = table.column(weight).combine_chunks()
        columns[weight], bad = read_weights(array, contract.files.decimal)
        if bad.any():
            failures[f"{weight} {row_weights.EXPECTED}"] = bad
    return kinds


def hash_subjects(columns: Columns, contract: Contract) -> npt.NDArray[np.uint64] | None:
    """A hash of each row's subject; None without such a column."""
    subject = contract.context_column("subject")
    if subject is None or subject not in columns:
        return None
    values = columns[subject]
    if values.dtype == object:  # a text that is logged
        return hash_texts(pa.array(values, pa.string()))
    return values.astype(np.uint64, copy=False)


def _hash_subjects(
    columns: Columns, contract: Contract, rows: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint64] | None:
    if not rows.any():
        return None
    return hash_subjects({name: values[rows] for name, values in columns.items()}, contract)


def _wanted(contract: Contract, labelled: bool) -> tuple[Feature, ...]:
    """Features, target and context columns of these kinds; those of segments may be missing."""
    if labelled:
        grouping = (replace(feature, nullable=True) for feature in contract.segment_context)
        return (*contract.features, target_feature(contract), *grouping)
    logged = (entry.values for entry in contract.request_context.columns if entry.values)
    return (*contract.features, *logged)


def _name_place(feature: Feature, contract: Contract) -> str:
    """Where the contract says how files write a column."""
    if feature.name == contract.target:
        return TARGET
    return f"{'feature' if feature.name in contract.names else 'context column'} {feature.name}"


def _logged_text(
    column: pa.ChunkedArray, entry: Context
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.bool_]]:
    """``(texts, bad)`` of a context column that is logged as it is."""
    texts = read_ids(column.combine_chunks())
    bad = pc.or_(
        pc.greater(pc.utf8_length(texts), entry.maximum_length),
        pc.match_substring_regex(texts, r"[\x00-\x1f\x7f]"),
    )
    bad = pc.fill_null(bad, not entry.nullable)
    return texts.to_numpy(zero_copy_only=False), np.asarray(bad.to_numpy(zero_copy_only=False))


def _reasons(
    failures: Mapping[str, npt.NDArray[np.bool_]], invalid: npt.NDArray[np.bool_]
) -> tuple[list[str], npt.NDArray[np.intp]]:
    if not failures:
        return [], np.empty(0, np.intp)
    broken = np.array([bad[invalid] for bad in failures.values()])
    kinds, why = np.unique(broken, axis=1, return_inverse=True)
    texts = list(failures)
    return ["; ".join(np.array(texts)[kind]) for kind in kinds.T], why.ravel()


def _column(
    array: pa.Array, feature: Feature, decimal: Decimal
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.bool_]]:
    """``(values, bad)`` of one column."""
    if feature.kind == "number":
        numbers, unreadable = read_numbers(array, NumberText(feature, decimal))
        outside = ~((numbers >= feature.minimum) & (numbers <= feature.maximum))
        missing = np.isnan(numbers)
        return numbers, unreadable | (outside & (~missing | (not feature.nullable)))
    codes = read_codes(array, CodedText(feature, decimal), len(feature.categories))
    lowest = MISSING if feature.nullable else 0
    kind = np.int8 if feature.kind == "flag" else np.int16
    return np.maximum(codes, MISSING).astype(kind, copy=False), codes < lowest
