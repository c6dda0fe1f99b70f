"""Requests for drift runs, from the scheduler, from an event or from a person."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal, Self

from domain import typed_json
from domain.drift import window
from domain.drift.window import LastRows, Window
from domain.errors import BadRecord, BadWindow
from domain.typed_json import Json

UNREPLACED_TIME = "<aws.scheduler.scheduled-time>"
"""AWS replaces this placeholder by the scheduled time; the emulator sends it as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRequest:
    """One request for a drift run.

    `scheduled` runs change the incident. `mail`: whether a run on demand should send a mail when it
    finds drift. `look_back`: the window spans several days, for labels that arrived late.
    """

    window: Window | LastRows
    scheduled: bool
    mail: bool
    look_back: bool = False

    @classmethod
    def parse(cls, event: Mapping[str, Any], *, now: datetime) -> Self:
        """Decode an invocation's payload; raises BadWindow.

        The payload is the request itself, or an EventBridge event whose `detail` is the request.
        """
        request = event["detail"] if "detail-type" in event else event
        if not isinstance(request, Mapping):
            raise BadWindow("A request must be an object.")
        fields = dict(request)
        if fields.get("time") == UNREPLACED_TIME:
            del fields["time"]
        flags = {name: fields.get(name, False) for name in ("scheduled", "mail")}
        wrong = [name for name, value in flags.items() if not isinstance(value, bool)]
        if wrong:
            raise BadWindow(" and ".join(wrong) + " must be true or false.")
        return cls(window=window.parse(fields, now=now), look_back="days" in fields, **flags)


LONGEST_RUN_MS = 15 * 60 * 1000
"""Lambda stops a run that takes longer."""
CUT_OFF = "The run took longer than 15 minutes and was stopped; ask for fewer days or rows."

Status = Literal["pending", "running", "done", "failed"]
_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """`requests/<id>.json`: a run that somebody asked for, and its progress.

    The dashboard writes it as `pending` and publishes a `DriftRequested` event with `detail`; the
    drift function updates it from then on. `id` is a UUID. `requested_at` and `started_at` are UTC
    milliseconds. `request` is what `domain.drift.window.parse` reads, with an optional `mail`.
    `actor` is who asked: a person or a key, None in requests that others than the dashboard made.
    `problem` is a sentence. `owner` names the invocation that runs it; a repetition of an
    invocation that was killed has the same name.
    """

    id: str
    requested_at: int
    request: Mapping[str, Json]
    status: Status = "pending"
    started_at: int | None = None
    run_ids: tuple[str, ...] = ()
    problem: str | None = None
    owner: str | None = None
    actor: str | None = None

    def is_taken(self, *, now: int, owner: str) -> bool:
        """Whether the run is done, or another invocation is at it at `now` (UTC milliseconds)."""
        running = self.status == "running" and self.owner != owner and not self._is_cut_off(now)
        return self.status == "done" or running

    def as_of(self, now: int) -> Self:
        """The record as people should see it at `now`: a run that was cut off has failed."""
        if self.status == "running" and self._is_cut_off(now):
            return replace(self, status="failed", problem=CUT_OFF)
        return self

    def _is_cut_off(self, now: int) -> bool:
        # A start far in the future comes from a wrong clock.
        return self.started_at is None or abs(now - self.started_at) >= LONGEST_RUN_MS

    @property
    def detail(self) -> dict[str, Json]:
        """The detail of the `DriftRequested` event."""
        return {**self.request, "request_id": self.id}

    def to_json(self) -> bytes:
        """The object's content."""
        return json.dumps(asdict(self), indent=2).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "RequestRecord":
        """The inverse of `to_json`; raises BadRecord."""
        try:
            record = typed_json.from_json(cls, data)
            check_id(record.id)
            if not all(
                0 <= time < 10**14 for time in (record.requested_at, record.started_at or 0)
            ):
                raise BadRecord("A time of the request is none.")
        except (BadRecord, BadWindow) as error:
            raise BadRecord(f"A request can't be decoded: {error}") from None
        return record


def check_id(text: object) -> str:
    """Return the text if it is a request's id, a lower-case UUID; raises BadWindow."""
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise BadWindow("A request's id is a UUID.")
    return text
