"""Put a run where people find it: its summary and reports, and the index of runs."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from adapters.s3 import Bucket, Conflict
from domain import keys
from domain.errors import BadRecord
from domain.run_index import IndexEntry, RunIndex
from domain.summary import Summary

ATTEMPTS = 20

log = logging.getLogger(__name__)


def publish_run(reports: Bucket, summary: Summary, pages: Mapping[str, str]) -> Summary:
    """Write the pages, then the summary that names them; a repeated run overwrites both.

    Returns the summary as written: a scheduled run that is repeated stays one that was mailed.
    """
    for name, page in pages.items():
        reports.put(
            keys.report(summary.id, name), page.encode(), content_type="text/html; charset=utf-8"
        )
    if summary.scheduled and _was_mailed(reports, summary):
        summary = replace(summary, mail="sent")
    publish_summary(reports, summary)
    return summary


def _was_mailed(reports: Bucket, summary: Summary) -> bool:
    stored = reports.get(keys.summary(summary.id))
    try:
        return stored is not None and Summary.from_json(stored.data).mail == "sent"
    except BadRecord:
        return False


def publish_summary(reports: Bucket, summary: Summary) -> None:
    """Write `summary.json`."""
    reports.put(keys.summary(summary.id), summary.to_json(), content_type="application/json")


def index_runs(reports: Bucket, summaries: Sequence[Summary]) -> None:
    """Enter the runs into the index by compare-and-set; raises Conflict after many lost ones."""
    for _ in range(ATTEMPTS):
        index, etag = _read(reports)
        for summary in summaries:
            index = index.with_run(IndexEntry.of(summary))
        try:
            reports.put_if(keys.RUN_INDEX, index.to_json(), etag=etag)
        except Conflict:
            continue
        return
    raise Conflict(keys.RUN_INDEX)


def last_run(reports: Bucket) -> int | None:
    """When the latest run was computed (UTC ms); None before the first."""
    return max((entry.computed_at for entry in _read(reports)[0].entries), default=None)


def _read(reports: Bucket) -> tuple[RunIndex, str | None]:
    stored = reports.get(keys.RUN_INDEX)
    if stored is None:
        return RunIndex(), None
    try:
        return RunIndex.from_json(stored.data), stored.etag
    except BadRecord:
        log.warning("the run index was unreadable and starts anew; the runs are untouched")
        return RunIndex(), stored.etag
