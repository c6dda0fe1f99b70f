"""The header above Evidently's page: the verdict and its figures, which Evidently can't know."""

from markupsafe import escape

from domain.drift.disclosure import SMALLEST_GROUP
from domain.drift.drift import Q_THRESHOLD
from domain.drift.summary import Summary
from monitoring_job.reports import wording
from monitoring_job.reports.findings import changes
from monitoring_job.templates import render

NOTE = (
    "A column has drifted when its effect is certainly beyond the limit, its q-value is below "
    f"{Q_THRESHOLD} and it has enough rows. For the picture below, values at the ends of an axis "
    f"were clipped and small groups merged, so that nothing describes fewer than {SMALLEST_GROUP} "
    "rows, and distances were not corrected for noise: where they differ, the figures above count."
)


def title(name: str, summary: Summary) -> str:
    """The page's title, as HTML."""
    return str(escape(f"{wording.REPORT_TITLES[name]}, {wording.window(summary)}"))


def header(name: str, summary: Summary, *notes: str) -> str:
    """Verdict, window, rows, version, drifted columns, performance, and `notes`, as HTML."""
    return render(
        "reports/page_header.html.jinja",
        headline=wording.headline(summary),
        facts=(
            wording.REPORT_TITLES[name],
            wording.window(summary),
            f"model {summary.version or 'none'}",
            wording.counts(summary),
        ),
        changes=changes(summary),
        lines=[
            line
            for line in (*wording.rhythm(summary), *wording.performance(summary), *notes)
            if line
        ],
        note=NOTE,
    )
