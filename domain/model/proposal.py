"""A model that passed the gate and waits for an operator's answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, Self

from domain import typed_json
from domain.errors import BadRecord
from domain.times import HOUR_MS

Answer = Literal["approved", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Times are UTC milliseconds. `execution`: ARN of the training, which waits at *Approve*.

    `reasons`: the gate's. `token`: what answers the waiting state, for whoever has the right to.
    `answer`: None until there is one; a proposal that expires without one counts as rejected.
    """

    execution: str
    version: str
    reasons: tuple[str, ...]
    proposed_at: int
    expires_at: int
    token: str
    answer: Answer | None = None

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

    def answered(self, answer: Answer) -> Self:
        """The same with its answer."""
        return replace(self, answer=answer)

    def to_json(self) -> bytes:
        """The stored document."""
        return typed_json.to_json(self)

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The inverse of `to_json`; raises BadRecord."""
        return typed_json.from_json(cls, data)
