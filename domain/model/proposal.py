"""A model that passed the gate and waits for an operator's answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, Self

from domain import typed_json
from domain.errors import BadRecord
from domain.times import HOUR_MS

Answer = Literal["approved", "rejected", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Times are UTC milliseconds. `execution`: ARN of the training, which waits at *Approve*.

    `reasons`: the gate's. `token`: what answers the waiting state, for whoever has the right to.
    `answer`: None until there is one. `answered_by`: ARN of the principal that gave it, or
    ``unproven``; None if time ran out. `said`: what the answer says of it, as a sentence.
    """

    execution: str
    version: str
    reasons: tuple[str, ...]
    proposed_at: int
    expires_at: int
    token: str
    answer: Answer | None = None
    answered_by: str | None = None
    answered_at: int | None = None
    said: str = ""

    @classmethod
    def from_detail(cls, detail: Mapping[str, Any]) -> Self:
        """Decode a `PromotionProposed` event's detail; raises BadRecord."""
        try:
            proposed_at = round(datetime.fromisoformat(detail["proposed_at"]).timestamp() * 1000)
            return cls(
                execution=str(detail["execution"]),
                version=str(detail["version"]),
                reasons=tuple(map(str, detail["reasons"])),
                proposed_at=proposed_at,
                expires_at=proposed_at + round(detail["hours"] * HOUR_MS),
                token=str(detail["token"]),
            )
        except (KeyError, TypeError, ValueError):
            raise BadRecord("This is not the detail of a PromotionProposed event.") from None

    @property
    def name(self) -> str:
        """The execution's own name."""
        return self.execution.rsplit(":", 1)[-1]

    def waits(self, now: int) -> bool:
        """Whether it can still be answered."""
        return self.answer is None and now < self.expires_at

    def answered(self, answer: Answer, *, by: str | None, at: int, said: str = "") -> Self:
        """The same with its answer; one that has an answer keeps it."""
        if self.answer is not None:
            return self
        return replace(self, answer=answer, answered_by=by, answered_at=at, said=said)

    def to_json(self) -> bytes:
        """The stored document."""
        return typed_json.to_json(self)

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The inverse of `to_json`; raises BadRecord."""
        return typed_json.from_json(cls, data)
