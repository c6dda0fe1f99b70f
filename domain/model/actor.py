"""Who changed what serves: a part of the loop, or the principal that proved who it is.

An execution's input can say anything, so a caller adds a proof: a signed request that asks AWS who
signed it, bound to the execution's name (see `adapters.identity`). The promotion sends it to AWS.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self, get_args

GATE = "gate"
"""The gate, of a training that nobody has proved to have started."""
UNPROVEN = "unproven"
"""A caller without a valid proof. Only IAM has judged whether it may."""
UNKNOWN = "unknown"
"""Recorded before entries named an actor."""

Automation = Literal["guard", "probation"]
"""Parts of the loop that start executions themselves."""

MAXIMUM_PROOF = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What an execution's input says about its caller.

    `proof`: query of the signed request. `acts_as`: the part of the loop that the caller says it
    is; it counts if the proof names that part's role.
    """

    proof: str
    acts_as: Automation | None = None

    @classmethod
    def is_valid(cls, document: object) -> bool:
        """Whether `of` can read it."""
        if not isinstance(document, Mapping):
            return document == CHECKED
        proof, acts_as = document.get("proof"), document.get("acts_as")
        known = acts_as is None or acts_as in get_args(Automation)
        is_text = isinstance(proof, str) and len(proof) <= MAXIMUM_PROOF
        return known and is_text and set(document) <= {"proof", "acts_as"}

    @classmethod
    def of(cls, document: object) -> Self | None:
        """Decode a valid document; None for one whose proof was removed."""
        return cls(**document) if isinstance(document, Mapping) else None

    def to_dict(self) -> dict[str, str]:
        """The inverse of `of`."""
        acts_as = {} if self.acts_as is None else {"acts_as": str(self.acts_as)}
        return {"proof": self.proof, **acts_as}


CHECKED = "checked"
"""Replaces the caller in the state of a training once its first step has checked the proof."""
