"""Which predictions an execution may learn from: a window that ends when labels have matured.

Outcomes come at different times, the sick often first. So only predictions that are at least
`label_maturity_days` old count, whatever their label is and whenever it arrived.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Self

from domain import times
from domain.drift.window import MAXIMUM_DAYS

EXPECTED = (
    f'production must be false, {{"days": N}} with N from 1 to {MAXIMUM_DAYS}, or {{"from": TIME, '
    f'"to": TIME}} of at most {MAXIMUM_DAYS} days, such as 2026-01-31 or 2026-01-31T14:00:00Z'
)


@dataclass(frozen=True, slots=True)
class ProductionWindow:
    """The last `days` days before the labels' maturity, or from `start` to `end`.

    `days` of 0: no production rows.
    """

    days: int = 0
    start: datetime | None = None
    end: datetime | None = None

    @staticmethod
    def problems(document: object) -> list[str]:
        """What is wrong with decoded JSON; empty when `parse` takes it."""
        return [] if _read(document) else [EXPECTED]

    @classmethod
    def parse(cls, document: Mapping[str, object] | Literal[False]) -> Self:
        """Read what `problems` has no objection to."""
        return cls(*(_read(document) or (0, None, None)))

    def before(self, now: int, maturity_days: int) -> tuple[int, int] | None:
        """Start and end in UTC milliseconds; None for no rows.

        `now`: UTC milliseconds. The end is never later than `maturity_days` before it.
        """
        mature = now - maturity_days * times.DAY_MS
        if self.start is not None and self.end is not None:
            start, end = times.to_millis(self.start), min(times.to_millis(self.end), mature)
        else:
            start, end = mature - self.days * times.DAY_MS, mature
        return (max(start, 0), end) if max(start, 0) < end else None


def _read(document: object) -> tuple[int, datetime | None, datetime | None] | None:
    """Fields of a window; None when there are mistakes."""
    if document is False:
        return 0, None, None
    if not isinstance(document, Mapping):
        return None
    if set(document) == {"days"}:
        days = document["days"]
        valid = isinstance(days, int) and not isinstance(days, bool) and 1 <= days <= MAXIMUM_DAYS
        return (days, None, None) if valid else None
    if set(document) == {"from", "to"}:
        start, end = _instant(document["from"]), _instant(document["to"])
        if start and end and timedelta(0) < end - start <= timedelta(days=MAXIMUM_DAYS):
            return 0, start, end
    return None


def _instant(text: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)  # type: ignore[arg-type]  # another type is refused
    except (ValueError, TypeError):
        return None
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
