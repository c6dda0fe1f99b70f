"""The mail about a window: verdict, row counts, drifted columns, links. No patient data.

It is written as text and as HTML, by the two templates beside this module.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from adapters.mail import Message
from domain.drift.incident import Transition
from domain.drift.summary import Summary
from domain.plural import write_count
from monitoring_job.reports import wording
from monitoring_job.reports.findings import Change, changes
from monitoring_job.reports.wording import shorten
from monitoring_job.templates import render

OPENINGS = {
    Transition.OPEN: "A scheduled check found drift.",
    Transition.ESCALATE: "The drift that was reported before has become worse.",
    Transition.RECOVER: "The drift that was reported before is gone.",
    Transition.NONE: "This is the result of the check that you asked for.",
}
PREFIXES = {Transition.ESCALATE: "Worse: ", Transition.RECOVER: "Recovered: "}
NEXT_STEP = (
    "What to do next: look at the drifted columns in the report. If a unit, a device or a form has "
    "changed, fix it where the data comes from. If the rows that are scored have changed, train "
    "again with recent data."
)
LABELS_WANTED = (
    "Too few labels are known to say how well the model performs. This command draws the "
    "predictions whose labels tell most, and says how likely they are to find a fall: "
    "{command} labels-wanted --count 300"
)
ACKNOWLEDGE = (
    "If you look into it, say so. Then only a more serious finding sends another mail. Use the "
    "button on the dashboard's page Incidents, or this command: {command} acknowledge"
)
CHANGES = 10
"""Changes that a mail lists for one run; the report has all of them."""
RUNS = 5
"""Model versions of one window that a mail describes; the dashboard has all of them."""


@dataclass(frozen=True, slots=True)
class Section:
    """One run of the window and its links.

    `links`: report name → URL. `page`: URL of the run on the dashboard.
    """

    summary: Summary
    links: Mapping[str, str]
    page: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunText:
    """One run as the templates print it."""

    headline: str
    explanation: str
    version: str
    window: str
    counts: str
    has_drift: bool
    links: Sequence[tuple[str, str]]
    changes: Sequence[Change]
    lines: Sequence[str]


def compose(
    *,
    target: str,
    stage: str,
    command: str,
    transition: Transition,
    sections: Sequence[Section],
    remarks: Sequence[str] = (),
) -> Message:
    """Compose the mail.

    `target`: what the model predicts. `stage`: the deployment's. `command`: how an operator calls
    its command line. `sections`: the most serious run first; a run on demand has the transition
    `Transition.NONE`. `remarks` are printed below the runs.
    """
    notes = [*_list_omitted_runs(sections), *remarks]
    if any(section.summary.outcome.is_drift for section in sections):
        notes.append(NEXT_STEP)
        if any(section.summary.basis not in ("labels", "draw") for section in sections):
            notes.append(LABELS_WANTED.format(command=command))
        if transition in (Transition.OPEN, Transition.ESCALATE) and not remarks:
            notes.append(ACKNOWLEDGE.format(command=command))
    values = {
        "opening": OPENINGS[transition],
        "runs": [_describe(section) for section in sections[:RUNS]],
        "notes": notes,
    }
    return Message(
        subject=_compose_subject(f"{shorten(target)} {stage}", transition, sections[0].summary),
        text=render("alerts/mail.txt.jinja", **values),
        html=render("alerts/mail.html.jinja", **values),
    )


def _compose_subject(place: str, transition: Transition, summary: Summary) -> str:
    names = [wording.name(column) for column in summary.drifted]
    if not names and not (summary.performance and summary.performance.dropped):
        names = [change.name for change in changes(summary)]  # no column alone
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    columns = f": {', '.join(map(shorten, names[:3]))}{more}" if names else ""
    verdict = f"{PREFIXES.get(transition, '')}{wording.headline(summary)}"
    return f"[{place}] {verdict}{columns} ({wording.window(summary)})"


def _describe(section: Section) -> RunText:
    summary = section.summary
    found = changes(summary)
    omitted = len(found) - CHANGES
    more = [f"And {omitted} more in the report."] if omitted > 0 else []
    return RunText(
        headline=wording.headline(summary),
        explanation=wording.explanation(summary),
        version=summary.version or "none",
        window=wording.window(summary),
        counts=wording.counts(summary),
        has_drift=summary.outcome.is_drift,
        links=label_links(section),
        changes=[replace(change, name=shorten(change.name)) for change in found[:CHANGES]],
        lines=[*more, *wording.rhythm(summary), *wording.performance(summary)],
    )


def _list_omitted_runs(sections: Sequence[Section]) -> list[str]:
    omitted = len(sections) - RUNS
    if omitted <= 0:
        return []
    return [f"And {write_count(omitted, 'more model version')}: the dashboard shows all runs."]


def label_links(section: Section) -> list[tuple[str, str]]:
    """Label and URL of each link of a run."""
    links = [(wording.REPORT_TITLES[name], url) for name, url in section.links.items()]
    return [*links, ("Dashboard", section.page)] if section.page else links
