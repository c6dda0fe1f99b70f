"""Who changed what serves: a part of the loop, a person, or the principal that proved who it is.

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

Part = Literal["guard", "probation", "people"]
"""Parts that start executions by a role of their own; `people` does so for who signed in."""

MAXIMUM_PROOF = 4096
MAXIMUM_PERSON = 254
"""A mail address is no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What an execution's input says about its caller.

    `proof`: query of the signed request. `acts_as`: the part that the caller says it is; it counts
    if the proof names that part's role. `person`: for whom the part `people` acts.
    """

    proof: str
    acts_as: Part | None = None
    person: str | None = None

    @classmethod
    def is_valid(cls, document: object) -> bool:
        """Whether `of` can read it."""
        if not isinstance(document, Mapping):
            return document == CHECKED
        proof, acts_as = document.get("proof"), document.get("acts_as")
        known = acts_as is None or acts_as in get_args(Part)
        is_text = isinstance(proof, str) and len(proof) <= MAXIMUM_PROOF
        person = document.get("person")
        has_person = isinstance(person, str) and 0 < len(person) <= MAXIMUM_PERSON
        fits = has_person if acts_as == "people" else person is None
        return known and is_text and fits and set(document) <= {"proof", "acts_as", "person"}

    @classmethod
    def of(cls, document: object) -> Self | None:
        """Decode a valid document; None for one whose proof was removed."""
        return cls(**document) if isinstance(document, Mapping) else None

    def to_dict(self) -> dict[str, str]:
        """The inverse of `of`."""
        acts_as = {} if self.acts_as is None else {"acts_as": str(self.acts_as)}
        person = {} if self.person is None else {"person": self.person}
        return {"proof": self.proof, **acts_as, **person}

    def name(self, arn: str | None, principals: Mapping[Part, str]) -> str:
        """Who this is, given the principal that signed the proof, or None if nobody did.

        A part of the loop, a person, the principal's ARN, or ``unproven``. `principals`: how the
        principal of each part begins, from the account on: a role of that name in another account
        is none of the loop's.
        """
        if arn is None:
            return UNPROVEN
        expected = principals.get(self.acts_as, "") if self.acts_as else ""
        if not expected or not arn.split(":", 4)[-1].startswith(expected):
            return arn
        return self.person or str(self.acts_as)


CHECKED = "checked"
"""Replaces the caller in the state of a training once its first step has checked the proof."""
