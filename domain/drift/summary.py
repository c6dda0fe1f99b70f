"""The result of a drift run: `summary.json`. Reports and mails only illustrate it.

It holds counts, shares, means and distances, and never the value of a single row.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, Self

from domain import times, typed_json
from domain.contract.feature import Kind
from domain.drift.drawn_performance import DrawnPerformance
from domain.drift.drift import (
    DISTANCES,
    EFFECT_THRESHOLD,
    Aspect,
    Method,
    Outcome,
    Rhythm,
    strength,
)
from domain.drift.fairness import GroupMeasure, SegmentPerformance
from domain.drift.performance import Expectation, Performance
from domain.errors import BadRecord
from domain.keys import RunId

FORMAT = "mlops.circle/drift-summary/1"

Basis = Literal["labels", "draw", "estimate"]
MailStatus = Literal["not_needed", "not_asked", "sent", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """How many rows the window held, and how many were used.

    - `logged`: every valid row of the version, copies included.
    - `sampled`: the distinct predictions that the statistics saw.
    - `copies`: further copies of these in the sample.
    - `sample_share`: the share of predictions in the sample; 1.0 for the whole window.
    - `design_effect`: how many of the sampled rows count as one, because people were scored
      repeatedly. The statistics saw only that part of the sample.
    - `malformed`: unusable rows in the partitions that were read, by reason.
    - `unreadable_objects`: objects that could not be read at all.
    """

    logged: int = 0
    sampled: int = 0
    copies: int = 0
    sample_share: float = 1.0
    design_effect: float = 1.0
    malformed: Mapping[str, int] = field(default_factory=dict)
    unreadable_objects: int = 0

    @property
    def independent(self) -> int:
        """How many of the sampled rows are independent."""
        return round(self.sampled / self.design_effect)

    @property
    def distinct(self) -> int:
        """Distinct predictions in the window; an estimate when only a part was sampled."""
        seen = self.sampled + self.copies
        return round(self.logged * self.sampled / seen) if seen else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One column of one data set in figures. All shares are shares of its rows.

    What would describe fewer than eleven rows is None. In `shares`, groups that are too small are
    merged with the next smallest and named ``a or b``. `mean` and `deviation` are None for
    categories and flags, and when there are too few valid values.
    """

    rows: int | None
    missing: float | None
    invalid: float | None
    mean: float | None = None
    deviation: float | None = None
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Valid numbers of both sides in the same bins, as shares of the side's valid values.

    The first bin is open below ``edges[0]``, the last one from ``edges[-1]`` on, so there is one
    bin more than edges. A share that would describe fewer than eleven rows is None.
    """

    edges: tuple[float, ...]
    reference: tuple[float | None, ...]
    current: tuple[float | None, ...]

    def __post_init__(self) -> None:
        """Refuse sides of other lengths; raises BadRecord."""
        if {len(self.reference), len(self.current)} != {len(self.edges) + 1}:
            raise BadRecord("A histogram has one bin more than edges on each side.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One comparison of window and reference.

    `rows` of the window were compared; None if that number would reveal a small number of rows
    without a valid value. `limit`: the effect from which on it counts as drift. `bound`: of a
    distance, its lower bound at 95 %, which decides; None in older runs. `rhythm`: what the weeks
    before say of a difference; None without one, and where there was nothing to compare with.

    Comparisons of one share say which: the share of `group` was `before` in the reference and is
    `after` in the window. They are None for distributions, and for what would describe fewer than
    eleven rows.
    """

    __test__ = False  # pytest takes every class of this name for a test

    aspect: Aspect
    method: Method
    rows: int | None
    effect: float
    p_value: float
    q_value: float
    drifted: bool
    limit: float = EFFECT_THRESHOLD
    bound: float | None = None
    group: str | None = None
    before: float | None = None
    after: float | None = None
    rhythm: Rhythm | None = None

    @property
    def strength(self) -> float:
        """The effect in multiples of its limit."""
        return strength(self.method, self.effect, self.limit)

    def with_rhythm(self, rhythm: Rhythm | None) -> Self:
        """Add what the weeks before say of a difference; one that they explain is no drift."""
        if not self.drifted:
            return self
        return replace(self, rhythm=rhythm, drifted=rhythm != "explained")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDrift:
    """The comparison of one column.

    `title` and `unit` are the contract's. `problem` is a sentence that says why tests are missing.
    `histogram`: of numbers over all rows; runs of earlier releases and segments have none.
    """

    name: str
    column: str
    kind: Kind
    reference: Profile
    current: Profile
    tests: tuple[Test, ...] = ()
    problem: str | None = None
    title: str = ""
    unit: str = ""
    histogram: Histogram | None = None

    @property
    def drifted(self) -> bool:
        """Whether any of its tests found drift."""
        return any(test.drifted for test in self.tests)

    def without_rows(self, *, reference: bool, current: bool) -> Self:
        """Suppress the row counts of the reference, of the window, or of both."""
        old, new = self.reference, self.current
        return replace(
            self,
            reference=replace(old, rows=None) if reference else old,
            current=replace(new, rows=None) if current else new,
            tests=tuple(replace(test, rows=None) if current else test for test in self.tests),
        )

    @property
    def distance(self) -> float | None:
        """How far the values are from the reference; None if they could not be compared."""
        found = (test for test in self.tests if test.method in DISTANCES)
        return max((test.effect for test in found), default=None)

    @property
    def strongest(self) -> Test | None:
        """The test to show: one that found drift before others, then the strongest effect."""
        return max(self.tests, key=lambda test: (test.drifted, test.strength), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class JointDrift:
    """How well a classifier tells the window from the reference by all features together.

    `rows` of the window were classified that it had not learned from. `auc`: area under its ROC
    curve; 0.5 is no better than chance. `columns`: what it rests on, the most important first;
    empty without drift. `rhythm`: as of a test.
    """

    rows: int
    auc: float
    limit: float
    p_value: float
    drifted: bool
    columns: tuple[str, ...] = ()
    rhythm: Rhythm | None = None

    def with_rhythm(self, rhythm: Rhythm | None) -> Self:
        """Add what the weeks before say of a difference; one that they explain is no drift."""
        if not self.drifted:
            return self
        return replace(self, rhythm=rhythm, drifted=rhythm != "explained")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDrift:
    """The comparison of one segment, e.g. ``gender=Male``: every column, the probability last.

    A segment with too few rows on either side has no `columns`, and one with fewer than eleven
    labels, or without labels in the reference, no `performance`. A row count that would describe
    fewer than eleven people is None.
    """

    name: str
    rows: int | None
    reference_rows: int | None
    columns: tuple[ColumnDrift, ...] = ()
    performance: SegmentPerformance | None = None

    @property
    def drifted(self) -> tuple[ColumnDrift, ...]:
        """The columns that drifted within the segment."""
        return tuple(column for column in self.columns if column.drifted)

    @property
    def changed_figures(self) -> tuple[GroupMeasure, ...]:
        """What labels show to have changed within the segment."""
        return self.performance.changed if self.performance else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One run. Times are UTC milliseconds; the window excludes `end`.

    `findings` are all outcomes that hold, and `outcome` is the most serious of them. `sentences`
    say what has changed, each finding in one. `prediction` compares the predictions, `joint` all
    features together, `target` the labels. `reports` names the published reports. `problems` are
    sentences about what could not be done.
    """

    run_id: str
    version: str | None
    start: int
    end: int
    computed_at: int
    scheduled: bool
    outcome: Outcome
    findings: tuple[Outcome, ...] = ()
    sentences: tuple[str, ...] = ()
    rows: RowCounts = field(default_factory=RowCounts)
    reference_rows: int = 0
    columns: tuple[ColumnDrift, ...] = ()
    prediction: ColumnDrift | None = None
    joint: JointDrift | None = None
    segments: tuple[SegmentDrift, ...] = ()
    target: ColumnDrift | None = None
    performance: Performance | None = None
    expectation: Expectation | None = None
    drawn: DrawnPerformance | None = None
    reports: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    mail: MailStatus = "not_needed"

    @property
    def id(self) -> RunId:
        """The run id, parsed."""
        return RunId.parse(self.run_id)

    @property
    def compared(self) -> tuple[ColumnDrift, ...]:
        """Every compared column, the predicted probability last."""
        return (*self.columns, self.prediction) if self.prediction else self.columns

    @property
    def drifted(self) -> tuple[ColumnDrift, ...]:
        """The drifted columns, the strongest effect first."""
        found = [column for column in self.compared if column.drifted]
        return tuple(sorted(found, key=_strength, reverse=True))

    @property
    def joint_drift(self) -> JointDrift | None:
        """How the features differ as a whole, if they do."""
        return self.joint if self.joint is not None and self.joint.drifted else None

    @property
    def drifted_segments(self) -> tuple[SegmentDrift, ...]:
        """The segments in which a column drifted."""
        return tuple(segment for segment in self.segments if segment.drifted)

    @property
    def declined_segments(self) -> tuple[SegmentDrift, ...]:
        """The segments whose labels show that a figure has become worse."""
        return tuple(s for s in self.segments if s.performance and s.performance.declined)

    @property
    def basis(self) -> Basis | None:
        """What the verdict on performance rests on: labels of any kind, if there are enough."""
        measured = self.performance is not None and self.performance.has_enough_labels
        drawn = self.drawn is not None and self.drawn.has_enough_labels
        if measured and (not drawn or self._measures_drop or not self._draws_drop):
            return "labels"
        if drawn:
            return "draw"
        return "estimate" if self.expectation is not None else None

    @property
    def dropped(self) -> bool:
        """Whether performance has dropped: by labels, or estimated when labels are too few.

        A drop within one segment is one.
        """
        if self.basis == "estimate":
            return self.expectation is not None and self.expectation.dropped
        return self._measures_drop or self._draws_drop

    @property
    def _measures_drop(self) -> bool:
        if self.performance is None or not self.performance.has_enough_labels:
            return False
        return self.performance.dropped or bool(self.declined_segments)

    @property
    def _draws_drop(self) -> bool:
        return self.drawn is not None and self.drawn.dropped

    def to_json(self) -> bytes:
        """The object's content."""
        document = {"format": FORMAT, **asdict(self)}
        return json.dumps(document, indent=2, allow_nan=False).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The inverse of `to_json`; raises BadRecord."""
        try:
            fields = json.loads(data)
            if fields["format"] != FORMAT:
                raise ValueError("format")
            performance = fields.get("performance") or {}
            if performance.get("dropped"):
                # Runs written before this field existed lack it.
                performance.setdefault("declined", ["f1"])
            summary = typed_json.decode(cls, fields)
            RunId.parse(summary.run_id)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadRecord(f"A summary can't be decoded ({type(error).__name__}).") from None
        return summary


def _strength(column: ColumnDrift) -> float:
    return column.strongest.strength if column.strongest else 0.0


def run_id(*, start: int, end: int, version: str | None) -> RunId:
    """Name the run over ``[start, end)`` (UTC milliseconds), widened to whole seconds."""
    whole_end = -(-end // 1000) * 1000
    return RunId(
        times.from_millis(start // 1000 * 1000),
        times.from_millis(max(whole_end, start // 1000 * 1000 + 1000)),
        version,
    )
