"""The open incidents and the notifications still to be delivered: `alerts/state.json`.

A scheduled run updates the incident and adds an announcement to the pending ones in a single
compare-and-swap. It then delivers whatever is pending: it claims an announcement, sends it, and
removes it. This guarantees:

- of several parallel or repeated runs over one window, one sends;
- a run that dies while it sends causes one duplicate at most;
- an announcement that a channel refused is retried by every later scheduled run, whatever that run
  finds itself.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, Self, get_args

from domain import typed_json
from domain.drift.acknowledgement import KINDS, Kind
from domain.drift.drift import Outcome
from domain.drift.incident import Incident, Transition
from domain.errors import BadRecord

Channel = Literal["event", "topic", "mail", "webhook"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)

CLAIM_MS = 3 * 60 * 1000
"""A claim older than this belongs to a run that died. The slowest channels, of which the bus makes
three attempts of ten seconds and the webhook takes thirty seconds, together take half as long."""
MAXIMUM_PAST = 100
MAXIMUM_PENDING = 10
"""Announcements that wait while a channel refuses them. Beyond this number the oldest are dropped.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A transition of an incident, and the runs that caused it, to be sent to people and machines.

    `channels` are those that have not accepted it yet. `claimed_by` names the run that is sending
    it since `claimed_at` (UTC milliseconds); it is empty while no run is sending it. `attempts`
    counts the runs that have claimed it.
    """

    transition: Transition
    run_ids: tuple[str, ...]
    channels: tuple[Channel, ...] = CHANNELS
    claimed_at: int = 0
    claimed_by: str = ""
    attempts: int = 0

    def is_claimed(self, *, now: int, owner: str) -> bool:
        """Whether a run other than `owner` is sending it at `now` (UTC milliseconds).

        A claim from far in the future comes from a wrong clock, and counts as expired.
        """
        others = self.claimed_by not in ("", owner)
        return others and abs(now - self.claimed_at) < CLAIM_MS

    def is_same(self, other: "Announcement") -> bool:
        """Whether both announce the same transition of the same runs, whoever sends them."""
        return (self.transition, self.run_ids) == (other.transition, other.run_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastIncident:
    """An incident that has recovered. Times are UTC milliseconds: ends of windows."""

    kind: Kind
    opened_at: int
    closed_at: int
    outcome: Outcome
    drifted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlertState:
    """The incident of the daily runs, the incident of the weekly look-back, pending announcements.

    `past`: incidents that have recovered, the latest first, up to MAXIMUM_PAST. The methods return
    a changed copy; storing it is up to the caller.
    """

    incident: Incident = field(default_factory=Incident)
    look_back: Incident = field(default_factory=Incident)
    pending: tuple[Announcement, ...] = ()
    past: tuple[PastIncident, ...] = ()

    @property
    def open_incidents(self) -> tuple[tuple[Kind, Incident], ...]:
        """The open ones, each with its kind."""
        both = zip(KINDS, (self.incident, self.look_back), strict=True)
        return tuple((kind, incident) for kind, incident in both if incident.is_open)

    def advance(self, kind: Kind, incident: Incident) -> Self:
        """Replace an incident by its next state; one that has closed joins `past`."""
        before = self.incident if kind == "daily" else self.look_back
        past = self.past
        if before.opened_at is not None and not incident.is_open:
            closed = PastIncident(
                kind=kind,
                opened_at=before.opened_at,
                closed_at=incident.last_window_end,
                outcome=before.outcome,
                drifted=before.drifted,
            )
            past = (closed, *past)[:MAXIMUM_PAST]
        if kind == "daily":
            return replace(self, incident=incident, past=past)
        return replace(self, look_back=incident, past=past)

    @property
    def worst(self) -> Incident:
        """The incident to show: an open one before a closed one, then the more serious."""
        return max(self.incident, self.look_back, key=lambda i: (i.is_open, i.outcome.severity))

    def with_pending(self, announcement: Announcement) -> Self:
        """Add an announcement; beyond MAXIMUM_PENDING the oldest is dropped."""
        return replace(self, pending=(*self.pending, announcement)[-MAXIMUM_PENDING:])

    def find(self, announcement: Announcement) -> Announcement | None:
        """The pending announcement that is the same as the given one, in its current state."""
        return next((known for known in self.pending if known.is_same(announcement)), None)

    def claim(self, announcement: Announcement, *, now: int, owner: str) -> Self | None:
        """Mark an announcement as being sent by `owner` since `now` (UTC milliseconds).

        None when it is no longer pending, when another run is sending it, and when another run
        has tried to send it since the caller read `announcement`.
        """
        known = self.find(announcement)
        if known is None or known.is_claimed(now=now, owner=owner):
            return None
        tried_since = announcement.claimed_by or known.attempts != announcement.attempts
        if tried_since and not known.claimed_by:
            return None
        claimed = replace(known, claimed_at=now, claimed_by=owner, attempts=known.attempts + 1)
        return self.replace(known, claimed)

    def replace(self, old: Announcement, new: Announcement | None) -> Self:
        """Put `new` in the place of `old`; None removes `old`."""
        kept = (new if known.is_same(old) else known for known in self.pending)
        return replace(self, pending=tuple(known for known in kept if known is not None))

    def to_json(self) -> bytes:
        """The object's content."""
        return json.dumps(asdict(self), indent=2).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The inverse of `to_json`; raises BadRecord."""
        try:
            fields = json.loads(data)
            # Without these, an open incident would be forgotten and announced again.
            for name in ("outcome", "drifted", "last_window_end"):
                fields["incident"][name]
            return typed_json.decode(cls, fields)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise BadRecord(f"The alert state can't be decoded ({type(error).__name__}).") from None
