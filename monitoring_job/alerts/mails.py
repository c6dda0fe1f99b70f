"""The mail about a window: verdict, counts, drifted columns, links. No patient data.

Written as text and as HTML that reads on a phone: one column, inline styles, no image.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from adapters.mail import Message
from domain.drift.incident import Transition
from domain.drift.summary import Summary
from monitoring_job.reports import wording

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
CHANGES = 10
"""Lines of the table; the report has them all."""
RUNS = 5
"""Model versions of one window; the dashboard has them all."""
NAME = 80
"""Characters of a name: a category of the contract may be of any length."""
_BODY = (
    "margin:0;padding:16px;font:16px/1.5 system-ui,-apple-system,sans-serif;color:#1a1a1a;"
    "overflow-wrap:anywhere"
)
_CELL = "padding:8px 0;border-top:1px solid #ddd;vertical-align:top"
_LINK = "display:block;padding:10px 0"  # a finger needs 44 pixels


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
    columns = f": {', '.join(map(_short, names[:3]))}{more}" if names else ""
    verdict = f"{PREFIXES.get(transition, '')}{wording.headline(summary)}"
    return f"[{_short(target)}] {verdict}{columns} ({wording.window(summary)})"


def _text(transition: Transition, sections: Sequence[Section]) -> str:
    parts = [OPENINGS[transition]]
    for section in sections[:RUNS]:
        summary = section.summary
        changes, more = _changes(summary)
        lines = [
            f"{wording.headline(summary)} - model {summary.version or 'none'}",
            wording.explanation(summary),
            f"Window: {wording.window(summary)}",
            f"Rows: {wording.counts(summary)}",
            *(f"{label}: {url}" for label, url in _labelled(section)),
        ]
        lines += [
            f"  * {change.name}: {change.measure} {change.before} -> {change.after}"
            f" (effect {change.effect}, q {change.q_value})"
            for change in changes
        ]
        lines += [*more, *wording.performance(summary)]
        parts.append("\n".join(lines))
    parts += _others(sections)
    if _any_drift(sections):
        parts.append(NEXT_STEP)
    return "\n\n".join(parts) + "\n"


def _html(transition: Transition, sections: Sequence[Section]) -> str:
    blocks = "".join(map(_section, sections[:RUNS]))
    advice = [*_others(sections), *([NEXT_STEP] if _any_drift(sections) else [])]
    end = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in advice)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
        f'<body style="{_BODY}"><div style="max-width:600px;margin:0 auto">'
        f"<p>{html.escape(OPENINGS[transition])}</p>{blocks}{end}</div></body></html>"
    )


def _section(section: Section) -> str:
    summary = section.summary
    color = "#b3261e" if summary.outcome.is_drift else "#1b6e3c"
    facts = (wording.window(summary), f"model {summary.version or 'none'}", wording.counts(summary))
    changes, more = _changes(summary)
    rows = "".join(
        f'<tr><td style="{_CELL}"><b>{html.escape(change.name)}</b><br>'
        f"{html.escape(change.measure)} {html.escape(change.before)} &rarr; "
        f"<b>{html.escape(change.after)}</b><br>"
        f'<span style="font-size:14px;color:#555">effect {html.escape(change.effect)}, '
        f"q {html.escape(change.q_value)}</span></td></tr>"
        for change in changes
    )
    table = (
        '<table role="presentation" style="width:100%;table-layout:fixed;border-collapse:collapse">'
        f"{rows}</table>"
        if rows
        else ""
    )
    links = "".join(
        f'<a style="{_LINK}" href="{html.escape(url)}">{html.escape(label)}</a>'
        for label, url in _labelled(section)
    )
    quality = "".join(
        f'<p style="margin:4px 0;font-size:15px">{html.escape(line)}</p>'
        for line in (*more, *wording.performance(summary))
    )
    return (
        f'<h1 style="font-size:22px;margin:16px 0 4px;color:{color}">'
        f"{html.escape(wording.headline(summary))}</h1>"
        f'<p style="margin:0 0 12px">{html.escape(wording.explanation(summary))}</p>'
        f'<p style="margin:0;color:#555">{html.escape(" · ".join(facts))}</p>'
        f'<div style="margin:4px 0 12px">{links}</div>{table}'
        f'<div style="margin:12px 0">{quality}</div>'
    )


def _changes(summary: Summary) -> tuple[list[wording.Change], list[str]]:
    """The lines to show, with names of a bearable length, and what to say of the others."""
    every = wording.changes(summary)
    shown = [
        replace(change, name=_short(change.name), measure=_short(change.measure))
        for change in every[:CHANGES]
    ]
    left = len(every) - len(shown)
    return shown, [f"And {left} more in the report."] if left else []


def _others(sections: Sequence[Section]) -> list[str]:
    left = len(sections) - RUNS
    return [f"And {left} more model versions: the dashboard shows their runs."] if left > 0 else []


def _short(text: str) -> str:
    """On one line, without what can't be printed."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= NAME else f"{line[: NAME - 1]}…"


def _labelled(section: Section) -> list[tuple[str, str]]:
    links = [(wording.REPORT_TITLES[name], url) for name, url in section.links.items()]
    return [*links, ("Dashboard", section.page)] if section.page else links


def _any_drift(sections: Sequence[Section]) -> bool:
    return any(section.summary.outcome.is_drift for section in sections)
