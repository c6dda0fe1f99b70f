"""What a dataset looks like, column by column, and how it differs from the one before.

Aggregates only: shares, quantiles, moments; no extreme value, since that is one patient's.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from domain.contract.contract import Contract
from domain.contract.feature import Feature
from domain.contract.file_values import MISSING
from training_job.dataset.validation import Columns

Profile = dict[str, Any]
Values = npt.NDArray[Any]

QUANTILES = np.linspace(0, 1, 11)[1:-1]
LEAST_SHARE = 1e-4
"""An empty bin counts as this share, so that the index stays finite."""


def profile(columns: Columns, contract: Contract) -> dict[str, Profile]:
    """Per feature: kind, share of missing values, and the distribution of those that are there.

    `shares`: of each category in the contract's order, of 0 and 1, or of the bins between the
    `edges` of a number, which has `mean` and `deviation` too.
    """
    return {f.name: _profile(columns[f.name], f) for f in contract.features}


def compare(
    previous: Mapping[str, Any], manifest: Mapping[str, Any], columns: Columns, contract: Contract
) -> Profile:
    """What changed since the manifest `previous`: rows, prevalence, and each column's shift.

    `stability_index` is the population stability index (Siddiqi 2006) of the new values against the
    previous shares, a number's between the previous edges. A column that the previous dataset
    lacks, or had as another kind, is named in `new_columns`.
    """
    known = previous.get("columns", {})
    comparable = [f for f in contract.features if known.get(f.name, {}).get("kind") == f.kind]
    return {
        "dataset_id": previous["dataset_id"],
        "same_contract": previous["contract_version"] == manifest["contract_version"],
        "rows": _rows(manifest) - _rows(previous),
        "prevalence": _prevalence(manifest) - _prevalence(previous),
        "columns": {
            f.name: {
                "stability_index": _stability(known[f.name], columns[f.name], f),
                "missing": _missing(columns[f.name], f) - known[f.name]["missing"],
            }
            for f in comparable
        },
        "new_columns": [f.name for f in contract.features if f not in comparable],
    }


def _profile(values: Values, feature: Feature) -> Profile:
    found: Profile = {"kind": feature.kind, "missing": _missing(values, feature)}
    if feature.kind != "number":
        return found | {"shares": _shares(values, feature, ())}
    present = values[~np.isnan(values)]
    if not len(present):
        return found | {"mean": None, "deviation": None, "edges": [], "shares": [1.0]}
    edges = np.unique(np.quantile(present, QUANTILES)).tolist()
    return found | {
        "mean": float(present.mean()),
        "deviation": float(present.std()),
        "edges": edges,
        "shares": _shares(values, feature, edges),
    }


def _missing(values: Values, feature: Feature) -> float:
    missing = np.isnan(values) if feature.kind == "number" else values == MISSING
    return float(missing.mean())


def _shares(values: Values, feature: Feature, edges: Sequence[float]) -> list[float]:
    """Of the rows that have a value: the share of each category, of 0 and 1, or of each bin."""
    if feature.kind == "number":
        bins = np.searchsorted(edges, values[~np.isnan(values)], side="right")
        counts = np.bincount(bins, minlength=len(edges) + 1)
    else:
        groups = len(feature.categories) or 2
        counts = np.bincount(values[values != MISSING].astype(np.intp), minlength=groups)
    return [float(share) for share in counts / max(int(counts.sum()), 1)]


def _stability(previous: Profile, values: Values, feature: Feature) -> float | None:
    """None where the categories are others, or the shares don't say anything."""
    before, after = previous["shares"], _shares(values, feature, previous.get("edges", ()))
    if len(before) != len(after):
        return None
    pairs = [(max(a, LEAST_SHARE), max(b, LEAST_SHARE)) for a, b in zip(before, after, strict=True)]
    return float(sum((a - b) * math.log(a / b) for a, b in pairs))


def _rows(manifest: Mapping[str, Any]) -> int:
    return sum(int(split["rows"]) for split in manifest["splits"].values())


def _prevalence(manifest: Mapping[str, Any]) -> float:
    positives: int = sum(split["positives"] for split in manifest["splits"].values())
    return positives / _rows(manifest)
