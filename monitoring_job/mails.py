"""The mail about a window: verdict, counts, drifted columns, links. No patient data.

Written as text and as HTML that reads on a phone: one column, inline styles, no image.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.mail import Message
from domain.incident import Transition
from domain.summary import Summary
from monitoring_job import wording

OPENINGS = {
    Transition.OPEN: "A scheduled check found drift.",
    Transition.ESCALATE: "The drift that was reported before has become worse.",
    Transition.RECOVER: "The drift that was reported before is gone.",
    Transition.NONE: "This is the result of the check that was asked for.",
}
PREFIXES = {Transition.ESCALATE: "Worse: ", Transition.RECOVER: "Recovered: "}
NEXT_STEP = (
    "What to do: look at the drifted columns in the report. A changed unit, device or form is "
    "repaired where the data comes from; if the patients have changed, train again with recent "
    "data."
)
_BODY = "margin:0;padding:16px;font:16px/1.5 system-ui,-apple-system,sans-serif;color:#1a1a1a"
_CELL = "padding:8px 0;border-top:1px solid #ddd;vertical-align:top"


@dataclass(frozen=True, slots=True)
class Section:
    """One run of the window and its links: report name → URL; `page`: the run on the dashboard."""

    summary: Summary
    links: Mapping[str, str]
    page: str = ""


def compose(*, target: str, transition: Transition, sections: Sequence[Section]) -> Message:
    """The mail. `target`: what the model predicts; `sections`: the most serious run first.

    `Transition.NONE` stands for a run on demand.
    """
    first = sections[0].summary
    return Message(
        subject=_subject(target, transition, first),
        text=_text(transition, sections),
        html=_html(transition, sections),
    )


def _subject(target: str, transition: Transition, summary: Summary) -> str:
    names = [wording.name(column) for column in summary.drifted]
    names = names or [change.name for change in wording.changes(summary)]  # in segments only
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    columns = f": {', '.join(names[:3])}{more}" if names else ""
    verdict = f"{PREFIXES.get(transition, '')}{wording.headline(summary)}"
    return f"[{target}] {verdict}{columns} ({wording.window(summary)})"


def _text(transition: Transition, sections: Sequence[Section]) -> str:
    parts = [OPENINGS[transition]]
    for section in sections:
        summary = section.summary
        lines = [
            f"{wording.headline(summary)} - model {summary.version or 'none'}",
            wording.explanation(summary),
            f"Window: {wording.window(summary)}",
            f"Rows: {wording.counts(summary)}",
        ]
        lines += [
            f"  * {change.name}: {change.measure} {change.before} -> {change.after}"
            f" (effect {change.effect}, q {change.q_value})"
            for change in wording.changes(summary)
        ]
        lines += wording.performance(summary)
        lines += [f"{label}: {url}" for label, url in _labelled(section)]
        parts.append("\n".join(lines))
    if _any_drift(sections):
        parts.append(NEXT_STEP)
    return "\n\n".join(parts) + "\n"


def _html(transition: Transition, sections: Sequence[Section]) -> str:
    blocks = "".join(map(_section, sections))
    advice = f"<p>{html.escape(NEXT_STEP)}</p>" if _any_drift(sections) else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
        f'<body style="{_BODY}"><div style="max-width:600px;margin:0 auto">'
        f"<p>{html.escape(OPENINGS[transition])}</p>{blocks}{advice}</div></body></html>"
    )


def _section(section: Section) -> str:
    summary = section.summary
    color = "#b3261e" if summary.outcome.is_drift else "#1b6e3c"
    facts = (wording.window(summary), f"model {summary.version or 'none'}", wording.counts(summary))
    rows = "".join(
        f'<tr><td style="{_CELL}"><b>{html.escape(change.name)}</b><br>'
        f"{html.escape(change.measure)} {html.escape(change.before)} &rarr; "
        f"<b>{html.escape(change.after)}</b><br>"
        f'<small style="color:#555">effect {change.effect}, q {html.escape(change.q_value)}</small>'
        "</td></tr>"
        for change in wording.changes(summary)
    )
    table = (
        f'<table role="presentation" style="width:100%;border-collapse:collapse">{rows}</table>'
        if rows
        else ""
    )
    links = "".join(
        f'<p style="margin:8px 0"><a href="{html.escape(url)}">{html.escape(label)}</a></p>'
        for label, url in _labelled(section)
    )
    quality = "".join(
        f'<p style="margin:4px 0;font-size:15px">{html.escape(line)}</p>'
        for line in wording.performance(summary)
    )
    return (
        f'<h1 style="font-size:22px;margin:16px 0 4px;color:{color}">'
        f"{html.escape(wording.headline(summary))}</h1>"
        f'<p style="margin:0 0 12px">{html.escape(wording.explanation(summary))}</p>'
        f'<p style="margin:0 0 12px;color:#555">{html.escape(" · ".join(facts))}</p>{table}'
        f'<div style="margin:12px 0">{quality}</div>{links}'
    )


def _labelled(section: Section) -> list[tuple[str, str]]:
    links = [(wording.REPORT_TITLES[name], url) for name, url in section.links.items()]
    return [*links, ("Dashboard", section.page)] if section.page else links


def _any_drift(sections: Sequence[Section]) -> bool:
    return any(section.summary.outcome.is_drift for section in sections)
