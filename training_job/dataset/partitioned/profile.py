"""The profile of columns whose rows are in many places, from figures that add up.

The deciles are exact: values that each place picks from its own, in equal steps of their order,
bound where a decile lies, and the places then count the few values within the bounds. Means and
deviations differ from those of one machine by rounding.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from domain.contract.contract import Contract
from domain.contract.feature import Feature
from training_job.dataset.profile import (
    QUANTILES,
    Counted,
    Moments,
    Profile,
    compare,
    count_values,
    find_previous_edges,
)
from training_job.dataset.validation import Columns

PICKED = 10_000
"""How many values of a place are picked at most."""

Values = npt.NDArray[Any]
Positions = npt.NDArray[np.int64]
Bounds = tuple[float | None, float]
"""A decile is above the first, if there is one, and at most the second."""
Measure = Callable[[Callable[[Columns], Any]], Sequence[Any]]
"""Applies a function to the columns of each place, and returns the answers."""


@dataclass(frozen=True, slots=True)
class Picked:
    """Values of a column in one place, ascending, and where they are among its ordered `rows`."""

    rows: int
    at: Positions
    values: Values

    @classmethod
    def of(cls, values: Values, most: int = PICKED) -> Self:
        """About so many in equal steps, the smallest and the largest among them."""
        ordered = _order(values)
        rows = len(ordered)
        at = np.unique(np.linspace(0, rows - 1, min(rows, most)).astype(np.int64))
        return cls(rows, at, ordered[at])


@dataclass(frozen=True, slots=True)
class Within:
    """Different values of a place within bounds, ascending, and their numbers of rows.

    `below`: rows whose values are not above the lower bound.
    """

    below: int
    values: Values
    rows: Positions

    @classmethod
    def of(cls, ordered: Values, bounds: Bounds) -> Self:
        """Count in ascending values."""
        low, high = bounds
        start = 0 if low is None else int(np.searchsorted(ordered, low, side="right"))
        stop = np.searchsorted(ordered, high, side="right")
        return cls(start, *np.unique(ordered[start:stop], return_counts=True))


@dataclass(frozen=True, slots=True)
class Described:
    """A column in one place; `mean` and `variance` are those of a number's values."""

    counted: Counted
    mean: float = 0.0
    variance: float = 0.0

    @classmethod
    def of(cls, values: Values, feature: Feature, edges: Sequence[float]) -> Self:
        """Count the values, those of a number between the edges."""
        counted = count_values(values, feature, edges)
        if feature.kind != "number" or not counted.present:
            return cls(counted)
        present = values[~np.isnan(values)]
        return cls(counted, float(present.mean()), float(present.var()))


@dataclass(frozen=True, slots=True)
class PartedProfiles:
    """See `training_job.dataset.manifest.Profiles`."""

    contract: Contract
    measure: Measure

    def profile(self) -> dict[str, Profile]:
        """Profile the rows of all places together."""
        edges = self._find_edges([f.name for f in self.contract.features if f.kind == "number"])
        found = self._describe(edges)
        return {
            f.name: Counted.total([one.counted for one in found[f.name]]).profile(
                f, edges.get(f.name, []), add_moments(found[f.name])
            )
            for f in self.contract.features
        }

    def compare(self, previous: Mapping[str, Any], manifest: Mapping[str, Any]) -> Profile:
        """Compare with the dataset of an earlier manifest."""
        found = self._describe(find_previous_edges(previous, self.contract))
        counted = {n: Counted.total([one.counted for one in parts]) for n, parts in found.items()}
        return compare(previous, manifest, counted, self.contract)

    def _describe(self, edges: Mapping[str, Sequence[float]]) -> dict[str, list[Described]]:
        features = self.contract.features
        places = self.measure(partial(_describe_columns, features=features, edges=dict(edges)))
        return {f.name: [place[f.name] for place in places] for f in features}

    def _find_edges(self, names: Sequence[str]) -> dict[str, list[float]]:
        picked = _by_name(self.measure(partial(_pick_values, names=names)))
        rows = {name: sum(part.rows for part in parts) for name, parts in picked.items()}
        bounds = {
            name: find_bounds(parts, find_ranks(rows[name])) for name, parts in picked.items()
        }
        within = _by_name(self.measure(partial(_count_within, bounds=bounds)))
        return {
            name: interpolate(
                {
                    rank: choose([one[place] for one in within[name]], rank)
                    for place, rank in enumerate(find_ranks(rows[name]))
                },
                rows[name],
            )
            for name in names
        }


