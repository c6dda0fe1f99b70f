"""The contract's rules over whole columns.

The same rules as `Contract.validate` for one instance; a test compares the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.contract import Contract
from domain.contract.feature import Feature
from training_job.dataset.hashing import hash_texts

Columns = dict[str, npt.NDArray[np.generic]]
"""Feature or target name → its values: int16 codes for a category (-1 is missing),
float64 for a number (NaN is missing), int8 for a flag (-1 is missing); context column → uint64
hashes of its values."""

MISSING = -1
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
"""A text that Arrow parses as a finite number, or as one too large for any range."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A batch after the rules: valid rows' values, the mask, and why the others failed.

    `valid`: bool per row of the batch. `reasons`: the distinct ones; `why`: an index into them per
    invalid row, in order. `labels_left_out`: how many invalid rows have a label, and how many of
    those are positive.
    """

    columns: Columns
    valid: npt.NDArray[np.bool_]
    reasons: list[str]
    why: npt.NDArray[np.intp]
    labels_left_out: tuple[int, int] = (0, 0)


def target_feature(contract: Contract) -> Feature:
    """The target as a column of the training data: a flag that can't be missing."""
    return Feature(name=contract.target, kind="flag")


def check(table: pa.Table, contract: Contract, *, labelled: bool = True) -> Checked:
    """Apply the contract to a batch whose columns are texts (CSV) or typed (Parquet).

    `labelled`: whether the target is among them and must be valid too.
    """
    columns: Columns = {}
    failures: dict[str, npt.NDArray[np.bool_]] = {}
    wanted = contract.features + ((target_feature(contract),) if labelled else ())
    for feature in wanted:
        values, bad = _column(table.column(feature.name).combine_chunks(), feature)
        columns[feature.name] = values
        if bad.any():
            failures[f"{feature.name} {feature.expectation}"] = bad
    for entry in contract.context if labelled else ():
        column = table.column(entry.name).combine_chunks()
        columns[entry.name], bad = _identifier(column)
        if bad.any():
            failures[f"{entry.name} must be there"] = bad
    valid = np.ones(table.num_rows, dtype=bool)
    for bad in failures.values():
        valid &= ~bad
    left_out = (0, 0)
    if failures:
        if labelled:
            labels = columns[contract.target][~valid]
            left_out = (int((labels != MISSING).sum()), int((labels == 1).sum()))
        columns = {name: values[valid] for name, values in columns.items()}
    return Checked(columns, valid, *_reasons(failures, ~valid), left_out)


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
    array: pa.Array, feature: Feature
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.bool_]]:
    """``(values, bad)`` of one column."""
    null = array.is_null().to_numpy(zero_copy_only=False)
    if feature.kind == "category":
        texts = array if pa.types.is_string(array.type) else _as_text(array)
        found = pc.index_in(texts, value_set=pa.array(feature.categories, pa.string()))
        codes = pc.fill_null(found, MISSING).to_numpy(zero_copy_only=False).astype(np.int16)
        bad = (codes == MISSING) & (~null | (not feature.nullable))
        return codes, bad
    numbers = _numbers(array)
    if feature.kind == "flag":
        inside = (numbers == 0) | (numbers == 1)
        values = np.where(inside, np.nan_to_num(numbers), MISSING).astype(np.int8)
        return values, ~inside & (~null | (not feature.nullable))
    inside = (numbers >= feature.minimum) & (numbers <= feature.maximum)
    return numbers, ~inside & (~null | (not feature.nullable))


def _identifier(array: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """``(hashes, bad)`` of a column that identifies rows or people."""
    hashes = hash_texts(array)
    empty = pc.equal(pc.binary_length(_as_text(array)), 0)
    return hashes, pc.fill_null(empty, True).to_numpy(zero_copy_only=False)


def _as_text(array: pa.Array) -> pa.Array:
    try:
        return pc.cast(array, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if v is None else str(v) for v in array.to_pylist()], pa.string())


def _numbers(array: pa.Array) -> npt.NDArray[np.float64]:
    """Float64 values; NaN where there is none or where it isn't a number.

    One parser reads every text, whatever else is in the batch: another one might differ in the
    last bit, and with it the row's hash and side.
    """
    try:
        numbers = pc.cast(array, pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        texts = _as_text(array)
        numeric = pc.if_else(pc.match_substring_regex(texts, NUMBER), texts, None)
        numbers = pc.cast(numeric, pa.float64())
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
