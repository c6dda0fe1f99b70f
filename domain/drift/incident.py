"""An incident: it opens, stays silent while nothing gets worse, escalates, recovers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from domain.drift.drift import Outcome

DAY_MILLIS = 24 * 60 * 60 * 1000

CALM_MILLIS = DAY_MILLIS
"""An incident cools down: it has recovered when the windows stayed quiet that long, two quiet days
in a row. One that comes and goes is one incident, with one mail, and not a mail every day.
"""
PAUSE_MILLIS = 7 * DAY_MILLIS
"""So long after a mail, another drifted column alone is no reason for the next one: under one
lasting shift the borderline columns come in one by one.
"""


class Transition(StrEnum):
    """What a scheduled run does to the incident."""

    NONE = "none"
    OPEN = "open"
    SILENT = "silent"
    ESCALATE = "escalate"
    RECOVER = "recover"

    @property
    def is_announced(self) -> bool:
        """Whether people are told."""
        return self in (Transition.OPEN, Transition.ESCALATE, Transition.RECOVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What has been told so far.

    `moved_to`: end of the last scheduled window that moved it. `outcome` and `drifted` (columns,
    or versions that do worse, by what the incident is about) are the worst that was told,
    `opened_at` the end of the window that opened it, `told_at` of the last one that was told; all
    empty while closed. `calm_since`: end of the first quiet window after the last one with drift.
    """

    moved_to: int = 0
    outcome: Outcome = Outcome.STABLE
    drifted: tuple[str, ...] = ()
    opened_at: int | None = None
    told_at: int | None = None
    calm_since: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is an unresolved alert."""
        return self.opened_at is not None

    def after(
        self, *, outcome: Outcome, drifted: Iterable[str], end: int
    ) -> "tuple[Transition, Incident]":
        """How a scheduled window changes it; `end` of the window in UTC milliseconds.

        A window that doesn't end after the last one changes nothing, nor does one without a
        verdict. It gets worse with a more serious outcome, or, PAUSE_MILLIS after the last
        mail, with a name in `drifted` that hasn't been told.
        """
        if end <= self.moved_to or not outcome.is_verdict:
            return Transition.NONE, self
        if not outcome.is_drift:
            return self._calmer(end)
        moved = replace(self, moved_to=end, calm_since=None)
        columns = tuple(sorted({*self.drifted, *drifted}))
        if self.opened_at is None:
            told = replace(moved, outcome=outcome, drifted=columns, opened_at=end, told_at=end)
            return Transition.OPEN, told
        paused = end - (self.told_at or self.opened_at) >= PAUSE_MILLIS
        if outcome.severity > self.outcome.severity or (paused and columns != self.drifted):
            worst = max(outcome, self.outcome, key=lambda o: o.severity)
            told = replace(moved, outcome=worst, drifted=columns, told_at=end)
            return Transition.ESCALATE, told
        return Transition.SILENT, moved

    def _calmer(self, end: int) -> "tuple[Transition, Incident]":
        """After a window without drift."""
        if not self.is_open:
            return Transition.SILENT, Incident(moved_to=end)
        if self.calm_since is not None and end - self.calm_since >= CALM_MILLIS:
            return Transition.RECOVER, Incident(moved_to=end)
        since = end if self.calm_since is None else self.calm_since
        return Transition.SILENT, replace(self, moved_to=end, calm_since=since)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Incident":
        """The inverse of `asdict`; raises ValueError, KeyError or TypeError."""
        times = ("opened_at", "told_at", "calm_since")
        numbers = [fields["moved_to"], *(fields.get(name) for name in times)]
        if any(type(number) is not int for number in numbers if number is not None):
            raise TypeError("times are numbers")
        drifted = tuple(fields["drifted"])
        if not all(isinstance(name, str) for name in drifted):
            raise TypeError("columns are names")
        nested = {"outcome": Outcome(fields["outcome"]), "drifted": drifted}
        return cls(**{**fields, **nested})
