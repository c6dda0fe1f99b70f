"""Tell people and machines about a window: mail, topic, event."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from adapters.events import EventBus, EventRefused
from adapters.mail import Mailer, MailRefused
from adapters.topic import Topic
from domain.events import DetailType
from domain.incident import Transition
from domain.summary import Summary
from monitoring_job.links import Links
from monitoring_job.mails import Section, compose


@dataclass(frozen=True, slots=True)
class Delivery:
    """Whether the mail went out, and a sentence for each channel that refused."""

    mailed: bool
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifier:
    """The three channels. None of them keeps the others from being tried."""

    mailer: Mailer
    topic: Topic
    bus: EventBus
    links: Links

    def announce(
        self, *, target: str, transition: Transition, summaries: Sequence[Summary]
    ) -> Delivery:
        """Tell about the runs of one window; `Transition.NONE` for runs on demand."""
        ordered = sorted(summaries, key=lambda s: s.outcome.severity, reverse=True)
        sections = [
            Section(summary, self._links(summary), self.links.dashboard(summary.run_id))
            for summary in ordered
        ]
        message = compose(target=target, transition=transition, sections=sections)
        facts = {"transition": transition.value, "runs": [_facts(s) for s in sections]}
        problems: list[str] = []
        event: DetailType = (
            "DriftRecovered" if transition is Transition.RECOVER else "DriftDetected"
        )
        try:
            # Links are capabilities: people on the topic get them, the bus doesn't.
            self.bus.publish(event, _without_links(facts))
        except (EventRefused, ClientError, BotoCoreError) as error:
            problems.append(f"The event {event} was not published ({_code(error)}).")
        try:
            self.topic.publish(subject=message.subject, message=facts)
        except (ClientError, BotoCoreError) as error:
            problems.append(f"The alert topic took no message ({_code(error)}).")
        try:
            self.mailer.send(message)
        except MailRefused as error:
            problems.append(f"The mail was not sent: SES answered {error}.")
            return Delivery(mailed=False, problems=tuple(problems))
        return Delivery(mailed=True, problems=tuple(problems))

    def _links(self, summary: Summary) -> dict[str, str]:
        return {name: self.links.report(summary.run_id, name) for name in summary.reports}


def _facts(section: Section) -> dict[str, Any]:
    summary = section.summary
    return {
        "run_id": summary.run_id,
        "version": summary.version,
        "start": summary.start,
        "end": summary.end,
        "outcome": summary.outcome.value,
        "rows": summary.rows.distinct,
        "drifted": {
            column.column: column.strongest.effect if column.strongest else None
            for column in summary.drifted
        },
        "segments": {s.name: [c.column for c in s.drifted] for s in summary.drifted_segments},
        "label_coverage": summary.performance.coverage if summary.performance else 0.0,
        "f1": _f1(summary),
        "reports": dict(section.links),
        "dashboard": section.page,
    }


def _f1(summary: Summary) -> dict[str, float | None]:
    """Measured, on the test rows, expected, and expected on the reference; None where unknown."""
    measured, expected = summary.performance, summary.expectation
    figure = measured.figures.get("f1") if measured else None
    return {
        "measured": figure.value if figure else None,
        "test": measured.test.get("f1") if measured else None,
        "expected": expected.f1.value if expected else None,
        "expected_reference": expected.reference_f1 if expected else None,
    }


def _without_links(facts: dict[str, Any]) -> dict[str, Any]:
    runs = [{k: v for k, v in run.items() if k != "reports"} for run in facts["runs"]]
    return {**facts, "runs": runs}


def _code(error: Exception) -> str:
    """An error's code; never its message, which may name addresses."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown"))
    return str(error) if isinstance(error, EventRefused) else type(error).__name__
