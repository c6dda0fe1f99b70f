"""Instants as they are written: UTC milliseconds in records, basic ISO 8601 in names."""

from datetime import UTC, date, datetime, timedelta

NAME_FORMAT = "%Y%m%dT%H%M%SZ"
DAY = timedelta(days=1)


def to_millis(instant: datetime) -> int:
    """An aware instant as UTC milliseconds since the epoch."""
    return round(instant.timestamp() * 1000)


def from_millis(millis: int) -> datetime:
    """UTC milliseconds since the epoch as an aware instant."""
    return datetime.fromtimestamp(millis / 1000, UTC)


def to_name(instant: datetime) -> str:
    """``YYYYMMDDTHHMMSSZ``, for object keys and run ids."""
    return instant.astimezone(UTC).strftime(NAME_FORMAT)


def from_name(text: str) -> datetime:
    """The inverse of `to_name`; raises ValueError."""
    return datetime.strptime(text, NAME_FORMAT).replace(tzinfo=UTC)


def start_of(day: date) -> datetime:
    """Midnight UTC at which a day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