def _describe_columns(
    columns: Columns, *, features: Sequence[Feature], edges: Mapping[str, Sequence[float]]
) -> dict[str, Described]:
    return {f.name: Described.of(columns[f.name], f, edges.get(f.name, ())) for f in features}


def _pick_values(columns: Columns, *, names: Sequence[str]) -> dict[str, Picked]:
    return {name: Picked.of(columns[name]) for name in names}


def _count_within(
    columns: Columns, *, bounds: Mapping[str, Sequence[Bounds]]
) -> dict[str, list[Within]]:
    found = {}
    for name, all_bounds in bounds.items():
        ordered = _order(columns[name])
        found[name] = [Within.of(ordered, one) for one in all_bounds]
    return found


def _order(values: Values) -> Values:
    present = values[~np.isnan(values)].astype(np.float64, copy=False)
    return np.sort(present + 0.0)  # -0.0 becomes 0.0


def _by_name(places: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [place[name] for place in places] for name in places[0]}


def find_ranks(rows: int) -> list[int]:
    """Which of so many ordered values the deciles lie between; none without a value."""
    if not rows:
        return []
    at = QUANTILES * (rows - 1)
    return sorted({*np.floor(at).astype(int).tolist(), *np.ceil(at).astype(int).tolist()})


def find_bounds(places: Sequence[Picked], ranks: Sequence[int]) -> list[Bounds]:
    """Where the values of these ranks among all places lie."""
    if not ranks:
        return []
    values = np.concatenate([one.values for one in places])
    order = np.argsort(values, kind="stable")
    least = np.cumsum(np.concatenate([np.diff(one.at + 1, prepend=0) for one in places])[order])
    most = np.cumsum(np.concatenate([np.diff(one.at, append=one.rows) for one in places])[order])
    values = values[order]
    last = np.append(values[1:] != values[:-1], True)  # of equal values
    values, least, most = values[last], least[last], most[last]
    high = np.searchsorted(least, np.array(ranks) + 1).tolist()
    low = (np.searchsorted(most, ranks, side="right") - 1).tolist()
    return [
        (None if below < 0 else float(values[below]), float(values[above]))
        for below, above in zip(low, high, strict=True)
    ]


def choose(places: Sequence[Within], rank: int) -> float:
    """The value of that rank among all places, which is within the bounds."""
    values = np.concatenate([one.values for one in places])
    order = np.argsort(values, kind="stable")
    ends = np.cumsum(np.concatenate([one.rows for one in places])[order])
    wanted = rank - sum(one.below for one in places)
    return float(values[order][np.searchsorted(ends, wanted, side="right")])


def interpolate(values: Mapping[int, float], rows: int) -> list[float]:
    """The deciles as `numpy.quantile` has them, each once."""
    if not rows:
        return []
    found = []
    for at in (QUANTILES * (rows - 1)).tolist():
        low = int(np.floor(at))
        pair = [values[low], values[int(np.ceil(at))]]
        found.append(float(np.quantile(pair, at - low)) if pair[0] != pair[1] else pair[0])
    return np.unique(found).tolist()  # type: ignore[no-any-return]  # a list of floats


def add_moments(places: Sequence[Described]) -> Moments:
    """Mean and deviation of all places together (Chan, Golub and LeVeque 1979)."""
    rows = np.array([one.counted.present for one in places], np.float64)
    if not rows.sum():
        return None
    means = np.array([one.mean for one in places])
    mean = float(np.average(means, weights=rows))
    variances = np.array([one.variance for one in places]) + (means - mean) ** 2
    return mean, float(np.sqrt(np.average(variances, weights=rows)))
