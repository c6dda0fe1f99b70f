"""That somebody knows of an open incident: an immutable record of who, and when."""

import re
from dataclasses import dataclass
from typing import Literal, Self

from domain import typed_json
from domain.drift.incident import Incident

Kind = Literal["daily", "look-back"]
KINDS: tuple[Kind, ...] = ("daily", "look-back")
"""The incident of the daily runs, and that of the look-back over weeks."""
LONGEST_NOTE = 200
PRINTABLE = r"^[^\x00-\x1f\x7f]*$(?!\n)"
"""A note is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Who acknowledged an incident. Times are UTC milliseconds.

    `kind` and `opened_at` name the incident. `actor`: the principal of the command line, or the API
    key of the dashboard. `note`: what this person said about it; it may be empty.
    """

    kind: Kind
    opened_at: int
    acknowledged_at: int
    actor: str
    note: str = ""

    def is_of(self, kind: Kind, incident: Incident) -> bool:
        """Whether it is of this incident, and not of an earlier one."""
        return (self.kind, self.opened_at) == (kind, incident.opened_at)

    def to_json(self) -> bytes:
        """The object's content."""
        return typed_json.to_json(self)

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The inverse of `to_json`; raises BadRecord."""
        return typed_json.from_json(cls, data)


def check_note(note: object) -> str | None:
    """What is wrong with a note, as the end of a sentence; None for a valid one."""
    if isinstance(note, str) and len(note) <= LONGEST_NOTE and re.search(PRINTABLE, note):
        return None
    return f"must be a text of up to {LONGEST_NOTE} characters on one line"
