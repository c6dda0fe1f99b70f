"""What is said to a webhook, whatever its format."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.typed_json import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message.

    `id` is the same each time it is sent, so that receivers can recognise a repetition. `type`: of
    the event that it is about, see `domain.events`. `facts` are sentences, `links` are (label,
    URL). `data`: the facts for machines.
    """

    id: str
    type: str
    title: str
    facts: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()
    data: Mapping[str, Json] = field(default_factory=dict)


def make_id(*parts: str) -> str:
    """An id of what the parts name together."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
