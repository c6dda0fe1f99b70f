"""A column as the statistics see it, and the figures of it that may be published."""

import math
from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from domain.contract.contract import Contract
from domain.contract.feature import OTHER, Feature
from domain.drift.disclosure import SMALLEST_GROUP, choose_suppressed, round_significant
from domain.drift.summary import Profile
from tabular.rows import read_feature_values

VALID, MISSING, INVALID = "valid", "missing", "invalid"
PROBABILITY = Feature(name="probability", kind="number", minimum=0.0, maximum=1.0)
"""The predicted probability is compared like a feature."""
Group = str | None
"""A part of a column's rows: a category, `OTHER`, or VALID for all valid numbers; None for missing
values."""


@dataclass(frozen=True)
class Column:
    """One column of one data set, with one entry per row in both series.

    `values`: categories (`OTHER` outside the contract, None when missing), flags ("0", "1",
    `OTHER`, None) or numbers (NaN when missing or invalid). `state`: VALID, MISSING or INVALID.
    """

    feature: Feature
    values: "pd.Series[Any]"
    state: "pd.Series[str]"

    @cached_property
    def present(self) -> "pd.Series[Any]":
        """The values that can be shown: all but missing ones, and invalid numbers."""
        return self.values.dropna()

    @cached_property
    def valid(self) -> "pd.Series[Any]":
        """The values whose distribution is compared."""
        return (
            self.present if self.feature.kind == "number" else self.present[self.present != OTHER]
        )

    def select(self, rows: npt.NDArray[np.bool_]) -> "Column":
        """Select some rows."""
        return Column(self.feature, self.values[rows], self.state[rows])

    @cached_property
    def groups(self) -> dict[Group, int]:
        """How many rows each group has."""
        states = self.state.value_counts()
        found: dict[Group, int] = {None: int(states.get(MISSING, 0))}
        if self.feature.kind == "number":
            return found | {OTHER: int(states.get(INVALID, 0)), VALID: int(states.get(VALID, 0))}
        counts = self.present.value_counts().sort_index()
        return found | {str(name): int(count) for name, count in counts.items()}

    @cached_property
    def suppressed(self) -> frozenset[Group]:
        """The groups whose size must not be shown."""
        return choose_suppressed(self.groups, last=UNUSUAL)


UNUSUAL: frozenset[Group] = frozenset({None, OTHER})
"""Missing and invalid values. They interest people most, so they are the last to be suppressed to
protect another group."""


def find_merged_groups(reference: Column, current: Column) -> frozenset[Group]:
    """Find the groups to merge: the same in both columns, so that they can be compared."""
    return reference.suppressed | current.suppressed


def merged_label(groups: Set[Group]) -> str:
    """The name of merged groups."""
    return " or ".join(sorted("missing" if name is None else name for name in groups))


def profile(column: Column, merged_groups: Set[Group]) -> Profile:
    """Summarise a column in shares and moments that may be shown; never a single row."""
    rows, groups = len(column.state), column.groups
    mean, deviation = _moments(column)
    return Profile(
        rows=rows,
        missing=None if None in column.suppressed else _share(groups.get(None, 0), rows),
        invalid=None if OTHER in column.suppressed else _share(groups.get(OTHER, 0), rows),
        mean=mean,
        deviation=deviation,
        shares={} if column.feature.kind == "number" else _shares(groups, merged_groups, rows),
    )


def _share(part: int, rows: int) -> float:
    return round_significant(part / rows) if rows else 0.0


def _shares(groups: dict[Group, int], merged_groups: Set[Group], rows: int) -> dict[str, float]:
    shares = {
        name: _share(count, rows)
        for name, count in groups.items()
        if name is not None and name not in merged_groups
    }
    rest = sum(groups.get(name, 0) for name in merged_groups)
    return shares | ({merged_label(merged_groups): _share(rest, rows)} if shares and rest else {})


def _moments(column: Column) -> tuple[float | None, float | None]:
    """Mean and standard deviation; None where undefined or too large for a float."""
    if column.feature.kind != "number" or len(column.present) < SMALLEST_GROUP:
        return None, None
    with np.errstate(over="ignore", invalid="ignore"):
        moments = float(column.present.mean()), float(column.present.std(ddof=0))
    mean, deviation = (round_significant(of) if math.isfinite(of) else None for of in moments)
    return mean, deviation


def profile_columns(contract: Contract, table: pa.Table) -> dict[str, Column]:
    """Read every feature of the contract, and the probability, by column name.

    `table`: rows of the log or of a reference sample. If it lacks a column, all its values are
    missing.
    """
    return _profile((*contract.features, PROBABILITY), table)


def profile_context(contract: Contract, table: pa.Table) -> dict[str, Column]:
    """Read every context column that defines a segment, in the same way.

    They are no features: segments are made by them, but they are not compared themselves.
    """
    return _profile(contract.segment_context, table)


def _profile(features: Iterable[Feature], table: pa.Table) -> dict[str, Column]:
    return {
        feature.column: _make_column(
            feature,
            read_feature_values(
                table[feature.column] if feature.column in table.column_names else None,
                feature,
                np.arange(table.num_rows),
            ),
        )
        for feature in features
    }


def target_column(name: str, labels: npt.NDArray[np.bool_]) -> Column:
    """The labels as a column, so that they can be compared like a feature."""
    text = pd.Series(np.where(labels, "1", "0"), dtype="str")
    return Column(Feature(name=name, kind="flag"), text, _all_valid(len(labels)))


def _all_valid(rows: int) -> "pd.Series[str]":
    return pd.Series(np.full(rows, VALID), dtype="str")


def _make_column(feature: Feature, values: pa.Array) -> Column:
    missing = np.asarray(values.is_null())
    if feature.kind == "number":
        numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
        return Column(feature, pd.Series(numbers), _states(missing, np.isnan(numbers) & ~missing))
    if feature.kind == "flag":
        numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
        text = np.where(numbers == 1.0, "1", np.where(numbers == 0.0, "0", OTHER)).astype(object)
        text[missing] = None
    else:
        text = values.to_numpy(zero_copy_only=False).astype(object)
    return Column(feature, pd.Series(text, dtype="str"), _states(missing, text == OTHER))


def _states(missing: npt.NDArray[np.bool_], invalid: npt.NDArray[np.bool_]) -> "pd.Series[str]":
    return pd.Series(np.where(missing, MISSING, np.where(invalid, INVALID, VALID)), dtype="str")
