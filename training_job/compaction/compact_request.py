"""What a compaction is asked to do."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain import times

CLOSED_DAYS = 2
"""A day this long ago is closed: Firehose tries for 24 hours to deliver what it holds."""
USUAL_DAYS = 7
"""How many days back a compaction looks. Retention counts from when an object was written, so the
rows of a merged object stay this much longer at most."""
MOST_DAYS = 3_650
GRACE_MS = 12 * times.HOUR_MS
"""Sources stay so long: longer than any step or function takes that lists the log and then reads
it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactRequest:
    """`days`: how far back it looks, in days. `dry_run`: change nothing."""

    days: int
    dry_run: bool = False

    @staticmethod
    def problems(document: object) -> list[str]:
        """What is wrong with decoded JSON; empty when a `CompactRequest` can be made of it."""
        if not isinstance(document, Mapping):
            return ["compact must be a JSON object with days"]
        fields: dict[str, object] = dict(document)
        known = ("days", "dry_run")
        problems = [f"compact.{name} is not known" for name in fields if name not in known]
        days = fields.get("days")
        if not isinstance(days, int) or isinstance(days, bool) or not _is_in_reach(days):
            problems.append(
                f"compact.days must be a whole number from {CLOSED_DAYS} to {MOST_DAYS}"
            )
        if not isinstance(fields.get("dry_run", False), bool):
            problems.append("compact.dry_run must be true or false")
        return problems


def _is_in_reach(days: int) -> bool:
    return CLOSED_DAYS <= days <= MOST_DAYS
