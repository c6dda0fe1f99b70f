"""People who are scored repeatedly: how many rows of a window are independent.

A person who is scored three times brings one row of evidence, not three. Taken as three, chance
looks like drift. With the person of each row (the contract's context column of the role
``subject``), Kish's design effect says how many rows count as one: the sum of the squared numbers
of rows per person, divided by the rows (L. Kish, "Survey Sampling", 1965, chapter 8; a person's
rows are taken as equal).

Without it, repeated people show as equal rows. Two rows of different people are equal by chance,
too, and often so in a coarse table, so only what goes beyond the reference's own rate counts. A
column that drifts changes how often rows are equal. Columns are therefore left out where equal
values have become much more or less frequent, and a small change is allowed for in the rate.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from domain.contract.contract import Contract
from monitoring_job.statistics.profiles import PROBABILITY, Column, profile_columns

Codes = npt.NDArray[np.int64]

SUBJECT = "subject"
"""The log's column of the person."""
SAME_COLUMN = 1.5
"""A column is used while its rate of equal values has changed by this factor at most."""
TOLERANCE = 1.25
"""Equal rows up to this multiple of what is expected count as chance."""
SMALLEST_EFFECT = 1.1
"""A smaller design effect is taken as none."""


@dataclass(frozen=True, slots=True)
class Independent:
    """The independent rows among those of a table, and their `positions` there."""

    table: pa.Table
    positions: npt.NDArray[np.int64]
    design_effect: float


def select_independent(
    contract: Contract, reference: Mapping[str, Column], table: pa.Table
) -> Independent:
    """Take one of as many rows as the design effect says, all of them without repetitions."""
    columns = profile_columns(contract, table)
    effect = measure_design_effect(table, reference, columns)
    positions = np.arange(table.num_rows)
    if effect > 1:
        positions = choose_independent(table, columns, effect)
        table = table.take(positions)
    return Independent(table, positions, effect)


def measure_design_effect(
    table: pa.Table, reference: Mapping[str, Column], current: Mapping[str, Column]
) -> float:
    """How many rows of the window count as one; 1.0 where all are independent."""
    subjects = _read_subjects(table)
    if subjects is not None:
        rows_per_person = np.bincount(subjects)
        effect = float(np.sum(rows_per_person**2) / len(subjects))
    else:
        effect = _compare_repeats(reference, current)
    return effect if effect >= SMALLEST_EFFECT else 1.0


def choose_independent(
    table: pa.Table, current: Mapping[str, Column], design_effect: float
) -> npt.NDArray[np.int64]:
    """Positions of as many rows as are independent, in the table's order.

    Rows of one person, or equal rows, are neighbours in the order from which every n-th is taken.
    So shares stay as they are, and no person has more rows than the share allows.
    """
    subjects = _read_subjects(table)
    codes = _encode_rows(current) if subjects is None else subjects
    order = np.argsort(codes, kind="stable")
    chosen = np.floor(np.arange(0, len(order), design_effect)).astype(np.int64)
    return np.sort(order[chosen])


def _read_subjects(table: pa.Table) -> Codes | None:
    """The person of each row as a number; None unless every row has one."""
    if SUBJECT not in table.column_names or table[SUBJECT].null_count or not table.num_rows:
        return None
    codes, _ = pd.factorize(table[SUBJECT].to_pandas())
    return np.asarray(codes, dtype=np.int64)


def _compare_repeats(reference: Mapping[str, Column], current: Mapping[str, Column]) -> float:
    """Compare how often two rows are equal with how often they are in the reference."""
    names = [name for name in current if name != PROBABILITY.column]
    old, new = ({name: _encode(side[name]) for name in names} for side in (reference, current))
    equal_old, equal_new = (_share_of_equal(_combine(side.values())) for side in (old, new))
    if equal_new <= equal_old * TOLERANCE:
        return 1.0
    used = [name for name in names if _is_same(old[name], new[name], equal_old, equal_new)]
    if not used:
        return 1.0
    equal_old, equal_new = (
        _share_of_equal(_combine(side[name] for name in used)) for side in (old, new)
    )
    expected = equal_old
    for name in used:
        rate_old = _share_of_equal(old[name]) - equal_old
        if rate_old > 0:
            expected *= (_share_of_equal(new[name]) - equal_new) / rate_old
    if equal_new <= expected * TOLERANCE:
        return 1.0
    return 1 + (len(new[used[0]]) - 1) * (equal_new - expected)


def _is_same(old: Codes, new: Codes, equal_old: float, equal_new: float) -> bool:
    """Whether two values of a column are equal about as often as in the reference.

    `equal_old`, `equal_new`: the shares of pairs of wholly equal rows, which are left out because
    they are what is looked for.
    """
    rate_old, rate_new = _share_of_equal(old) - equal_old, _share_of_equal(new) - equal_new
    if rate_old <= 0 or rate_new <= 0:
        return max(rate_old, rate_new) <= 0
    return 1 / SAME_COLUMN <= rate_new / rate_old <= SAME_COLUMN


def _encode_rows(columns: Mapping[str, Column]) -> Codes:
    return _combine(
        _encode(column) for name, column in columns.items() if name != PROBABILITY.column
    )


def _encode(column: Column) -> Codes:
    """The values as numbers in their order; missing and invalid ones are values of their own."""
    values, _ = pd.factorize(column.values, sort=True, use_na_sentinel=True)
    states, _ = pd.factorize(column.state, sort=True)
    return np.asarray(values * 4 + states, dtype=np.int64)


def _combine(columns: Iterable[Codes]) -> Codes:
    """Number the different rows, in the order of their values."""
    rows: Codes | None = None
    for codes in columns:
        _, dense = np.unique(codes, return_inverse=True)
        joined = dense if rows is None else rows * (int(dense.max()) + 1) + dense
        _, rows = np.unique(joined, return_inverse=True)
    assert rows is not None  # noqa: S101 - a contract has features
    return rows


def _share_of_equal(codes: Codes) -> float:
    """The share of equal ones among all pairs of rows."""
    counts, rows = np.unique(codes, return_counts=True)[1].astype(float), len(codes)
    return float(np.sum(counts * (counts - 1))) / max(1, rows * (rows - 1))
