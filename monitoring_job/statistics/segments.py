"""The contract's segments, each compared with the same segment of the reference."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from domain.contract.contract import Contract
from domain.contract.feature import Feature, Segment
from domain.drift.disclosure import choose_suppressed
from domain.drift.drift import MINIMUM_VALUES
from domain.drift.summary import ColumnDrift, SegmentDrift
from monitoring_job.statistics.profiles import UNUSUAL, Column, Group
from monitoring_job.statistics.statistics import compare_column, mark_drifted

Mask = npt.NDArray[np.bool_]


def compare_segments(
    *, contract: Contract, reference: Mapping[str, Column], current: Mapping[str, Column]
) -> tuple[SegmentDrift, ...]:
    """Every segment, in the contract's order; one family of tests over all of them.

    A segment with fewer than MINIMUM_VALUES rows on either side is counted and not compared. The
    column that makes the segment isn't compared inside it.
    """
    segments = [
        _segment(group, contract.feature(segment.feature).column, reference, current)
        for segment in contract.segments
        for group in _groups(contract, segment, reference, current)
    ]
    each = iter(mark_drifted([c for s in segments for c in s.columns], MINIMUM_VALUES))
    return tuple(_published(s, [next(each) for _ in s.columns]) for s in segments)


def _published(segment: SegmentDrift, columns: list[ColumnDrift]) -> SegmentDrift:
    """What isn't told of the segment isn't told by its columns."""
    old, new = segment.reference_rows is None, segment.rows is None
    return replace(
        segment, columns=tuple(c.without_rows(reference=old, current=new) for c in columns)
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """Which rows of both sides belong to a segment, and whether their number may be told."""

    name: str
    reference: Mask
    current: Mask
    is_told: tuple[bool, bool]


def _segment(
    group: "_Group", own: str, reference: Mapping[str, Column], current: Mapping[str, Column]
) -> SegmentDrift:
    """`own`: the column that makes the segment. q-values are still open."""
    rows, reference_rows = int(group.current.sum()), int(group.reference.sum())
    old, new = group.is_told
    found = SegmentDrift(
        name=group.name,
        rows=rows if new else None,
        reference_rows=reference_rows if old else None,
    )
    if min(rows, reference_rows) < MINIMUM_VALUES:
        return found
    return replace(
        found,
        columns=tuple(
            compare_column(reference[name].only(group.reference), current[name].only(group.current))
            for name in reference
            if name != own
        ),
    )


def _groups(
    contract: Contract,
    segment: Segment,
    reference: Mapping[str, Column],
    current: Mapping[str, Column],
) -> Iterator["_Group"]:
    """A row without a valid value is in none of them."""
    feature = contract.feature(segment.feature)
    before, after = reference[feature.column], current[feature.column]
    old, new = (_codes(segment, feature, side.values) for side in (before, after))
    labels = segment.labels(feature)
    names = labels if segment.bounds else _listed(feature)
    secret_before, secret_after = _secret(before, names, old), _secret(after, names, new)
    for code, (label, name) in enumerate(zip(labels, names, strict=True)):
        is_told = name not in secret_before, name not in secret_after
        yield _Group(label, old == code, new == code, is_told)


def _secret(column: Column, names: Sequence[str], codes: npt.NDArray[np.int64]) -> Set[Group]:
    """The groups whose size must not be told; those of categories are the column's own."""
    if column.feature.kind != "number":
        return column.suppressed
    rows = {name: int(np.count_nonzero(codes == code)) for code, name in enumerate(names)}
    unusual = {name: column.groups[name] for name in UNUSUAL}
    return choose_suppressed({**rows, **unusual}, last=UNUSUAL)


def _listed(feature: Feature) -> Sequence[str]:
    return feature.categories if feature.kind == "category" else ("0", "1")


def _codes(segment: Segment, feature: Feature, values: "pd.Series[Any]") -> npt.NDArray[np.int64]:
    """Each row's group, -1 for none."""
    if not segment.bounds:
        listed = pd.Index(_listed(feature))
        return np.asarray(listed.get_indexer(pd.Index(values.to_numpy(dtype=object))))
    numbers = values.to_numpy(dtype=np.float64)
    codes = np.searchsorted(np.asarray(segment.bounds), numbers, side="right")
    return np.where(np.isnan(numbers), -1, codes)
