"""How times are written: UTC milliseconds in records, basic ISO 8601 in names.

Also the two durations that several components share: a day, and the clock skew they allow for.
"""

from datetime import UTC, date, datetime, timedelta

NAME_FORMAT = "%Y%m%dT%H%M%SZ"
DAY = timedelta(days=1)
DAY_MS = 86_400_000
HOUR_MS = 3_600_000

CLOCK_SKEW = timedelta(minutes=5)
"""How far the clocks of clients, of our functions and of S3 may differ.

Whoever compares times from two clocks adds it on the side that keeps a row: a label may have been
observed this far in the future, and an object may have been stored this long before the rows in it
were predicted.
"""
CLOCK_SKEW_MS = 300_000


def to_millis(instant: datetime) -> int:
    """Convert an aware instant to UTC milliseconds since the epoch."""
    return round(instant.timestamp() * 1000)


def from_millis(millis: int) -> datetime:
    """Convert UTC milliseconds since the epoch to an aware instant."""
    return datetime.fromtimestamp(millis / 1000, UTC)


def to_name(instant: datetime) -> str:
    """Format as ``YYYYMMDDTHHMMSSZ``, for object keys and run ids."""
    return instant.astimezone(UTC).strftime(NAME_FORMAT)


def from_name(text: str) -> datetime:
    """The inverse of `to_name`; raises ValueError."""
    return datetime.strptime(text, NAME_FORMAT).replace(tzinfo=UTC)


def start_of(day: date) -> datetime:
    """Midnight UTC at the start of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def describe_hours(hours: float) -> str:
    """``1 hour``, ``1.5 hours``, ``72 hours``."""
    return f"{hours:g} hour{'' if hours == 1 else 's'}"
