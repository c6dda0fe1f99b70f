"""What a dataset looks like, column by column, and how it differs from the one before.

Aggregates only: shares, quantiles, moments; no extreme value, since that is one patient's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from domain.contract.contract import Contract
from domain.contract.feature import Feature
from domain.contract.file_values import MISSING
from training_job.dataset.validation import Columns

Profile = dict[str, Any]
Values = npt.NDArray[Any]
Moments = tuple[float, float] | None
"""Mean and deviation; None of a number that has no value."""

QUANTILES = np.linspace(0, 1, 11)[1:-1]
LEAST_SHARE = 1e-4
"""An empty bin counts as this share, so that the index stays finite."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A column's values in counts: `missing` ones, and those of each category or bin."""

    missing: int
    counts: tuple[int, ...]

    @classmethod
    def total(cls, parts: Sequence["Counted"]) -> "Counted":
        """The counts of all parts together."""
        counts = np.array([part.counts for part in parts], np.int64).sum(axis=0)
        return cls(sum(part.missing for part in parts), tuple(counts.tolist()))

    @property
    def present(self) -> int:
        """Rows with a value."""
        return sum(self.counts)

    @property
    def missing_share(self) -> float:
        """The share of rows without a value."""
        return self.missing / (self.missing + self.present)

    @property
    def shares(self) -> list[float]:
        """Of the rows that have a value: the share of each category, of 0 and 1, or of each bin."""
        return [count / max(self.present, 1) for count in self.counts]

    def profile(self, feature: Feature, edges: Sequence[float], moments: Moments) -> Profile:
        """The column's profile; `moments` of a number are its mean and its deviation."""
        found: Profile = {"kind": feature.kind, "missing": self.missing_share}
        if feature.kind != "number":
            return found | {"shares": self.shares}
        if moments is None:
            return found | {"mean": None, "deviation": None, "edges": [], "shares": [1.0]}
        mean, deviation = moments
        return found | {
            "mean": mean,
            "deviation": deviation,
            "edges": list(edges),
            "shares": self.shares,
        }


def count_values(values: Values, feature: Feature, edges: Sequence[float]) -> Counted:
    """Count a checked column's values, those of a number between the edges."""
    if feature.kind == "number":
        present = values[~np.isnan(values)]
        bins = np.searchsorted(edges, present, side="right")
        counts = np.bincount(bins, minlength=len(edges) + 1)
    else:
        present = values[values != MISSING]
        counts = np.bincount(present.astype(np.intp), minlength=len(feature.categories) or 2)
    return Counted(len(values) - len(present), tuple(counts.tolist()))


def profile(columns: Columns, contract: Contract) -> dict[str, Profile]:
    """Per feature: kind, share of missing values, and the distribution of those that are there.

    `shares`: of each category in the contract's order, of 0 and 1, or of the bins between the
    `edges` of a number, which has `mean` and `deviation` too.
    """
    return {f.name: _profile(columns[f.name], f) for f in contract.features}


def _profile(values: Values, feature: Feature) -> Profile:
    edges: list[float] = []
    moments: Moments = None
    if feature.kind == "number":
        present = values[~np.isnan(values)]
        if len(present):
            edges = np.unique(np.quantile(present, QUANTILES)).tolist()
            moments = float(present.mean()), float(present.std())
    return count_values(values, feature, edges).profile(feature, edges, moments)


def find_previous_edges(
    previous: Mapping[str, Any], contract: Contract
) -> dict[str, Sequence[float]]:
    """The edges of an earlier manifest's columns that can be compared with, by feature."""
    known = previous.get("columns", {})
    return {
        f.name: known[f.name].get("edges", ())
        for f in contract.features
        if known.get(f.name, {}).get("kind") == f.kind
    }


def compare(
    previous: Mapping[str, Any],
    manifest: Mapping[str, Any],
    counted: Mapping[str, Counted],
    contract: Contract,
) -> Profile:
    """What changed since the manifest `previous`: rows, prevalence, and each column's shift.

    `counted`: the new values, those of numbers between the `find_previous_edges`.
    `stability_index` is the population stability index (Siddiqi 2006) of the new values against the
    previous shares. A column that the previous dataset lacks, or had as another kind, is named in
    `new_columns`.
    """
    comparable = find_previous_edges(previous, contract)
    known = previous.get("columns", {})
    return {
        "dataset_id": previous["dataset_id"],
        "same_contract": previous["contract_version"] == manifest["contract_version"],
        "rows": _rows(manifest) - _rows(previous),
        "prevalence": _prevalence(manifest) - _prevalence(previous),
        "columns": {
            name: {
                "stability_index": _stability(known[name], counted[name]),
                "missing": counted[name].missing_share - known[name]["missing"],
            }
            for name in comparable
        },
        "new_columns": [f.name for f in contract.features if f.name not in comparable],
    }


def _stability(previous: Profile, counted: Counted) -> float | None:
    """None where the categories are others, or the shares don't say anything."""
    before, after = previous["shares"], counted.shares
    if len(before) != len(after):
        return None
    pairs = [(max(a, LEAST_SHARE), max(b, LEAST_SHARE)) for a, b in zip(before, after, strict=True)]
    return float(sum((a - b) * math.log(a / b) for a, b in pairs))


def _rows(manifest: Mapping[str, Any]) -> int:
    return sum(int(split["rows"]) for split in manifest["splits"].values())


def _prevalence(manifest: Mapping[str, Any]) -> float:
    positives: int = sum(split["positives"] for split in manifest["splits"].values())
    return positives / _rows(manifest)
