"""The alert life cycle: an incident opens, stays silent, escalates, recovers.

`alerts/state.json` holds the incident and, while a mail is under way, the claim on it. A
transition is claimed by compare-and-set, mailed, then settled; so of many parallel or repeated
runs of one window one sends, and a crash in between costs one duplicate at most.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from domain.drift import Outcome
from domain.errors import BadRecord

CLAIM_MILLIS = 15 * 60 * 1000
"""A claim this old belongs to a run that died: Lambda's longest run is as long."""


CALM_MILLIS = 24 * 60 * 60 * 1000
"""An incident cools down: it has recovered when the windows stayed quiet that long, two quiet days
in a row. One that comes and goes is one incident, with one mail, and not a mail every day.
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

    `moved_to`: end of the last scheduled window that moved it. `outcome` and `drifted` are the
    worst that was told, `opened_at` the end of the window that opened it; all empty while closed.
    `calm_since`: end of the first quiet window after the last one with drift.
    """

    moved_to: int = 0
    outcome: Outcome = Outcome.STABLE
    drifted: tuple[str, ...] = ()
    opened_at: int | None = None
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
        verdict. It gets worse with a more serious outcome or a column that hasn't been told.
        """
        if end <= self.moved_to or not outcome.is_verdict:
            return Transition.NONE, self
        if not outcome.is_drift:
            return self._calmer(end)
        moved = replace(self, moved_to=end, calm_since=None)
        columns = tuple(sorted({*self.drifted, *drifted}))
        if not self.is_open:
            opened = replace(moved, outcome=outcome, drifted=columns, opened_at=end)
            return Transition.OPEN, opened
        if outcome.severity > self.outcome.severity or columns != self.drifted:
            worst = max(outcome, self.outcome, key=lambda o: o.severity)
            return Transition.ESCALATE, replace(moved, outcome=worst, drifted=columns)
        return Transition.SILENT, moved

    def _calmer(self, end: int) -> "tuple[Transition, Incident]":
        """After a window without drift."""
        if not self.is_open:
            return Transition.SILENT, Incident(moved_to=end)
        if self.calm_since is not None and end - self.calm_since >= CALM_MILLIS:
            return Transition.RECOVER, Incident(moved_to=end)
        since = end if self.calm_since is None else self.calm_since
        return Transition.SILENT, replace(self, moved_to=end, calm_since=since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A mail that somebody is sending, and what the incident will be when it is sent."""

    transition: Transition
    claimed_at: int
    becomes: Incident


@dataclass(frozen=True, slots=True)
class AlertState:
    """The content of `alerts/state.json`."""

    incident: Incident = Incident()
    claim: Claim | None = None

    def is_claimed(self, now: int) -> bool:
        """Whether somebody else is sending at `now` (UTC milliseconds)."""
        return self.claim is not None and now - self.claim.claimed_at < CLAIM_MILLIS

    def to_json(self) -> bytes:
        """The object's content."""
        return json.dumps(asdict(self), indent=2).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "AlertState":
        """The inverse of `to_json`; raises BadRecord."""
        try:
            fields = json.loads(data)
            claim = fields["claim"]
            return cls(
                incident=_incident(fields["incident"]),
                claim=claim
                and Claim(
                    transition=Transition(claim["transition"]),
                    claimed_at=int(claim["claimed_at"]),
                    becomes=_incident(claim["becomes"]),
                ),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise BadRecord(f"The alert state can't be decoded ({type(error).__name__}).") from None


def _incident(fields: dict[str, object]) -> Incident:
    nested = {
        "outcome": Outcome(str(fields["outcome"])),
        "drifted": tuple(fields["drifted"]),  # type: ignore[arg-type]  # a wrong type raises TypeError
    }
    return Incident(**{**fields, **nested})  # type: ignore[arg-type]  # so does a wrong field
