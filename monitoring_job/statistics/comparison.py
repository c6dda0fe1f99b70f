"""All comparisons of one set of rows with another, and what the weekly rhythm explains of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import pyarrow as pa

from domain.contract.contract import Contract
from domain.drift.drift import Aspect, Rhythm
from domain.drift.summary import ColumnDrift, JointDrift, SegmentDrift
from monitoring_job.statistics.domain_classifier import classify_domains
from monitoring_job.statistics.fairness import LabelledRows
from monitoring_job.statistics.profiles import Column, profile_columns, profile_context
from monitoring_job.statistics.segments import compare_segments
from monitoring_job.statistics.statistics import compare_columns

Place = tuple[str, str, Aspect]
"""Segment (empty for all rows), column, aspect."""


class Rows(NamedTuple):
    """The features and the probability of some rows, and the context that makes segments."""

    columns: Mapping[str, Column]
    context: Mapping[str, Column]

    @classmethod
    def of(cls, contract: Contract, table: pa.Table) -> "Rows":
        """Read them from a table."""
        return cls(profile_columns(contract, table), profile_context(contract, table))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Features, predictions and segments of a window beside those of other rows.

    `joint`: all features together; None with too few rows, or where it was not asked for.
    """

    columns: tuple[ColumnDrift, ...]
    prediction: ColumnDrift
    joint: JointDrift | None
    segments: tuple[SegmentDrift, ...]

    @property
    def has_drift(self) -> bool:
        """Whether anything was found."""
        return self.finds_joint or bool(self.drifted)

    @property
    def finds_joint(self) -> bool:
        """Whether the features differ as a whole."""
        return self.joint is not None and self.joint.drifted

    @property
    def drifted(self) -> frozenset[Place]:
        """Where drift was found."""
        return frozenset(place for place, drifted in self._list_tests() if drifted)

    @property
    def compared(self) -> frozenset[Place]:
        """What could be compared."""
        return frozenset(place for place, _ in self._list_tests())

    def _list_tests(self) -> Iterator[tuple[Place, bool]]:
        everywhere = [("", (*self.columns, self.prediction))]
        for name, columns in [*everywhere, *((s.name, s.columns) for s in self.segments)]:
            for column in columns:
                for test in column.tests:
                    yield (name, column.column, test.aspect), test.drifted


def compare(
    *,
    contract: Contract,
    reference: Rows,
    current: Rows,
    threshold: float,
    minimum_rows: int,
    labelled: tuple[LabelledRows, LabelledRows] | None = None,
    jointly: bool = True,
) -> Comparison:
    """Compare everything once.

    `threshold`: a probability from it on is a positive answer. `labelled`: the labels of both
    sides, which add the segments' performance. `jointly`: fit the classifier, too,
    which takes longest.
    """
    columns, prediction = compare_columns(
        contract=contract,
        reference=reference.columns,
        current=current.columns,
        threshold=threshold,
        minimum_rows=minimum_rows,
    )
    segments = compare_segments(
        contract=contract,
        reference=reference.columns,
        current=current.columns,
        context=(reference.context, current.context),
        labelled=labelled,
    )
    joint = classify_domains(reference.columns, current.columns) if jointly else None
    return Comparison(columns=columns, prediction=prediction, joint=joint, segments=segments)


def explain_by_rhythm(found: Comparison, *, weekday: Comparison, week: Comparison) -> Comparison:
    """Say of each difference from the reference whether the weekly rhythm explains it.

    `weekday`: the window against the same weekday of the weeks before. `week`: the seven days
    before the window against the reference. A difference is part of the rhythm, and no drift, when
    neither of them shows it: that weekday is always like this, and the other days make up for it.
    """

    def explain(place: Place) -> Rhythm | None:
        if not {place} <= weekday.compared & week.compared:
            return None
        return _judge(is_new=place in weekday.drifted, is_lasting=place in week.drifted)

    def mark(columns: Sequence[ColumnDrift], segment: str = "") -> tuple[ColumnDrift, ...]:
        return tuple(
            replace(
                column,
                tests=tuple(
                    test.with_rhythm(explain((segment, column.column, test.aspect)))
                    for test in column.tests
                ),
            )
            for column in columns
        )

    *columns, prediction = mark((*found.columns, found.prediction))
    segments = tuple(replace(s, columns=mark(s.columns, s.name)) for s in found.segments)
    joint = found.joint
    if joint is not None and weekday.joint is not None and week.joint is not None:
        together = _judge(is_new=weekday.finds_joint, is_lasting=week.finds_joint)
        joint = joint.with_rhythm(together)
    return Comparison(columns=tuple(columns), prediction=prediction, joint=joint, segments=segments)


def _judge(*, is_new: bool, is_lasting: bool) -> Rhythm:
    if is_new:
        return "new"
    return "lasting" if is_lasting else "explained"
