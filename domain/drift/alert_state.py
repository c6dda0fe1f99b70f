"""What has been told and what is still to be told: `alerts/state.json`.

A run moves the incident and enters its announcement in one compare-and-set, then delivers what is
owed: it claims an announcement, sends it, strikes it off. So of many parallel or repeated runs of
one window one sends; a crash in between costs one duplicate at most; and what a channel refused
is tried again by every scheduled run that comes after, whatever that one finds.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self, get_args

from domain.drift.incident import Incident, Transition
from domain.errors import BadRecord

Channel = Literal["event", "topic", "mail"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)

CLAIM_MILLIS = 3 * 60 * 1000
"""A claim this old belongs to a run that died: three channels with three attempts of ten seconds
take half as long."""
MAXIMUM_OWED = 10
"""Announcements that wait for a mail server; the oldest are given up beyond that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A transition that is to be told, by the runs that made it.

    `channels` haven't taken it yet. `claimed_at`: since when somebody is sending it (UTC ms), 0
    for nobody.
    """

    transition: Transition
    run_ids: tuple[str, ...]
    channels: tuple[Channel, ...] = CHANNELS
    claimed_at: int = 0

    def is_claimed(self, now: int) -> bool:
        """Whether somebody else is sending it at `now` (UTC milliseconds)."""
        return now - self.claimed_at < CLAIM_MILLIS

    def is_same(self, other: "Announcement") -> bool:
        """Whether both tell the same, whoever sends them."""
        return (self.transition, self.run_ids) == (other.transition, other.run_ids)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of `asdict`; raises ValueError, KeyError or TypeError."""
        channels, run_ids = tuple(fields["channels"]), tuple(fields["run_ids"])
        if not set(channels) <= set(CHANNELS) or type(fields["claimed_at"]) is not int:
            raise ValueError("announcement")
        if not all(isinstance(run_id, str) for run_id in run_ids):
            raise TypeError("run ids are names")
        transition = Transition(fields["transition"])
        nested = {"transition": transition, "run_ids": run_ids, "channels": channels}
        return cls(**{**fields, **nested})


@dataclass(frozen=True, slots=True)
class AlertState:
    """The incident of the daily runs, that of the weekly look back, and what is owed."""

    incident: Incident = field(default_factory=Incident)
    late: Incident = field(default_factory=Incident)
    owed: tuple[Announcement, ...] = ()

    @property
    def worst(self) -> Incident:
        """The incident to show: an open one before a closed one, then the more serious."""
        return max(self.incident, self.late, key=lambda i: (i.is_open, i.outcome.severity))

    def owing(self, announcement: Announcement) -> Self:
        """With one more to tell."""
        return replace(self, owed=(*self.owed, announcement)[-MAXIMUM_OWED:])

    def claimed(self, announcement: Announcement, now: int) -> Self | None:
        """With it claimed at `now` (UTC ms); None when it is told or somebody is sending it."""
        for known in self.owed:
            if known.is_same(announcement) and not known.is_claimed(now):
                return self.settled(known, replace(known, claimed_at=now))
        return None

    def settled(self, old: Announcement, new: Announcement | None) -> Self:
        """With `new` in the place of `old`, or nothing."""
        kept = (new if known.is_same(old) else known for known in self.owed)
        return replace(self, owed=tuple(known for known in kept if known is not None))

    def to_json(self) -> bytes:
        """The object's content."""
        return json.dumps(asdict(self), indent=2).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The inverse of `to_json`; raises BadRecord."""
        try:
            fields = json.loads(data)
            return cls(
                incident=Incident.from_dict(fields["incident"]),
                # An older state knows neither.
                late=Incident.from_dict(fields.get("late") or asdict(Incident())),
                owed=tuple(map(Announcement.from_dict, fields.get("owed", ()))),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadRecord(f"The alert state can't be decoded ({type(error).__name__}).") from None
