"""A column as the statistics see it, and what it looks like in numbers."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from domain.contract import Contract
from domain.drift import OTHER, SMALLEST_GROUP
from domain.feature import Feature
from domain.summary import Profile
from monitoring_job.rows import feature_values

VALID, MISSING, INVALID = "valid", "missing", "invalid"
PROBABILITY = Feature(name="probability", kind="number", minimum=0.0, maximum=1.0)
"""The prediction is compared like a feature."""


@dataclass(frozen=True)
class Column:
    """One column of one data set.

    `values`: per row the category (`OTHER` for one outside the contract, None for a missing
    one), flag ("0", "1", `OTHER`, None) or number (NaN when missing or invalid). `state`: per row
    whether it is valid, missing or invalid.
    """

    feature: Feature
    values: "pd.Series[Any]"
    state: "pd.Series[str]"

    @cached_property
    def present(self) -> "pd.Series[Any]":
        """The values that can be compared."""
        return self.values.dropna()

    def only(self, rows: npt.NDArray[np.bool_]) -> "Column":
        """Those rows of it."""
        return Column(self.feature, self.values[rows], self.state[rows])

    @cached_property
    def profile(self) -> Profile:
        """Counts, shares and moments of groups that may be shown; never a row."""
        rows = len(self.state)
        states = self.state.value_counts()
        is_number = self.feature.kind == "number"
        shares = {} if is_number else _shares(self.present)
        moments = self.present if is_number and len(self.present) >= SMALLEST_GROUP else None
        return Profile(
            rows=rows,
            missing=round(int(states.get(MISSING, 0)) / rows, 6) if rows else 0.0,
            invalid=round(int(states.get(INVALID, 0)) / rows, 6) if rows else 0.0,
            mean=None if moments is None else round(float(moments.mean()), 6),
            deviation=None if moments is None else round(float(moments.std(ddof=0)), 6),
            shares=shares,
        )


def _shares(values: "pd.Series[Any]") -> dict[str, float]:
    counts = values.value_counts().sort_index()
    enough = counts[counts >= SMALLEST_GROUP]
    return {str(name): round(int(count) / len(values), 6) for name, count in enough.items()}


def columns(contract: Contract, table: pa.Table) -> dict[str, Column]:
    """Every feature of the contract and the probability, by column name.

    `table`: columns of the log or of a reference sample; a missing column is all missing.
    """
    return {
        feature.column: _column(
            feature,
            feature_values(
                table[feature.column] if feature.column in table.column_names else None,
                feature,
                np.arange(table.num_rows),
            ),
        )
        for feature in (*contract.features, PROBABILITY)
    }


def target(name: str, labels: npt.NDArray[np.bool_]) -> Column:
    """The labels as a column, to be compared like a feature."""
    text = pd.Series(np.where(labels, "1", "0"), dtype="str")
    return Column(Feature(name=name, kind="flag"), text, _valid(len(labels)))


def _valid(rows: int) -> "pd.Series[str]":
    return pd.Series(np.full(rows, VALID), dtype="str")


def _column(feature: Feature, values: pa.Array) -> Column:
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
