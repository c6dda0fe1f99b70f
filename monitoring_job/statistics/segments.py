"""Compare each of the contract's segments with the same segment of the reference.

All tests of all segments, of columns and of labels, form one family.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domain.contract.contract import Contract
from domain.contract.feature import SegmentGroups
from domain.drift.disclosure import choose_suppressed, choose_suppressed_by_all
from domain.drift.drift import MINIMUM_VALUES
from domain.drift.summary import SegmentDrift
from monitoring_job.statistics import fairness
from monitoring_job.statistics.fairness import LabelledRows
from monitoring_job.statistics.profiles import UNUSUAL, Column, Group
from monitoring_job.statistics.statistics import (
    compare_column,
    compute_q_values,
    list_p_values,
    mark_by,
)
from tabular.segments import assign_groups, list_values

Mask = npt.NDArray[np.bool_]


def compare_segments(
    *,
    contract: Contract,
    reference: Mapping[str, Column],
    current: Mapping[str, Column],
    context: tuple[Mapping[str, Column], Mapping[str, Column]] = ({}, {}),
    labelled: tuple[LabelledRows, LabelledRows] | None = None,
) -> tuple[SegmentDrift, ...]:
    """Compare every segment, in the contract's order.

    `context`: the context columns that define segments, of reference and window. `labelled`: their
    labels and answers; without them, no performance is measured. A segment with fewer than
    MINIMUM_VALUES rows on either side is counted but not compared. The column that defines a
    segment is not compared inside it.
    """
    old, new = {**reference, **context[0]}, {**current, **context[1]}
    segments = []
    for groups in contract.segment_groups:
        column = groups.feature.column
        parts = list(_split(groups, old[column], new[column]))
        found = [_compare_segment(part, column, reference, current) for part in parts]
        if labelled:
            found = _add_performance(found, parts, *labelled)
        segments += found
    p_values = [p for s in segments for p in (*list_p_values(s.columns), *_p_values_of(s))]
    q_values = iter(compute_q_values(p_values))
    return tuple(_mark(segment, q_values) for segment in segments)


def _p_values_of(segment: SegmentDrift) -> list[float]:
    return fairness.list_p_values(segment.performance)


def _mark(segment: SegmentDrift, q_values: Iterator[float]) -> SegmentDrift:
    """Decide a segment's tests, and suppress in its columns the row counts that it suppresses."""
    columns = mark_by(segment.columns, q_values, MINIMUM_VALUES)
    old, new = segment.reference_rows is None, segment.rows is None
    performance = segment.performance and fairness.mark_changed(segment.performance, q_values)
    return replace(
        segment,
        columns=tuple(c.without_rows(reference=old, current=new) for c in columns),
        performance=performance,
    )


def _add_performance(
    segments: Sequence[SegmentDrift],
    parts: Sequence["_Group"],
    reference: LabelledRows,
    current: LabelledRows,
) -> list[SegmentDrift]:
    """Add to all segments of one column what their labels say.

    The counts are suppressed together, because the whole window's are shown elsewhere.
    """
    known, positive = current.is_known, current.labels == 1
    nowhere = ~np.logical_or.reduce([part.current for part in parts])
    masks = {part.name: part.current for part in parts} | {None: nowhere}
    wholes = [
        {name: int(np.count_nonzero(mask & rows)) for name, mask in masks.items()}
        for rows in (known, ~known, positive, known & ~positive)
    ]
    suppressed = choose_suppressed_by_all(wholes, last={None})
    found = []
    for segment, part in zip(segments, parts, strict=True):
        performance = fairness.compare_group(
            reference.select(part.reference), current.select(part.current)
        )
        if performance and (part.name in suppressed or segment.rows is None):
            performance = replace(performance, labelled=None, positives=None)
        found.append(replace(segment, performance=performance))
    return found


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
