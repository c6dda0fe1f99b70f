"""The list of drift runs: `runs/index.json`."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Self

from domain import typed_json
from domain.drift.drift import Outcome
from domain.drift.summary import MailStatus, Summary
from domain.errors import BadRecord

MAXIMUM_ENTRIES = 1_000
"""The index lists this many runs. Older ones keep their own objects."""


def keep_mail_status(before: MailStatus, now: MailStatus) -> MailStatus:
    """Merge a run's mail status with that of its repeat.

    A run that was mailed stays `sent`. One whose mail was refused stays `failed` until it is sent.
    """
    return before if before == "sent" or (before == "failed" and now != "sent") else now


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """One run, as lists show it."""

    run_id: str
    version: str | None
    start: int
    end: int
    computed_at: int
    scheduled: bool
    outcome: Outcome
    rows: int
    drifted: tuple[str, ...]
    reports: tuple[str, ...]
    mail: MailStatus

    @classmethod
    def of(cls, summary: Summary) -> Self:
        """Make the entry of one run."""
        return cls(
            run_id=summary.run_id,
            version=summary.version,
            start=summary.start,
            end=summary.end,
            computed_at=summary.computed_at,
            scheduled=summary.scheduled,
            outcome=summary.outcome,
            rows=summary.rows.distinct,
            drifted=tuple(column.column for column in summary.drifted),
            reports=summary.reports,
            mail=summary.mail,
        )


@dataclass(frozen=True, slots=True)
class _Stored:
    runs: tuple[IndexEntry, ...]


@dataclass(frozen=True, slots=True)
class RunIndex:
    """The latest runs, the newest window first."""

    entries: tuple[IndexEntry, ...] = ()

    def with_run(self, entry: IndexEntry) -> "RunIndex":
        """Add a run; beyond MAXIMUM_ENTRIES the oldest is dropped.

        A repeat replaces the run's entry, but stays marked as scheduled and as mailed.
        """
        for before in self.entries:
            if before.run_id == entry.run_id:
                scheduled, mail = before.scheduled, keep_mail_status(before.mail, entry.mail)
                entry = replace(entry, scheduled=entry.scheduled or scheduled, mail=mail)
        others = [other for other in self.entries if other.run_id != entry.run_id]
        ordered = sorted([*others, entry], key=lambda e: (e.end, e.computed_at), reverse=True)
        return RunIndex(tuple(ordered[:MAXIMUM_ENTRIES]))

    def to_json(self) -> bytes:
        """The object's content."""
        return json.dumps({"runs": [asdict(entry) for entry in self.entries]}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "RunIndex":
        """The inverse of `to_json`; raises BadRecord."""
        try:
            return cls(typed_json.from_json(_Stored, data).runs)
        except BadRecord as error:
            raise BadRecord(f"The run index can't be decoded: {error}") from None
