"""The prediction log for people: its latest records and its days, never a feature."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Any

from adapters.athena import Athena
from adapters.rest import Problem
from domain import keys, times
from domain.contract import views
from domain.errors import BadKey

LATEST = 100
RECENT_DAYS = 7
"""How far back the latest records are looked for when no day is named."""
TRAFFIC_DAYS = 30

COLUMNS = "prediction_id, predicted_at, model_version, probability, threshold, predicted, source"


@dataclass(frozen=True, slots=True)
class Predictions:
    """The log through Athena. Of copies of a prediction the earliest counts, as everywhere."""

    athena: Athena

    def latest(self, *, day: str | None, version: str | None, now: datetime) -> dict[str, Any]:
        """Up to LATEST records of a day (else of the last RECENT_DAYS), the newest first."""
        first, after = _span(day, now)
        _, rows = self.athena.query(
            f"SELECT {COLUMNS} {_of_days(first, after, _version(version))} "
            f"ORDER BY predicted_at DESC LIMIT {LATEST}"
        )
        return {
            "from": first.isoformat(),
            "limit": LATEST,
            "predictions": [_record(r) for r in rows],
        }

    def traffic(self, *, now: datetime) -> dict[str, Any]:
        """Per UTC day of the last TRAFFIC_DAYS: how many predictions, how many positive."""
        after = now.date() + times.DAY
        first = after - timedelta(days=TRAFFIC_DAYS)
        # Days by integer division: both Athena's Trino and an emulator's DuckDB know it.
        day = f"CAST(floor(predicted_at / {times.DAY_MS}.0) AS bigint)"
        _, rows = self.athena.query(
            f"SELECT {day} AS day, count(*) AS predictions, "
            "sum(CASE WHEN predicted THEN 1 ELSE 0 END) AS positives "
            f"{_of_days(first, after, None)} GROUP BY 1 ORDER BY 1"
        )
        counted = {int(d or 0): (int(n or 0), int(p or 0)) for d, n, p in rows}
        days = [first + times.DAY * n for n in range(TRAFFIC_DAYS)]
        return {"days": [_day(d, counted) for d in days]}


def _span(day: str | None, now: datetime) -> tuple[date, date]:
    if not day:
        after = now.date() + times.DAY
        return after - timedelta(days=RECENT_DAYS), after
    try:
        first = date.fromisoformat(day)
        return first, first + times.DAY
    except (ValueError, OverflowError):
        detail = "A day looks like 2026-01-31."
        raise Problem(HTTPStatus.BAD_REQUEST, "Bad day", detail) from None


def _version(version: str | None) -> str | None:
    try:
        return keys.checked_version(version) if version else None
    except BadKey as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "Bad version", str(error)) from None


def _of_days(first: date, after: date, version: str | None) -> str:
    """FROM the log's records of ``first <= day < after``, without copies.

    Firehose dates a partition by its object's oldest record, so the neighbours are read too.
    """
    start, end = (times.to_millis(times.start_of(d)) for d in (first, after))
    where = f"predicted_at >= {start} AND predicted_at < {end}"
    if version:
        where += f" AND model_version = '{version}'"
    return f"FROM {views.predictions_between(first - times.DAY, after)} WHERE {where}"


def _record(row: list[str | None]) -> dict[str, Any]:
    fields: dict[str, Any] = dict(zip(COLUMNS.split(", "), row, strict=True))
    numbers: Mapping[str, type[int] | type[float]] = {
        "predicted_at": int,
        "probability": float,
        "threshold": float,
    }
    for name, kind in numbers.items():
        if fields[name] is not None:  # an old record has no value in a column that came later
            fields[name] = kind(fields[name])
    if fields["predicted"] is not None:
        fields["predicted"] = str(fields["predicted"]).lower() == "true"
    return fields


def _day(day: date, counted: Mapping[int, tuple[int, int]]) -> dict[str, Any]:
    number = times.to_millis(times.start_of(day)) // times.DAY_MS
    predictions, positives = counted.get(number, (0, 0))
    return {"day": day.isoformat(), "predictions": predictions, "positives": positives}
