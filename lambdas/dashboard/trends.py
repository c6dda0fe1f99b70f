"""Performance and columns over the latest runs, with the promotions between them."""

from collections.abc import Iterator
from contextlib import suppress

from adapters.s3 import Bucket
from domain import keys
from domain.api.answers import ColumnPoint, PromotionMarker, TrendPoint, Trends
from domain.drift.run_index import RunIndex
from domain.drift.summary import Summary
from domain.errors import BadRecord
from domain.model.champion import LedgerEntry
from lambdas.dashboard.stored import objects

RUNS = 90
"""How many of the latest runs over predictions are read: each is an object of its own."""
PROMOTIONS = 100


def read_trends(reports: Bucket, models: Bucket) -> Trends:
    """Read the latest runs; damaged summaries and entries leave gaps. Raises BadRecord."""
    index = reports.read(keys.RUN_INDEX, RunIndex.from_json) or RunIndex()
    entries = [entry for entry in index.entries if entry.rows]
    chosen = sorted(entries[:RUNS], key=lambda entry: (entry.end, entry.computed_at))
    stored = objects(reports, [keys.summary(keys.RunId.parse(entry.run_id)) for entry in chosen])
    summaries = [summary for data in stored for summary in _decode(data)]
    measured = [s.run_id for s in summaries if any(each.performance for each in s.segments)]
    return Trends(
        points=tuple(_describe(s, s.version) for s in summaries if s.version is not None),
        promotions=tuple(_list_promotions(models)),
        latest_segments=measured[-1] if measured else None,
    )


def _decode(data: bytes | None) -> Iterator[Summary]:
    with suppress(BadRecord):
        if data is not None:
            yield Summary.from_json(data)


def _describe(summary: Summary, version: str) -> TrendPoint:
    measured, expected = summary.performance, summary.expectation
    return TrendPoint(
        run_id=summary.run_id,
        end=summary.end,
        version=version,
        coverage=measured.coverage if measured else None,
        f1=measured.figures.get("f1") if measured else None,
        expected_f1=expected.f1.value if expected else None,
        columns=tuple(
            ColumnPoint(
                column=column.column,
                title=column.title or column.name,
                unit=column.unit,
                missing=column.current.missing,
                mean=column.current.mean,
            )
            for column in summary.compared
        ),
    )


def _list_promotions(models: Bucket) -> Iterator[PromotionMarker]:
    """The latest entries of the ledger, the oldest first; a damaged one is left out."""
    entries = [listed.key for listed in models.list(keys.LEDGER)][-PROMOTIONS:]
    for data in objects(models, entries):
        with suppress(BadRecord):
            if data is not None:
                entry = LedgerEntry.from_json(data)
                yield PromotionMarker(
                    promoted_at=entry.promoted_at, version=entry.version, action=entry.action
                )
