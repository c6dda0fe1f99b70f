"""Windows: what a request may ask for, and what that means in UTC."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.drift import window
from domain.drift.window import LastRows, Window
from domain.errors import BadWindow

NOW = datetime(2026, 2, 1, 14, 0, 5, tzinfo=UTC)


def _utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]  # parts are year, month, ...


@pytest.mark.parametrize(
    ("request_", "start", "end"),
    [
        ({}, _utc(2026, 1, 31), _utc(2026, 2, 1)),
        ({"time": "2026-01-31T14:00:00Z"}, _utc(2026, 1, 30), _utc(2026, 1, 31)),
        ({"time": "2026-02-01T01:00:00+02:00"}, _utc(2026, 1, 30), _utc(2026, 1, 31)),
        ({"time": "2026-01-31T14:00:00Z", "days": 28}, _utc(2026, 1, 3), _utc(2026, 1, 31)),
        ({"days": 28}, _utc(2026, 1, 4), _utc(2026, 2, 1)),
        ({"day": "2026-02-02"}, _utc(2026, 2, 2), _utc(2026, 2, 3)),
        ({"day": "2024-02-29"}, _utc(2024, 2, 29), _utc(2024, 3, 1)),
        ({"start": "2026-01-01", "end": "2026-01-08"}, _utc(2026, 1, 1), _utc(2026, 1, 8)),
        (
            {"start": "2026-01-01T10:00:00", "end": "2026-01-01T13:00:00+01:00"},
            _utc(2026, 1, 1, 10),
            _utc(2026, 1, 1, 12),
        ),
    ],
)
def test_what_a_request_means(request_: dict[str, Any], start: datetime, end: datetime) -> None:
    assert Window(start, end) == window.parse(request_, now=NOW)


def test_the_last_rows_end_now() -> None:
    assert LastRows(1000, before=NOW) == window.parse({"last_rows": 1000}, now=NOW)


@pytest.mark.parametrize(
    "request_",
    [
        {"day": "yesterday"},
        {"day": 20260131},
        {"day": None},
        {"day": "2026-02-30"},
        {"start": "2026-01-01"},
        {"end": "2026-01-01"},
        {"start": "2026-01-02", "end": "2026-01-01"},
        {"start": "2026-01-01", "end": "2026-01-01"},
        {"start": "2024-01-01", "end": "2026-01-01"},
        {"start": "x", "end": "2026-01-01"},
        {"day": "2026-01-31", "last_rows": 5},
        {"last_rows": 0},
        {"last_rows": -1},
        {"last_rows": 1_000_001},
        {"last_rows": "1000"},
        {"last_rows": 10.0},
        {"last_rows": True},
        {"days": 0},
        {"days": 367},
        {"days": "28"},
        {"day": "2026-01-31", "days": 28},
        {"day": "1969-12-31"},
        {"day": "0001-01-01"},
        {"day": "9999-12-31"},
        {"day": "2026-02-04"},
        {"time": "0001-01-01T00:00:00Z"},
        {"start": "0001-01-01T00:00:00+14:00", "end": "0001-01-02"},
        {"start": "9999-12-31", "end": "9999-12-31T23:59:59-14:00"},
        {"start": "2026-01-01", "end": "2026-02-04"},
        {"time": "<aws.scheduler.scheduled-time>"},
    ],
)
def test_a_bad_request_is_one_sentence(request_: dict[str, Any]) -> None:
    with pytest.raises(BadWindow) as raised:
        window.parse(request_, now=NOW)
    assert str(raised.value).endswith(".")


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1971, 1, 1)))
def test_yesterday_is_the_day_before_and_touches_one_day(now: datetime) -> None:
    yesterday = Window.yesterday(now)
    assert [now.date() - timedelta(days=1)] == yesterday.days()
    assert yesterday.end <= now < yesterday.end + timedelta(days=1)


def test_a_window_touches_the_days_it_has_an_instant_in() -> None:
    touched = Window(_utc(2026, 1, 30, 23, 59), _utc(2026, 2, 1)).days()
    assert [date(2026, 1, 30), date(2026, 1, 31)] == touched
