"""What a drift run is asked for, by the scheduler, by an event or by a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from domain import window
from domain.errors import BadWindow
from domain.window import LastRows, Window

UNREPLACED_TIME = "<aws.scheduler.scheduled-time>"
"""What the emulator's scheduler sends where AWS puts the scheduled time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRequest:
    """Which window, whether it moves the incident, and whether a mail is wanted on demand."""

    window: Window | LastRows
    scheduled: bool
    mail: bool

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
        return cls(window=window.parse(fields, now=now), **flags)
