"""What a drift run found: `summary.json`, the truth that reports and mails only illustrate.

It holds counts, shares, means and distances: never the value of a single row.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self, TypeVar

from domain import times
from domain.contract.feature import Kind
from domain.drift.drift import Aspect, Method, Outcome
from domain.drift.performance import Expectation, Performance
from domain.errors import BadRecord
from domain.keys import RunId

FORMAT = "mlops.circle/drift-summary/1"

Nested = TypeVar("Nested")
Basis = Literal["labels", "estimate"]
MailStatus = Literal["not_needed", "not_asked", "sent", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """What was in the window.

    `logged` counts every valid row of the version, copies included; `sampled` is how many distinct
    ones the statistics saw, `copies` how many more the sample held. `sample_share` is 1.0 when the
    sample was the whole window. `malformed` counts, per reason, the rows of the partitions
    that could not be used; `unreadable_objects` the objects of which nothing could be read.
    """

    logged: int = 0
    sampled: int = 0
    copies: int = 0
    sample_share: float = 1.0
    malformed: Mapping[str, int] = field(default_factory=dict)
    unreadable_objects: int = 0

    @property
    def distinct(self) -> int:
        """Distinct predictions of the window: exact for a whole sample, else estimated."""
        seen = self.sampled + self.copies
        return round(self.logged * self.sampled / seen) if seen else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One column in one data set. All shares are of its rows.

    What would tell about fewer than eleven rows is None; in `shares` such groups are one, named
    ``a or b``, with the next smallest. `mean` and `deviation` are None for categories and flags,
    and where there are too few valid values.
    """

    rows: int | None
    missing: float | None
    invalid: float | None
    mean: float | None = None
    deviation: float | None = None
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One comparison of window and reference; `rows`: how many of the window it rests on, None
    where that would tell how few have no valid value.
    """

    __test__ = False  # pytest takes every class of this name for a test

    aspect: Aspect
    method: Method
    rows: int | None
    effect: float
    p_value: float
    q_value: float
    drifted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDrift:
    """One column compared. `problem` says in a sentence why there are tests missing."""

    name: str
    column: str
    kind: Kind
    reference: Profile
    current: Profile
    tests: tuple[Test, ...] = ()
    problem: str | None = None

    @property
    def drifted(self) -> bool:
        """Whether any of its tests found drift."""
        return any(test.drifted for test in self.tests)

    def without_rows(self, *, reference: bool, current: bool) -> Self:
        """The same, without the rows of either side, if they are not to be told."""
        old, new = self.reference, self.current
        return replace(
            self,
            reference=replace(old, rows=None) if reference else old,
            current=replace(new, rows=None) if current else new,
            tests=tuple(replace(test, rows=None) if current else test for test in self.tests),
        )

    @property
    def strongest(self) -> Test | None:
        """The test to show: a drifted one before others, then the largest effect."""
        return max(self.tests, key=lambda test: (test.drifted, test.effect), default=None)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of `asdict`."""
        nested = {
            "reference": Profile(**fields["reference"]),
            "current": Profile(**fields["current"]),
            "tests": tuple(Test(**test) for test in fields["tests"]),
        }
        return cls(**{**fields, **nested})


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDrift:
    """One segment compared, e.g. ``gender=Male``: every column, the probability last.

    A segment with too few rows on either side has no `columns`; rows that would tell about fewer
    than eleven are None.
    """

    name: str
    rows: int | None
    reference_rows: int | None
    columns: tuple[ColumnDrift, ...] = ()

    @property
    def drifted(self) -> tuple[ColumnDrift, ...]:
        """Its columns with drift."""
        return tuple(column for column in self.columns if column.drifted)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of `asdict`."""
        return cls(**{**fields, "columns": tuple(map(ColumnDrift.from_dict, fields["columns"]))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One run. Times are UTC milliseconds, the window half-open.

    `findings` are all outcomes that hold, `outcome` the most serious one. `prediction` is the
    probability's own comparison, `target` the labels'. `reports` are the names that were
    published. `problems` are sentences about what could not be done.
    """

    run_id: str
    version: str | None
    start: int
    end: int
    computed_at: int
    scheduled: bool
    outcome: Outcome
    findings: tuple[Outcome, ...] = ()
    rows: RowCounts = field(default_factory=RowCounts)
    reference_rows: int = 0
    columns: tuple[ColumnDrift, ...] = ()
    prediction: ColumnDrift | None = None
    segments: tuple[SegmentDrift, ...] = ()
    target: ColumnDrift | None = None
    performance: Performance | None = None
    expectation: Expectation | None = None
    reports: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    mail: MailStatus = "not_needed"

    @property
    def id(self) -> RunId:
        """The run id, parsed."""
        return RunId.parse(self.run_id)

    @property
    def compared(self) -> tuple[ColumnDrift, ...]:
        """Every comparison, the prediction's last."""
        return (*self.columns, self.prediction) if self.prediction else self.columns

    @property
    def drifted(self) -> tuple[ColumnDrift, ...]:
        """The columns with drift, the largest effect first."""
        found = [column for column in self.compared if column.drifted]
        return tuple(sorted(found, key=_effect, reverse=True))

    @property
    def drifted_segments(self) -> tuple[SegmentDrift, ...]:
        """The segments with drift."""
        return tuple(segment for segment in self.segments if segment.drifted)

    @property
    def basis(self) -> Basis | None:
        """What a verdict on performance rests on: labels where there are enough of them."""
        if self.performance is not None and self.performance.judged:
            return "labels"
        return "estimate" if self.expectation is not None else None

    @property
    def dropped(self) -> bool:
        """Whether performance has dropped, measured or else expected."""
        if self.performance is not None and self.performance.judged:
            return self.performance.dropped
        return self.expectation is not None and self.expectation.dropped

    def to_json(self) -> bytes:
        """The object's content."""
        document = {"format": FORMAT, **asdict(self)}
        return json.dumps(document, indent=2, allow_nan=False).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The inverse of `to_json`; raises BadRecord."""
        try:
            fields = json.loads(data)
            if fields.pop("format") != FORMAT:
                raise ValueError("format")
            nested = {
                "outcome": Outcome(fields["outcome"]),
                "findings": tuple(map(Outcome, fields["findings"])),
                "rows": RowCounts(**fields["rows"]),
                "columns": tuple(map(ColumnDrift.from_dict, fields["columns"])),
                "prediction": _optional(ColumnDrift.from_dict, fields["prediction"]),
                # An older run knows none of these.
                "segments": tuple(map(SegmentDrift.from_dict, fields.get("segments", ()))),
                "target": _optional(ColumnDrift.from_dict, fields.get("target")),
                "performance": _optional(Performance.from_dict, fields.get("performance")),
                "expectation": _optional(Expectation.from_dict, fields.get("expectation")),
                "reports": tuple(fields["reports"]),
                "problems": tuple(fields["problems"]),
            }
            summary = cls(**{**fields, **nested})
            RunId.parse(summary.run_id)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadRecord(f"A summary can't be decoded ({type(error).__name__}).") from None
        return summary


def _optional(
    decode: Callable[[Mapping[str, Any]], Nested], fields: Mapping[str, Any] | None
) -> Nested | None:
    return decode(fields) if fields else None


def _effect(column: ColumnDrift) -> float:
    return column.strongest.effect if column.strongest else 0.0


def run_id(*, start: int, end: int, version: str | None) -> RunId:
    """Name of the run over ``[start, end)`` (UTC milliseconds), widened to whole seconds."""
    whole_end = -(-end // 1000) * 1000
    return RunId(
        times.from_millis(start // 1000 * 1000),
        times.from_millis(max(whole_end, start // 1000 * 1000 + 1000)),
        version,
    )
