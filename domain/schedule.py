"""When a schedule is due: cron expressions of EventBridge Scheduler, in UTC.

Understood are numbers, names, lists, ranges, steps, ``*``, ``?``, and ``L`` for the last day of a
month. A schedule that uses anything else has no known times.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from domain import times

LOOK_BACK = "cron(0 16 ? * MON *)"
LOOK_BACK_DAYS = 28
"""Labels come late, so performance over this many days is measured again every week."""

SEARCHED_DAYS = 366
"""How far ahead the next time is searched."""

_EXPRESSION = re.compile(r"cron\(\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*\)")
_STEP = re.compile(r"(?P<range>[^/]+)/(?P<step>[1-9]\d*)")
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if number}
_WEEKDAYS = {
    name: number
    for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)
}
_LAST = "L"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron expression, decoded. Weekdays are numbered from Sunday, which is 1."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    years: frozenset[int]
    on_last_day: bool = False

    @classmethod
    def parse(cls, expression: str) -> "Schedule | None":
        """Decode an expression; None for one whose times this module does not understand."""
        found = _EXPRESSION.fullmatch(expression)
        if found is None:
            return None
        minutes, hours, days, months, weekdays, years = found.groups()
        try:
            return cls(
                minutes=_numbers(minutes, 0, 59),
                hours=_numbers(hours, 0, 23),
                days=frozenset() if days == _LAST else _numbers(days, 1, 31),
                months=_numbers(months, 1, 12, _MONTHS),
                weekdays=_numbers(weekdays, 1, 7, _WEEKDAYS),
                years=_numbers(years, 1970, 2199),
                on_last_day=days == _LAST,
            )
        except ValueError:
            return None

    def list_due(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Every time with ``start < time <= end``, the earliest first."""
        day, last = start.astimezone(UTC).date(), end.astimezone(UTC).date()
        while day <= last:
            for at in self._times_of(day):
                if start < at <= end:
                    yield at
            day += times.DAY

    def find_next(self, now: datetime) -> datetime | None:
        """The first time after `now`; None if there is none within a year."""
        return next(self.list_due(now, now + timedelta(days=SEARCHED_DAYS)), None)

    def _times_of(self, day: date) -> Iterator[datetime]:
        if self._includes(day):
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    yield times.start_of(day) + timedelta(hours=hour, minutes=minute)

    def _includes(self, day: date) -> bool:
        is_last = day.day == calendar.monthrange(day.year, day.month)[1]
        return (
            day.year in self.years
            and day.month in self.months
            and (is_last if self.on_last_day else day.day in self.days)
            and day.isoweekday() % 7 + 1 in self.weekdays
        )


def _numbers(
    field: str, lowest: int, highest: int, names: dict[str, int] | None = None
) -> frozenset[int]:
    """The numbers that a field of a cron expression allows; raises ValueError for other syntax."""
    found: set[int] = set()
    for part in field.split(","):
        stepped = _STEP.fullmatch(part)
        span, step = (stepped["range"], int(stepped["step"])) if stepped else (part, 1)
        if span in ("*", "?"):
            first, last = lowest, highest
        else:
            ends = [_number(text, names or {}) for text in span.split("-", 1)]
            # A step without a range runs to the end of the field.
            first, last = ends[0], highest if stepped and len(ends) == 1 else ends[-1]
        if not lowest <= first <= last <= highest:
            raise ValueError("out of range")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, names: dict[str, int]) -> int:
    return names[text.upper()] if text.upper() in names else int(text)
