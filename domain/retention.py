"""How many days each kind of record is kept, and what a reader says of what has expired."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta

from domain.drift.window import Window
from domain.errors import BadWindow
from domain.plural import write_count

LEAST_LOG_DAYS = 35
"""Each week a drift run looks back over 28 days, and its alert may be repeated within a week."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Days since a record was stored after which it is deleted; None: never.

    `labels`: draws of predictions to be labelled too. `reports`: the summaries and pages of drift
    runs, and requests for them. `views`: who looked at a prediction.
    """

    log: int | None = None
    labels: int | None = None
    fallback: int | None = None
    datasets: int | None = None
    scoring: int | None = None
    reports: int | None = None
    views: int | None = None

    @classmethod
    def parse(cls, text: str | None) -> "Retention":
        """The inverse of `to_text`."""
        return cls(**json.loads(text)) if text else cls()

    def to_text(self) -> str:
        """One line of JSON, as environments and outputs hold it; empty when all is kept."""
        days = {name: number for name, number in self.days.items() if number is not None}
        return json.dumps(days, separators=(",", ":")) if days else ""

    @property
    def days(self) -> dict[str, int | None]:
        """Name → days."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def first_day(self, now: datetime) -> date | None:
        """The first UTC day of which the whole prediction log is left; None without a limit."""
        if self.log is None:
            return None
        return now.astimezone(UTC).date() - timedelta(days=self.log - 1)

    def check_window(self, window: object, *, now: datetime) -> None:
        """Raise BadWindow for a window that begins where the log has expired."""
        first = self.first_day(now)
        if first is None or self.log is None:
            return
        if not isinstance(window, Window) or window.start.date() >= first:
            return
        raise BadWindow(
            f"The prediction log is kept for {write_count(self.log, 'day')}, so what came before "
            f"{first} has expired: choose a window that begins then or later."
        )


def find_problems(document: object) -> list[str]:
    """What is wrong with a stage's table `retention`, as phrases; empty when it can be used."""
    if not isinstance(document, Mapping):
        return ["retention must be an object of days"]
    names = [field.name for field in fields(Retention)]
    problems = [f"retention.{name} is not a setting" for name in document if name not in names]
    problems += [
        f"retention.{name} must be a whole number of days from 1 on"
        for name in names
        if name in document and not _is_days(document[name])
    ]
    if problems or "log" not in document:
        return problems
    if document["log"] < LEAST_LOG_DAYS:
        problems.append(f"retention.log must be at least {LEAST_LOG_DAYS}")
    return problems + [
        f"retention.{name} must be at least retention.log, or predictions lose their records"
        for name in ("labels", "fallback")
        if name in document and document[name] < document["log"]
    ]


def _is_days(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
