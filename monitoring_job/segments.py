"""The contract's segments, each compared with the same segment of the reference."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from domain.contract import Contract
from domain.drift import MINIMUM_VALUES
from domain.feature import Feature, Segment
from domain.summary import SegmentDrift
from monitoring_job.profiles import Column
from monitoring_job.statistics import compared, judged

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
    columns = judged([c for s in segments for c in s.columns], MINIMUM_VALUES)
    each = iter(columns)
    return tuple(replace(s, columns=tuple(next(each) for _ in s.columns)) for s in segments)


@dataclass(frozen=True, slots=True)
class _Group:
    """Which rows of both sides belong to a segment."""

    name: str
    reference: Mask
    current: Mask


def _segment(
    group: "_Group", own: str, reference: Mapping[str, Column], current: Mapping[str, Column]
) -> SegmentDrift:
    """`own`: the column that makes the segment. q-values are still open."""
    rows, reference_rows = int(group.current.sum()), int(group.reference.sum())
    found = SegmentDrift(name=group.name, rows=rows, reference_rows=reference_rows)
    if min(rows, reference_rows) < MINIMUM_VALUES:
        return found
    return replace(
        found,
        columns=tuple(
            compared(reference[name].only(group.reference), current[name].only(group.current))
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
    old, new = (
        _codes(segment, feature, side[feature.column].values) for side in (reference, current)
    )
    for code, label in enumerate(segment.labels(feature)):
        yield _Group(label, old == code, new == code)


def _codes(segment: Segment, feature: Feature, values: "pd.Series[Any]") -> npt.NDArray[np.int64]:
    """Each row's group, -1 for none."""
    if not segment.bounds:
        listed = feature.categories if feature.kind == "category" else ("0", "1")
        return np.asarray(pd.Index(listed).get_indexer(pd.Index(values.to_numpy(dtype=object))))
    numbers = values.to_numpy(dtype=np.float64)
    codes = np.searchsorted(np.asarray(segment.bounds), numbers, side="right")
    return np.where(np.isnan(numbers), -1, codes)
