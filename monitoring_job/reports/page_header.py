"""What stands above Evidently's picture: the verdict, which it can't know."""

import html
from collections.abc import Iterable

from domain.drift.drift import EFFECT_THRESHOLD, Q_THRESHOLD
from domain.drift.summary import Summary
from monitoring_job.reports import wording

NOTE = (
    f"A column has drifted when its effect size is at least {EFFECT_THRESHOLD}, its q-value below "
    f"{Q_THRESHOLD} and it has enough rows. The picture below is drawn, and its effect sizes are "
    "computed, after the ends of each axis were pulled in and small groups made one, so that none "
    "of fewer than eleven rows is told: where it differs, the figures above count."
)


def title(name: str, summary: Summary) -> str:
    """The page's title, escaped."""
    return html.escape(f"{wording.REPORT_TITLES[name]}, {wording.window(summary)}")


def header(name: str, summary: Summary, *notes: str) -> str:
    """Verdict, window, rows and version, what has drifted, and `notes`, as HTML."""
    changes = "".join(
        _row(
            change.name,
            change.measure,
            f"{change.before} → {change.after}",
            f"effect {change.effect}",
            f"q {change.q_value}",
        )
        for change in wording.changes(summary)
    )
    facts = (
        wording.REPORT_TITLES[name],
        wording.window(summary),
        f"model {summary.version or 'none'}",
        wording.counts(summary),
    )
    lines = "".join(_line(text) for text in (*wording.performance(summary), *notes) if text)
    return (
        "<header style='font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:24px auto 0;"
        "padding:0 24px'>"
        f"<h1 style='font-size:22px;margin:0'>{html.escape(wording.headline(summary))}</h1>"
        f"{_line(' · '.join(facts))}"
        f"<table style='border-collapse:collapse'>{changes}</table>{lines}"
        f"<p style='margin:4px 0;color:#555'>{html.escape(NOTE)}</p></header>"
    )


def _line(text: str) -> str:
    return f"<p style='margin:4px 0'>{html.escape(text)}</p>"


def _row(*cells: str) -> str:
    return f"<tr>{''.join(_cells(cells))}</tr>"


def _cells(texts: Iterable[str]) -> Iterable[str]:
    return (f"<td style='padding:2px 16px 2px 0'>{html.escape(text)}</td>" for text in texts)
