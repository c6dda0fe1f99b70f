"""The header above Evidently's page: the verdict and its figures, which Evidently can't know."""

from dataclasses import dataclass

from markupsafe import escape

from domain.drift.disclosure import SMALLEST_GROUP
from domain.drift.drift import Q_THRESHOLD
from domain.drift.performance import MARGIN
from domain.drift.summary import Summary
from monitoring_job.reports import wording
from monitoring_job.reports.findings import changes
from monitoring_job.templates import render

SEGMENTS_NOTE = (
    "Of the predictions that have a label, with 95 % intervals, and the value on the reference. "
    f"Recall is the true positive rate. Changed: by {MARGIN:g} or more for the worse (of the share "
    f"called positive, in either direction), with a q-value below {Q_THRESHOLD}. "
    f"{wording.NOT_SHOWN.capitalize()} is what would describe fewer than {SMALLEST_GROUP} people, "
    "or has no denominator."
)
NOTE = (
    "A column has drifted when its effect is certainly beyond the limit, its q-value is below "
    f"{Q_THRESHOLD} and it has enough rows. For the picture below, values at the ends of an axis "
    f"were clipped and small groups merged, so that nothing describes fewer than {SMALLEST_GROUP} "
    "rows, and distances were not corrected for noise: where they differ, the figures above count."
)


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A segment's name, its labels, and its figures as the template prints them."""

    name: str
    labelled: str
    figures: tuple[tuple[str, bool], ...]


def _list_segments(summary: Summary) -> list[SegmentRow]:
    """List the segments that have figures, those with most changes first."""
    pairs = [(segment, segment.performance) for segment in summary.segments]
    measured = [(segment, found) for segment, found in pairs if found is not None]
    measured.sort(key=lambda pair: -len(pair[1].changed))
    return [
        SegmentRow(
            segment.name,
            wording.NOT_SHOWN if found.labelled is None else f"{found.labelled:,}",
            tuple(
                (wording.group_figure(found.figures[name]), found.figures[name].changed)
                for name in wording.GROUP_FIGURES
            ),
        )
        for segment, found in measured
    ]


def title(name: str, summary: Summary) -> str:
    """The page's title, as HTML."""
    return str(escape(f"{wording.REPORT_TITLES[name]}, {wording.window(summary)}"))


def header(name: str, summary: Summary, *notes: str) -> str:
    """Verdict, window, rows, version, drifted columns, performance, and `notes`, as HTML.

    The performance report has a table of the segments, too.
    """
    return render(
        "reports/page_header.html.jinja",
        heading=wording.REPORT_TITLES[name],
        verdict=wording.headline(summary),
        facts=(
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
        segments=_list_segments(summary) if name == "performance" else (),
        segment_columns=("segment", "labels", *wording.GROUP_FIGURES.values()),
        segments_note=SEGMENTS_NOTE,
        note="" if name == "performance" else NOTE,
    )
