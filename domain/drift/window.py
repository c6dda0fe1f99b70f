"""Windows of the prediction log, in UTC: the start belongs to a window, the end does not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from domain import times
from domain.errors import BadWindow

MAXIMUM_ROWS = 1_000_000
MAXIMUM_DAYS = 366
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
AHEAD = 2 * times.DAY
"""How far in the future a window may end: today ends within this time in every time zone."""
OUTSIDE = "A window must lie between 1970 and the day after tomorrow."


@dataclass(frozen=True, slots=True)
class Window:
    """All predictions with ``start <= predicted_at < end``."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise BadWindow("A window must end after it starts.")
        if self.end - self.start > timedelta(days=MAXIMUM_DAYS):
            raise BadWindow(f"A window may span {MAXIMUM_DAYS} days at most.")

    @classmethod
    def of_day(cls, day: date) -> "Window":
        """Make the window of a whole UTC day."""
        start = times.start_of(day)
        return cls(start, start + times.DAY)

    @classmethod
    def yesterday(cls, now: datetime) -> "Window":
        """Make the window of the UTC day before `now`."""
        return cls.of_day(now.astimezone(UTC).date() - times.DAY)

    def days(self) -> list[date]:
        """The UTC days that the window overlaps, in order."""
        first, last = self.start.date(), (self.end - timedelta(microseconds=1)).date()
        return [first + times.DAY * n for n in range((last - first).days + 1)]


@dataclass(frozen=True, slots=True)
class LastRows:
    """The latest `rows` predictions before `before`."""

    rows: int
    before: datetime


def parse(request: Mapping[str, Any], *, now: datetime) -> Window | LastRows:
    """Decode the window that a request asks for; raises BadWindow.

    - ``{"day": "2026-01-31"}``
    - ``{"start": ..., "end": ...}``: ISO 8601 times or days, UTC when they have no offset
    - ``{"last_rows": 1000}``
    - ``{"time": ...}``, from the scheduler: the day before that time, or with ``"days": 28`` the 28
      days before it
    - ``{}``: the day before `now`
    """
    try:
        wanted = _parse(request, now)
    except OverflowError:  # beyond what a datetime can hold
        raise BadWindow(OUTSIDE) from None
    if isinstance(wanted, Window) and (wanted.start < EARLIEST or wanted.end > now + AHEAD):
        raise BadWindow(OUTSIDE)
    return wanted


def _parse(request: Mapping[str, Any], now: datetime) -> Window | LastRows:
    given = {key for key in ("day", "start", "end", "last_rows", "time", "days") if key in request}
    if given == {"day"}:
        return Window.of_day(_day(request["day"]))
    if given == {"start", "end"}:
        return Window(_instant(request["start"]), _instant(request["end"]))
    if given == {"last_rows"}:
        return LastRows(_count("last_rows", request["last_rows"], MAXIMUM_ROWS), before=now)
    if given <= {"time", "days"}:
        last = Window.yesterday(_instant(request["time"]) if "time" in request else now)
        days = _count("days", request.get("days", 1), MAXIMUM_DAYS)
        return Window(last.end - days * times.DAY, last.end)
    raise BadWindow("Give one of: day; start and end; last_rows.")


def _count(name: str, number: object, maximum: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= maximum:
        raise BadWindow(f"{name} must be a whole number from 1 to {maximum:,}.")
    return number


def _day(text: object) -> date:
    try:
        return date.fromisoformat(text)  # type: ignore[arg-type]  # a wrong type is refused below
    except (ValueError, TypeError):
        raise BadWindow("That is no day of the calendar: write one like 2026-01-31.") from None


def _instant(text: object) -> datetime:
    try:
        instant = datetime.fromisoformat(text)  # type: ignore[arg-type]  # refused below
    except (ValueError, TypeError):
        raise BadWindow("That is no time: write one like 2026-01-31T14:00:00Z.") from None
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
