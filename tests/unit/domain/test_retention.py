"""Retention: what a stage may say, and what readers say of what has expired."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from domain.drift.window import LastRows, Window
from domain.errors import BadWindow
from domain.retention import Retention, find_problems

NOW = datetime(2026, 3, 10, 5, tzinfo=UTC)
KEPT = Retention(log=40)


def test_it_survives_its_text_and_keeps_all_by_default() -> None:
    assert KEPT == Retention.parse(KEPT.to_text())
    assert ("", Retention()) == (Retention().to_text(), Retention.parse(None))


@pytest.mark.parametrize(
    ("day", "refused"),
    [(date(2026, 1, 29), True), (date(2026, 1, 30), False), (date(2026, 3, 9), False)],
)
def test_a_window_that_begins_before_the_log_is_refused_with_the_first_day(
    day: date, refused: bool
) -> None:
    window = Window.of_day(day)
    if not refused:
        KEPT.check_window(window, now=NOW)
        return
    with pytest.raises(BadWindow, match="kept for 40 days, so what came before 2026-01-30 has"):
        KEPT.check_window(window, now=NOW)


def test_without_a_limit_and_for_the_last_rows_no_window_is_too_old() -> None:
    Retention().check_window(Window.of_day(date(1999, 1, 1)), now=NOW)
    KEPT.check_window(LastRows(5, before=NOW), now=NOW)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, []),
        ({"log": 35, "labels": 35, "datasets": 1}, []),
        ([], ["retention must be an object of days"]),
        ({"logs": 5}, ["retention.logs is not a setting"]),
        (
            {"log": 0, "reports": True, "scoring": "5"},
            [
                f"retention.{name} must be a whole number of days from 1 on"
                for name in ("log", "scoring", "reports")
            ],
        ),
        (
            {"log": 34, "labels": 33, "fallback": 1},
            [
                "retention.log must be at least 35",
                *(
                    f"retention.{name} must be at least retention.log, or predictions lose their"
                    " records"
                    for name in ("labels", "fallback")
                ),
            ],
        ),
    ],
)
def test_every_problem_of_the_table_is_named(document: Any, expected: list[str]) -> None:
    assert expected == find_problems(document)
