"""The prediction log for the dashboard: latest records and counts per day, without features."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from http import HTTPStatus

from adapters.api.rest import Problem
from adapters.athena import Athena
from domain import keys, times
from domain.api.answers import DayCount, LatestPredictions, LoggedPrediction, Traffic
from domain.contract import views
from domain.errors import BadKey
from domain.typed_json import encode

LATEST = 100
RECENT_DAYS = 7
"""The latest records are searched in this many days if no day is given."""
TRAFFIC_DAYS = 30

COLUMNS = ", ".join(field.name for field in fields(LoggedPrediction))


@dataclass(frozen=True, slots=True)
class Predictions:
    """The log, queried through Athena. Of several copies of a prediction the earliest counts."""

    athena: Athena

    def latest(self, *, day: str | None, version: str | None, now: datetime) -> LatestPredictions:
        """Find up to LATEST records of a day, or of the last RECENT_DAYS, the newest first."""
        first, after = _parse_day(day, now)
        _, rows = self.athena.query(
            f"SELECT {COLUMNS} {_select_days(first, after, _check_version(version))} "
            f"ORDER BY predicted_at DESC LIMIT {LATEST}"
        )
        return {
            "from": first.isoformat(),
            "limit": LATEST,
            "predictions": [encode(_decode_record(row)) for row in rows],
        }

    def traffic(self, *, now: datetime) -> Traffic:
        """Count predictions, and positive ones, for each UTC day of the last TRAFFIC_DAYS.

        Those that somebody only tried are left out.
        """
        after = now.date() + times.DAY
        first = after - timedelta(days=TRAFFIC_DAYS)
        # Days by division, which both Athena's Trino and the emulator's DuckDB support.
        day = f"CAST(floor(predicted_at / {times.DAY_MS}.0) AS bigint)"
        _, rows = self.athena.query(
            f"SELECT {day} AS day, count(*) AS predictions, "
            "sum(CASE WHEN predicted THEN 1 ELSE 0 END) AS positives "
            f"{_select_days(first, after, None)} AND {views.NO_TEST} GROUP BY 1 ORDER BY 1"
        )
        counted = {int(d or 0): (int(n or 0), int(p or 0)) for d, n, p in rows}
        days = [first + times.DAY * n for n in range(TRAFFIC_DAYS)]
        return Traffic(tuple(_count_day(d, counted) for d in days))


def _parse_day(day: str | None, now: datetime) -> tuple[date, date]:
    if not day:
        after = now.date() + times.DAY
        return after - timedelta(days=RECENT_DAYS), after
    try:
        first = date.fromisoformat(day)
        _ = first - times.DAY  # the query reads this day's folder, too
        return first, first + times.DAY
    except (ValueError, OverflowError):
        detail = "That is no day of the calendar: write one like 2026-01-31."
        raise Problem(HTTPStatus.BAD_REQUEST, "Bad day", detail) from None


def _check_version(version: str | None) -> str | None:
    try:
        return keys.check_version(version) if version else None
    except BadKey as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "Bad version", str(error)) from None


def _select_days(first: date, after: date, version: str | None) -> str:
    """Write the FROM clause for records of ``first <= day < after``, without copies.

    Firehose files an object under the day of its oldest record, so neighbours are read, too.
    """
    start, end = (times.to_millis(times.start_of(d)) for d in (first, after))
    where = f"predicted_at >= {start} AND predicted_at < {end}"
    if version:
        where += f" AND model_version = '{version}'"
    return f"FROM {views.predictions_between(first - times.DAY, after)} WHERE {where}"


def _decode_record(row: list[str | None]) -> LoggedPrediction:
    prediction_id, predicted_at, model_version, probability, threshold, predicted, source, ref = row
    return LoggedPrediction(
        prediction_id=prediction_id,
        predicted_at=None if predicted_at is None else int(predicted_at),
        model_version=model_version,
        probability=None if probability is None else float(probability),
        threshold=None if threshold is None else float(threshold),
        predicted=None if predicted is None else predicted.lower() == "true",
        source=source,
        reference=ref,
    )


def _count_day(day: date, counted: Mapping[int, tuple[int, int]]) -> DayCount:
    number = times.to_millis(times.start_of(day)) // times.DAY_MS
    predictions, positives = counted.get(number, (0, 0))
    return DayCount(day=day.isoformat(), predictions=predictions, positives=positives)
