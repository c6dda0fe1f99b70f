"""Turn raw batches into clean rows: typed, inside the window, one table per version.

A row without a usable id, time, version, probability or sample key is malformed: it is counted by
its first reason and left out. A feature value that breaks the contract does not make its row
malformed; it is kept as *invalid*, because that is a kind of drift. In the resulting tables null
means missing. Invalid is NaN for numbers and flags, and `OTHER` for categories.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.feature import OTHER, Feature
from domain.contract.records import SAMPLE_KEYS, TEST
from domain.times import DAY_MS
from tabular.footers import BAD_DATA
from tabular.log_objects import Batch, Damage

OWN_COLUMNS = {
    "prediction_id": pa.string(),
    "predicted_at": pa.int64(),
    "model_version": pa.string(),
    "probability": pa.float64(),
    "sample_key": pa.int64(),
    "reference": pa.string(),
    "subject": pa.string(),
}
"""Columns of every table; reference and subject are null where the contract has none."""
SOURCE = "source"
READ_COLUMNS = frozenset({*OWN_COLUMNS, SOURCE})
"""The record's own columns that have to be read."""
NO_OTHERS: Mapping[str, pa.DataType] = {}
MAXIMUM_ID = 128
INT64 = 2**63
MISPLACED_MS = 3 * DAY_MS
"""A row predicted this long before or after the window cannot belong into the partitions that were
read for it: they reach one day beyond the window on each side, and an object is filed under the day
of its oldest record. Such a row is counted as malformed; one that is nearer belongs to another
window.
"""

Mask = npt.NDArray[np.bool_]
Features = Callable[[str], tuple[Feature, ...] | None]


def read_usable(
    batches: Iterable[Batch],
    *,
    start: int,
    end: int,
    features: Features,
    damage: Damage,
    others: Mapping[str, pa.DataType] = NO_OTHERS,
) -> Iterator[tuple[str, pa.Table]]:
    """Yield ``(version, rows)`` for each batch, with ``start <= predicted_at < end`` (ms) only.

    Predictions that somebody only tried are left out.

    `features` returns the features of a version's contract, or None if the version doesn't exist.
    `others`: name and type of further columns of the record that the rows shall have.
    """
    for batch in batches:
        malformed: Counter[str] = Counter()
        try:
            found = list(
                _split_by_version(
                    batch, start, end, features=features, malformed=malformed, others=others
                )
            )
        except BAD_DATA:
            damage.malformed["unreadable"] += batch.rows
            continue
        damage.malformed.update(malformed)
        yield from found


def _split_by_version(
    batch: Batch,
    start: int,
    end: int,
    *,
    features: Features,
    malformed: Counter[str],
    others: Mapping[str, pa.DataType],
) -> Iterator[tuple[str, pa.Table]]:
    wanted_columns = OWN_COLUMNS | {SOURCE: pa.string()} | dict(others)
    own = pa.table(
        {name: read_typed_column(name, kind, batch) for name, kind in wanted_columns.items()}
    )
    unwanted = ["model_version", *({SOURCE} - set(others))]
    for version, positions in _find_positions(own, start, end, malformed).items():
        wanted = features(version)
        if wanted is None:
            malformed["model_version"] += positions.size
            continue
        table = own.take(positions).drop_columns(unwanted)
        for feature in wanted:
            values = read_feature_values(batch.columns.get(feature.column), feature, positions)
            table = table.append_column(feature.column, values)
        yield version, table


def _find_positions(
    own: pa.Table, start: int, end: int, malformed: Counter[str]
) -> dict[str, npt.NDArray[np.int64]]:
    """Find the positions of each version's good rows; count the others."""
    times = own["predicted_at"]
    inside = _is_within(times, start, end)
    left = inside | ~_is_within(times, start - MISPLACED_MS, end + MISPLACED_MS)
    left &= ~_to_mask(pc.equal(own[SOURCE], TEST))
    length = pc.utf8_length(own["prediction_id"])
    probability, key = own["probability"], own["sample_key"]
    good = {
        "predicted_at": inside,
        "prediction_id": _to_mask(
            pc.and_(pc.greater(length, 0), pc.less_equal(length, MAXIMUM_ID))
        ),
        "probability": _to_mask(
            pc.and_(pc.greater_equal(probability, 0.0), pc.less_equal(probability, 1.0))
        ),
        "sample_key": _to_mask(pc.and_(pc.greater_equal(key, 0), pc.less(key, SAMPLE_KEYS))),
    }
    for reason, is_good in good.items():
        malformed[reason] += int(np.count_nonzero(left & ~is_good))
        left &= is_good
    versions = own["model_version"].combine_chunks().dictionary_encode()
    codes = versions.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    malformed["model_version"] += int(np.count_nonzero(left & (codes < 0)))
    found = {
        version: np.flatnonzero(left & (codes == code))
        for code, version in enumerate(versions.dictionary.to_pylist())
    }
    return {version: positions for version, positions in found.items() if positions.size}


