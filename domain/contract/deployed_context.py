"""What the deployed contract adds to the contract of every model: context columns and segments."""

import json
from dataclasses import dataclass, replace
from typing import Self

from domain.contract.context import Context, RequestContext
from domain.contract.context_document import write_context
from domain.contract.contract import Contract
from domain.contract.contract_document import read_deployed_context, write_segments
from domain.contract.feature import Segment


@dataclass(frozen=True, slots=True)
class DeployedContext:
    """Context columns, and the segments that they define.

    A bundle has neither. Functions and tasks get them in an environment variable, as text.
    """

    columns: tuple[Context, ...] = ()
    segments: tuple[Segment, ...] = ()

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """Those of the deployed contract."""
        segments = (s for s in contract.segments if s.feature not in contract.names)
        return cls(contract.context, tuple(segments))

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """The inverse of `to_text`; nothing for no text. Raises BadContract."""
        return cls(*read_deployed_context(json.loads(text))) if text else cls()

    def to_text(self) -> str:
        """JSON; an empty text where there is nothing."""
        if not self.columns:
            return ""
        document = {
            "context": write_context(self.columns),
            "segments": write_segments(self.segments),
        }
        return json.dumps(document, separators=(",", ":"))

    @property
    def in_requests(self) -> RequestContext:
        """The columns that requests carry and the log keeps."""
        return RequestContext.of(self.columns)

    def add_to(self, contract: Contract) -> Contract:
        """A model's own contract with this context, but for columns that it has as features."""
        taken = {feature.column for feature in contract.features}
        columns = tuple(entry for entry in self.columns if entry.name.lower() not in taken)
        named = {entry.name for entry in columns}
        segments = tuple(segment for segment in self.segments if segment.feature in named)
        return replace(contract, context=columns, segments=contract.segments + segments)


NO_CONTEXT = DeployedContext()
