"""What a drift run is asked for, by the scheduler, by an event or by a person."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal, Self, get_args

from domain.drift import window
from domain.drift.window import LastRows, Window
from domain.errors import BadRecord, BadWindow

UNREPLACED_TIME = "<aws.scheduler.scheduled-time>"
"""What the emulator's scheduler sends where AWS puts the scheduled time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRequest:
    """Which window, whether it moves the incident, and whether a mail is wanted on demand.

    `late`: it looks back over several days, for labels that have come since.
    """

    window: Window | LastRows
    scheduled: bool
    mail: bool
    look_back: bool = False

    @classmethod
    def parse(cls, event: Mapping[str, Any], *, now: datetime) -> Self:
        """Read an invocation's payload; raises BadWindow.

        The payload is the request itself, or an EventBridge event that carries it in `detail`.
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
"""The longest run: Lambda ends it then."""
CUT_OFF = "The run was cut off before it ended; ask for fewer days or rows."

Status = Literal["pending", "running", "done", "failed"]
_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """`requests/<id>.json`: a run that somebody asked for, and what became of it.

    Who asks writes it as `pending` and puts a `DriftRequested` event whose detail is `detail`; the
    drift function does the rest. `id` is a UUID, `requested_at` and `started_at` UTC milliseconds,
    `request` what `domain.drift.window.parse` reads, with an optional `mail`. `problem` is a
    sentence.
    """

    id: str
    requested_at: int
    request: Mapping[str, Any]
    status: Status = "pending"
    started_at: int | None = None
    run_ids: tuple[str, ...] = ()
    problem: str | None = None

    def is_taken(self, now: int) -> bool:
        """Whether it is done, or somebody is at it at `now` (UTC ms)."""
        return self.status == "done" or (self.status == "running" and not self._is_cut_off(now))

    def seen(self, now: int) -> Self:
        """As people should see it at `now`: a run that never came to an end has failed."""
        if self.status == "running" and self._is_cut_off(now):
            return replace(self, status="failed", problem=CUT_OFF)
        return self

    def _is_cut_off(self, now: int) -> bool:
        return self.started_at is None or now - self.started_at >= LONGEST_RUN_MS

    @property
    def detail(self) -> dict[str, Any]:
        """The event's detail."""
        return {**self.request, "request_id": self.id}

    def to_json(self) -> bytes:
        """The object's content."""
        return json.dumps(asdict(self), indent=2).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "RequestRecord":
        """The inverse of `to_json`; raises BadRecord."""
        try:
            fields = json.loads(data)
            if fields["status"] not in get_args(Status) or not isinstance(fields["request"], dict):
                raise ValueError("status")
            times = (fields["requested_at"], fields.get("started_at", 0) or 0)
            if not all(type(time) is int and 0 <= time < 10**14 for time in times):
                raise ValueError("time")
            return cls(
                **{**fields, "id": checked_id(fields["id"]), "run_ids": (*fields["run_ids"],)}
            )
        except (ValueError, KeyError, TypeError, BadWindow) as error:
            raise BadRecord(f"A request can't be decoded ({type(error).__name__}).") from None


def checked_id(text: object) -> str:
    """The text itself when it is a request's id, a lower-case UUID; raises BadWindow."""
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise BadWindow("A request's id is a UUID.")
    return text
