"""Publish runs: their summaries and reports, and the index of runs."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from adapters.s3 import Bucket
from domain import keys
from domain.drift.run_index import MAXIMUM_ENTRIES, IndexEntry, RunIndex, keep_mail_status
from domain.drift.summary import Summary
from domain.errors import BadRecord

REPLACED = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Replaced</title></head>'
    "<body><p>This window has been evaluated again, and this report was not drawn that time. The "
    "run's page on the dashboard lists the reports that are available.</p></body></html>"
)
"""What an old link shows when a repeated run no longer has that report."""

log = logging.getLogger(__name__)


def publish_run(reports: Bucket, summary: Summary, pages: Mapping[str, str]) -> Summary:
    """Write the pages, then the summary that names them; a repeated run overwrites both.

    Returns the summary as written.
    """
    stored = reports.get(keys.summary(summary.id))
    before = _decode_summary(stored.data if stored else None)
    stale = set(before.reports) - set(pages) if before else set()
    for name, page in {**dict.fromkeys(stale, REPLACED), **pages}.items():
        reports.put(
            keys.report(summary.id, name), page.encode(), content_type="text/html; charset=utf-8"
        )
    return publish_summary(reports, summary)


def publish_summary(reports: Bucket, summary: Summary) -> Summary:
    """Write `summary.json` by compare-and-swap; raises Conflict after many lost attempts.

    It replaces an earlier run over the same window, except that a run stays marked as scheduled
    and as mailed. Returns the summary as written.
    """
    written = summary

    def merge(stored: bytes | None) -> bytes:
        nonlocal written
        written, before = summary, _decode_summary(stored)
        if before is not None:
            mail = keep_mail_status(before.mail, summary.mail)
            scheduled = before.scheduled or summary.scheduled
            written = replace(summary, scheduled=scheduled, mail=mail)
        return written.to_json()

    reports.update(keys.summary(summary.id), merge)
    return written


def publish_notified(
    reports: Bucket, notified: Sequence[Summary], *, already: Sequence[Summary]
) -> list[Summary]:
    """Write the summaries that notifying has changed, and enter all of them into the index.

    `already`: the summaries as they were published before. Returns all of them as written.
    """
    written = [run if run in already else publish_summary(reports, run) for run in notified]
    index_runs(reports, written)
    return written


def _decode_summary(stored: bytes | None) -> Summary | None:
    try:
        return Summary.from_json(stored) if stored is not None else None
    except BadRecord:
        return None


def index_runs(reports: Bucket, summaries: Sequence[Summary]) -> None:
    """Enter runs into the index by compare-and-swap; raises Conflict after many lost attempts."""

    def enter(stored: bytes | None) -> bytes:
        index = _decode_index(reports, stored)
        for summary in summaries:
            index = index.with_run(IndexEntry.of(summary))
        return index.to_json()

    reports.update(keys.RUN_INDEX, enter)


def find_last_scheduled(reports: Bucket) -> int | None:
    """End of the latest window of a scheduled run (UTC milliseconds); None before the first."""
    stored = reports.get(keys.RUN_INDEX)
    entries = _decode_index(reports, stored.data if stored else None).entries
    return max((entry.end for entry in entries if entry.scheduled), default=None)


def rebuild_index(reports: Bucket) -> RunIndex:
    """The index that the runs' own summaries make; a damaged summary is left out."""
    index = RunIndex()
    for folder in sorted(reports.folders(keys.RUNS))[-MAXIMUM_ENTRIES:]:
        stored = reports.get(f"{folder}summary.json")
        summary = _decode_summary(stored.data if stored else None)
        if summary is not None:
            index = index.with_run(IndexEntry.of(summary))
    return index


def _decode_index(reports: Bucket, stored: bytes | None) -> RunIndex:
    """The index as stored; one that can't be decoded, or that is gone, is rebuilt."""
    try:
        if stored is not None:
            return RunIndex.from_json(stored)
    except BadRecord:
        log.warning("the run index could not be decoded; it is rebuilt from the runs' summaries")
    return rebuild_index(reports)