def _is_within(times: Any, start: int, end: int) -> Mask:
    return _to_mask(pc.and_(pc.greater_equal(times, start), pc.less(times, end)))


def _to_mask(condition: Any) -> Mask:
    """Convert a condition to a mask; null counts as false."""
    return np.asarray(pc.fill_null(condition, False).to_numpy(), dtype=bool)


def read_typed_column(name: str, kind: pa.DataType, batch: Batch) -> pa.Array:
    """Read one of the record's own columns; values of another type become null."""
    column = batch.columns.get(name)
    if isinstance(column, pa.Array) and column.type == kind:
        return column
    if column is None:
        return pa.nulls(batch.rows, kind)
    values = column.to_pylist() if isinstance(column, pa.Array) else column
    if kind == pa.string():
        return pa.array([_clean_text(v) for v in values], kind)
    if kind == pa.bool_():
        return pa.array([v if isinstance(v, bool) else None for v in values], kind)
    if kind == pa.int64():
        return pa.array([v if _is_integer(v) else None for v in values], kind)
    return pa.array([float(v) if _is_number(v) else None for v in values], kind)


def _clean_text(value: Any) -> str | None:
    """Replace half surrogate pairs, which JSON may hold but an Arrow string can't."""
    if not isinstance(value, str):
        return None
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -INT64 <= value < INT64


def _is_number(value: Any) -> bool:
    """Whether a value is a number that a float can hold."""
    return not isinstance(value, bool) and (
        isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**1000)
    )


def read_feature_values(
    column: Any, feature: Feature, positions: npt.NDArray[np.int64] | None = None
) -> pa.Array:
    """A feature's values as text (category) or float64 (number, flag), see the module.

    `column`: Arrow array, list of decoded JSON values, or None when there is none.
    """
    if column is None:
        kind = pa.string() if feature.kind == "category" else pa.float64()
        return pa.nulls(0 if positions is None else len(positions), kind)
    if isinstance(column, pa.Array | pa.ChunkedArray):
        column = column if positions is None else column.take(pa.array(positions))
        typed = _read_typed_feature(column, feature)
        if typed is not None:
            return typed
        values = column.to_pylist()
    else:
        values = column if positions is None else [column[i] for i in positions]
    if feature.kind == "category":
        listed = frozenset(feature.categories)
        return pa.array([_clean_category(v, listed) for v in values], pa.string())
    return pa.array([_clean_number(v, feature) for v in values], pa.float64())


def _read_typed_feature(column: Any, feature: Feature) -> pa.Array | None:
    """Read a column that already has the log's type, without a loop; None for other columns."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if feature.kind == "category":
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            return None
        text = column.cast(pa.string())
        known = pc.or_(pc.is_in(text, pa.array(feature.categories)), pc.is_null(text))
        return pc.if_else(known, text, OTHER)
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        return None
    number = column.cast(pa.float64(), safe=False)
    low, high = _range(feature)
    valid = pc.and_(pc.greater_equal(number, low), pc.less_equal(number, high))
    if feature.kind == "flag":
        valid = pc.or_(pc.equal(number, 0.0), pc.equal(number, 1.0))
    return pc.if_else(valid, number, math.nan)  # null in, null out


def _range(feature: Feature) -> tuple[float, float]:
    return (0.0, 1.0) if feature.kind == "flag" else (feature.minimum, feature.maximum)


def _clean_category(value: Any, listed: frozenset[str]) -> str | None:
    if value is None:
        return None
    return value if isinstance(value, str) and value in listed else OTHER


def _clean_number(value: Any, feature: Feature) -> float | None:
    if value is None:
        return None
    if not _is_number(value) or not feature.accepts(value):
        return math.nan
    return float(value)
