"""When schedules of EventBridge Scheduler are due."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.schedule import LOOK_BACK, Schedule

MONDAY = datetime(2026, 2, 2, 12, tzinfo=UTC)


def _due(expression: str, days: int) -> list[str]:
    schedule = Schedule.parse(expression)
    assert schedule is not None
    found = schedule.list_due(MONDAY, MONDAY + timedelta(days=days))
    return [f"{at:%m-%dT%H:%M}" for at in found]


@pytest.mark.parametrize(
    ("expression", "days", "expected"),
    [
        ("cron(0 14 * * ? *)", 2, ["02-02T14:00", "02-03T14:00"]),
        (LOOK_BACK, 8, ["02-02T16:00", "02-09T16:00"]),
        ("cron(30 6,18 ? * TUE-THU *)", 2, ["02-03T06:30", "02-03T18:30", "02-04T06:30"]),
        ("cron(0 0 1 * ? *)", 60, ["03-01T00:00", "04-01T00:00"]),
        ("cron(0 0 L * ? 2026)", 60, ["02-28T00:00", "03-31T00:00"]),
        ("cron(0/20 12 2 FEB ? *)", 1, ["02-02T12:20", "02-02T12:40"]),
        ("cron(15 10-14/2 ? 2 2 *)", 1, ["02-02T12:15", "02-02T14:15"]),
        ("cron(0 14 * * ? 2027)", 30, []),
    ],
)
def test_due_times_follow_the_expression(expression: str, days: int, expected: list[str]) -> None:
    assert expected == _due(expression, days)


def test_the_end_belongs_to_the_span_and_the_start_does_not() -> None:
    schedule = Schedule.parse("cron(0 12 * * ? *)")
    assert schedule is not None
    assert [MONDAY] == list(schedule.list_due(MONDAY - timedelta(days=1), MONDAY))
    assert MONDAY + timedelta(days=1) == schedule.find_next(MONDAY)


def test_a_schedule_without_a_further_time_has_no_next_one() -> None:
    schedule = Schedule.parse("cron(0 12 * * ? 2020)")
    assert schedule is not None
    assert schedule.find_next(MONDAY) is None


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "rate(1 day)",
        "cron(0 14 * * ?)",
        "cron(0 14 15W * ? *)",
        "cron(0 14 ? * 2#1 *)",
        "cron(0 14 ? * 5L *)",
        "cron(61 14 * * ? *)",
        "cron(0 5-2 * * ? *)",
        "cron(0/0 5 * * ? *)",
        "cron(, 5 * * ? *)",
    ],
)
def test_what_is_not_understood_has_no_times(expression: str) -> None:
    assert Schedule.parse(expression) is None
