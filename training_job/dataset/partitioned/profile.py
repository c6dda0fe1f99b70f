"""The profile of columns whose rows are in many places, from counts that add up.

The deciles are exact: the bits of a float64, in an order-preserving form, are counted
`DIGIT_BITS` at a time, and only values that begin as a wanted one does are counted further. Means
and deviations differ from those of one machine by rounding.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from domain.contract.contract import Contract
from domain.contract.feature import Feature
from training_job.dataset.profile import (
    QUANTILES,
    Counted,
    Profile,
    compare,
    count_values,
    find_previous_edges,
)
from training_job.dataset.validation import Columns

DIGIT_BITS = 12
KEY_BITS = 64

Values = npt.NDArray[Any]
Measure = Callable[[Callable[[Columns], Any]], Sequence[Any]]
"""Applies a function to the columns of each place, and returns the answers."""


@dataclass(frozen=True, slots=True)
class PartedProfiles:
    """See `training_job.dataset.manifest.Profiles`."""

    contract: Contract
    measure: Measure

    def profile(self) -> dict[str, Profile]:
        """Of all places together."""
        numbers = [f for f in self.contract.features if f.kind == "number"]
        edges = self._find_edges(numbers)
        counted = self._count(edges)
        moments = self._find_moments(numbers, counted)
        return {
            f.name: counted[f.name].profile(f, edges.get(f.name, []), moments.get(f.name))
            for f in self.contract.features
        }

    def compare(self, previous: Mapping[str, Any], manifest: Mapping[str, Any]) -> Profile:
        """With the dataset of an earlier manifest."""
        edges = find_previous_edges(previous, self.contract)
        counted = self._count(edges)
        return compare(previous, manifest, counted, self.contract)

    def _count(self, edges: Mapping[str, Sequence[float]]) -> dict[str, Counted]:
        found = self.measure(CountColumns(self.contract.features, dict(edges)))
        return {
            f.name: Counted.total([part[f.name] for part in found]) for f in self.contract.features
        }

    def _find_edges(self, numbers: Sequence[Feature]) -> dict[str, list[float]]:
        names = [f.name for f in numbers]
        present = np.array(self.measure(CountPresent(names)), np.int64).sum(axis=0).tolist()
        ranks = {n: find_ranks(int(rows)) for n, rows in zip(names, present, strict=True) if rows}
        searched = {name: Selection(wanted) for name, wanted in ranks.items()}
        for _ in range(0, KEY_BITS, DIGIT_BITS):
            wanted = {name: (one.bits, one.prefixes) for name, one in searched.items()}
            for name, counts in _add(self.measure(CountDigits(wanted))).items():
                searched[name].narrow(counts)
        return {
            name: interpolate(searched[name].values() if name in searched else {}, int(rows))
            for name, rows in zip(names, present, strict=True)
        }

    def _find_moments(
        self, numbers: Sequence[Feature], counted: Mapping[str, Counted]
    ) -> dict[str, tuple[float, float]]:
        rows = {f.name: counted[f.name].present for f in numbers if counted[f.name].present}
        sums = _add(self.measure(SumPowers(dict.fromkeys(rows, 0.0), 1)))
        means = {name: sums[name] / rows[name] for name in rows}
        squares = _add(self.measure(SumPowers(means, 2)))
        return {name: (means[name], float(np.sqrt(squares[name] / rows[name]))) for name in rows}


@dataclass(frozen=True, slots=True)
class CountColumns:
    """Counts the values of each feature, those of numbers between edges."""

    features: tuple[Feature, ...]
    edges: Mapping[str, Sequence[float]]

    def __call__(self, columns: Columns) -> dict[str, Counted]:
        """Feature → counts."""
        return {
            f.name: count_values(columns[f.name], f, self.edges.get(f.name, ()))
            for f in self.features
        }


@dataclass(frozen=True, slots=True)
class CountPresent:
    """Counts the values of numbers that are there."""

    names: Sequence[str]

    def __call__(self, columns: Columns) -> list[int]:
        """One count per name."""
        return [int(np.count_nonzero(~np.isnan(columns[name]))) for name in self.names]


@dataclass(frozen=True, slots=True)
class SumPowers:
    """Sums powers of the distances of numbers from centres."""

    centres: Mapping[str, float]
    power: int

    def __call__(self, columns: Columns) -> dict[str, float]:
        """Name → sum; missing values add nothing."""
        return {
            name: float(np.nansum((_floats(columns[name]) - centre) ** self.power))
            for name, centre in self.centres.items()
        }


@dataclass(frozen=True, slots=True)
class CountDigits:
    """Counts how keys go on that begin with wanted bits: name → ``(bits known, prefixes)``."""

    wanted: Mapping[str, tuple[int, Sequence[int]]]

    def __call__(self, columns: Columns) -> "dict[str, dict[int, int]]":
        """Name → prefix with some more bits → rows."""
        return {
            name: self._count(columns[name], bits, prefixes)
            for name, (bits, prefixes) in self.wanted.items()
        }

    def _count(self, values: Values, bits: int, prefixes: Sequence[int]) -> dict[int, int]:
        keys = make_keys(values[~np.isnan(values)])
        step = min(DIGIT_BITS, KEY_BITS - bits)
        known, place = np.zeros(1, np.uint64), np.zeros(len(keys), np.intp)
        if bits:
            known = np.array(prefixes, np.uint64)
            begin = keys >> np.uint64(KEY_BITS - bits)
            place = np.minimum(np.searchsorted(known, begin), len(known) - 1)
            wanted = known[place] == begin
            keys, place = keys[wanted], place[wanted]
        digits = keys >> np.uint64(KEY_BITS - bits - step) & np.uint64((1 << step) - 1)
        counts = np.bincount((place << step) + digits.astype(np.intp))
        found = np.flatnonzero(counts)
        longer = (known[found >> step] << np.uint64(step)) + (found & ((1 << step) - 1)).astype(
            np.uint64
        )
        return dict(zip(longer.tolist(), counts[found].tolist(), strict=True))


@dataclass(slots=True)
class Selection:
    """A search for the keys of some ranks. `below`: rows that are surely smaller, by rank."""

    ranks: Sequence[int]
    bits: int = 0
    found: dict[int, int] = field(default_factory=dict)
    below: dict[int, int] = field(default_factory=dict)

    @property
    def prefixes(self) -> list[int]:
        """What the wanted keys begin with."""
        return sorted(set(self.found.values()))

    def narrow(self, counts: Mapping[int, int]) -> None:
        """Take what `CountDigits` found in all places."""
        step = min(DIGIT_BITS, KEY_BITS - self.bits)
        ordered = sorted(counts)
        for rank in self.ranks:
            before = self.below.get(rank, 0)
            for prefix in ordered:
                if self.bits and prefix >> step != self.found[rank]:
                    continue
                if rank < before + counts[prefix]:
                    self.found[rank], self.below[rank] = prefix, before
                    break
                before += counts[prefix]
        self.bits += step

    def values(self) -> dict[int, float]:
        """Rank → value, once all bits are known."""
        keys = np.array([self.found[rank] for rank in self.ranks], np.uint64)
        return dict(zip(self.ranks, read_keys(keys).tolist(), strict=True))


def make_keys(values: Values) -> npt.NDArray[np.uint64]:
    """Whole numbers in the order of the floats."""
    bits = (values.astype(np.float64) + 0.0).view(np.uint64)  # -0.0 becomes 0.0
    sign = np.uint64(1 << (KEY_BITS - 1))
    return np.where(bits & sign, ~bits, bits | sign)


def read_keys(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """The inverse of `make_keys`."""
    sign = np.uint64(1 << (KEY_BITS - 1))
    return np.where(keys & sign, keys & ~sign, ~keys).view(np.float64)


def _floats(values: Values) -> npt.NDArray[np.float64]:
    return np.asarray(values, np.float64)


def find_ranks(rows: int) -> list[int]:
    """Which of so many ordered values the deciles lie between."""
    at = QUANTILES * (rows - 1)
    return sorted({*np.floor(at).astype(int).tolist(), *np.ceil(at).astype(int).tolist()})


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


def _add(parts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Sums by name, and by a second key where the values are mappings."""
    total: Any = {}
    for part in parts:
        for name, value in part.items():
            if isinstance(value, Mapping):
                inner = total.setdefault(name, defaultdict(int))
                for key, count in value.items():
                    inner[key] += count
            else:
                total[name] = total.get(name, 0.0) + value
    found: Mapping[str, Any] = total
    return found
