"""Compare each of the contract's segments with the same segment of the reference."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domain.contract.contract import Contract
from domain.contract.feature import SegmentGroups
from domain.drift.disclosure import choose_suppressed
from domain.drift.drift import MINIMUM_VALUES
from domain.drift.summary import ColumnDrift, SegmentDrift
from monitoring_job.statistics.profiles import UNUSUAL, Column, Group
from monitoring_job.statistics.statistics import compare_column, mark_drifted
from tabular.segments import assign_groups, list_values

Mask = npt.NDArray[np.bool_]


def compare_segments(
    *,
    contract: Contract,
    reference: Mapping[str, Column],
    current: Mapping[str, Column],
    context: tuple[Mapping[str, Column], Mapping[str, Column]] = ({}, {}),
) -> tuple[SegmentDrift, ...]:
    """Compare every segment, in the contract's order; all their tests form one family.

    `context`: the context columns that define segments, of reference and window. A segment with
    fewer than MINIMUM_VALUES rows on either side is counted but not compared. The column that
    defines a segment is not compared inside it.
    """
    old, new = {**reference, **context[0]}, {**current, **context[1]}
    segments = [
        _compare_segment(group, groups.feature.column, reference, current)
        for groups in contract.segment_groups
        for group in _split(groups, old[groups.feature.column], new[groups.feature.column])
    ]
    marked = iter(mark_drifted([c for s in segments for c in s.columns], MINIMUM_VALUES))
    return tuple(_suppress_rows(s, [next(marked) for _ in s.columns]) for s in segments)


def _suppress_rows(segment: SegmentDrift, columns: list[ColumnDrift]) -> SegmentDrift:
    """Suppress in the columns the row counts that are suppressed for the segment."""
    old, new = segment.reference_rows is None, segment.rows is None
    return replace(
        segment, columns=tuple(c.without_rows(reference=old, current=new) for c in columns)
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """The rows of a segment on both sides.

    `may_show_rows`: whether their number may be shown, in the reference and in the window.
    """

    name: str
    reference: Mask
    current: Mask
    may_show_rows: tuple[bool, bool]


def _compare_segment(
    group: _Group, own: str, reference: Mapping[str, Column], current: Mapping[str, Column]
) -> SegmentDrift:
    """Compare one segment, q-values still open. `own`: the column that defines the segment."""
    rows, reference_rows = int(group.current.sum()), int(group.reference.sum())
    may_show_old, may_show_new = group.may_show_rows
    drift = SegmentDrift(
        name=group.name,
        rows=rows if may_show_new else None,
        reference_rows=reference_rows if may_show_old else None,
    )
    if min(rows, reference_rows) < MINIMUM_VALUES:
        return drift
    return replace(
        drift,
        columns=tuple(
            compare_column(
                reference[name].select(group.reference), current[name].select(group.current)
            )
            for name in reference
            if name != own
        ),
    )


def _split(groups: SegmentGroups, reference: Column, current: Column) -> Iterator[_Group]:
    """Split both sides into the segment's groups; a row without a valid value is in none.

    `reference`, `current`: the column of the feature that defines the segment.
    """
    segment, feature, labels = groups
    old, new = (
        assign_groups(pa.Array.from_pandas(side.values), segment, feature)
        for side in (reference, current)
    )
    names = labels if segment.bounds else list_values(feature)
    suppressed_old, suppressed_new = (
        _find_suppressed(side, names, codes) for side, codes in ((reference, old), (current, new))
    )
    for code, (label, name) in enumerate(zip(labels, names, strict=True)):
        may_show_rows = name not in suppressed_old, name not in suppressed_new
        yield _Group(label, old == code, new == code, may_show_rows)


def _find_suppressed(
    column: Column, names: Sequence[str], codes: npt.NDArray[np.int64]
) -> Set[Group]:
    """Find the groups whose size must not be shown; categories have the column's own groups."""
    if column.feature.kind != "number":
        return column.suppressed
    rows = {name: int(np.count_nonzero(codes == code)) for code, name in enumerate(names)}
    unusual = {name: column.groups[name] for name in UNUSUAL}
    return choose_suppressed({**rows, **unusual}, last=UNUSUAL)
