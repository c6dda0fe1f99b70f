"""The message to a webhook about a window: what the mail says, and the topic's data."""

from collections.abc import Sequence

from adapters.webhook.notification import Notification, make_id
from domain.drift.incident import Transition
from domain.events import DetailType
from monitoring_job.alerts.facts import Facts
from monitoring_job.alerts.mails import CHANGES, OPENINGS, RUNS, Section, label_links
from monitoring_job.reports import wording
from monitoring_job.reports.findings import sentences


def compose_notification(
    *, event: DetailType, title: str, facts: Facts, sections: Sequence[Section]
) -> Notification:
    """Compose it; `title` is the mail's subject, `sections` has the most serious run first.

    Its id names the transition and its runs, so that a repetition is recognised. A run on demand
    that is repeated is another message.
    """
    runs = sorted(section.summary.run_id for section in sections)
    asked_at = [str(section.summary.computed_at) for section in sections]
    on_demand = facts.transition is Transition.NONE
    shown = sections[:RUNS]
    return Notification(
        id=make_id(facts.transition.value, *runs, *(asked_at if on_demand else [])),
        type=event,
        title=title,
        facts=(OPENINGS[facts.transition], *(line for one in shown for line in _describe(one))),
        links=tuple(link for section in shown for link in label_links(section)),
        data=facts.to_message(),
    )


def _describe(section: Section) -> list[str]:
    """A run in lines: verdict, model, window and rows; then each finding."""
    summary = section.summary
    found = sentences(summary)
    more = [f"And {len(found) - CHANGES} more in the report."] if len(found) > CHANGES else []
    verdict = f"{wording.headline(summary)}: model {summary.version or 'none'}"
    return [
        f"{verdict}, {wording.window(summary)}, {wording.counts(summary)}",
        *found[:CHANGES],
        *more,
    ]
