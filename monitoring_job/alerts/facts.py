"""What the topic and the event bus say about a window, for machines: the JSON of the facts."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.drift.drift import Outcome
from domain.drift.incident import Transition
from domain.drift.performance import Measure
from domain.drift.summary import Basis, Summary
from domain.typed_json import Json, encode
from monitoring_job.alerts.mails import Section
from monitoring_job.reports.findings import sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class F1Facts:
    """F1 as measured, on the test rows, as estimated, and as estimated on the reference.

    `drawn`: from drawn labels. `expected`: if only the inputs have changed; `expected_label_shift`:
    if only the prevalence has. None where unknown. `basis` says which of them the verdict rests on.
    """

    measured: float | None
    drawn: float | None
    test: float | None
    expected: float | None
    expected_label_shift: float | None
    expected_reference: float | None
    basis: Basis | None

    @classmethod
    def of(cls, summary: Summary) -> "F1Facts":
        """Collect them from one run."""
        measured, expected = summary.performance, summary.expectation
        figure = measured.figures.get("f1") if measured else None
        labelled = measured or summary.drawn
        drawn = summary.drawn.figures.get("f1") if summary.drawn else None
        shift = expected.label_shift if expected else None
        return cls(
            measured=figure.value if figure else None,
            drawn=drawn.value if drawn else None,
            test=labelled.test.get("f1") if labelled else None,
            expected=expected.f1.value if expected else None,
            expected_label_shift=shift.f1.value if shift else None,
            expected_reference=expected.reference_f1 if expected else None,
            basis=summary.basis,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """One run: column → effect of its strongest test, segment → its drifted columns.

    `findings`: each in one sentence. `declined`: what labels show to have become worse.
    `reports`: report → link. Whoever has such a link can open the report.
    """

    run_id: str
    version: str | None
    start: int
    end: int
    outcome: Outcome
    rows: int
    findings: tuple[str, ...]
    drifted: Mapping[str, float | None]
    segments: Mapping[str, tuple[str, ...]]
    label_coverage: float | None
    declined: tuple[Measure, ...]
    f1: F1Facts
    reports: Mapping[str, str]
    dashboard: str

    @classmethod
    def of(cls, section: Section) -> "RunFacts":
        """Collect them from one section of the mail."""
        summary = section.summary
        return cls(
            run_id=summary.run_id,
            version=summary.version,
            start=summary.start,
            end=summary.end,
            outcome=summary.outcome,
            rows=summary.rows.distinct,
            findings=sentences(summary),
            drifted={
                column.column: column.strongest.effect if column.strongest else None
                for column in summary.drifted
            },
            segments={
                segment.name: tuple(column.column for column in segment.drifted)
                for segment in summary.drifted_segments
            },
            label_coverage=summary.performance.coverage if summary.performance else 0.0,
            declined=_list_declined(summary),
            f1=F1Facts.of(summary),
            reports=dict(section.links),
            dashboard=section.page,
        )


def _list_declined(summary: Summary) -> tuple[Measure, ...]:
    """What labels of either kind show to have become worse."""
    measured = summary.performance.declined if summary.performance else ()
    by_draw = summary.drawn is not None and summary.drawn.dropped and "f1" not in measured
    return ("f1", *measured) if by_draw else measured


@dataclass(frozen=True, slots=True)
class Facts:
    """The runs of one window, the most serious first."""

    transition: Transition
    runs: tuple[RunFacts, ...]

    def to_message(self) -> dict[str, Json]:
        """The topic's message."""
        return encode(self)

    def to_detail(self) -> dict[str, Json]:
        """The event's detail: the message without `reports`, for readers who must not open them."""
        return {
            "transition": self.transition.value,
            "runs": [
                {name: value for name, value in encode(run).items() if name != "reports"}
                for run in self.runs
            ],
        }
