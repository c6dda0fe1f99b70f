"""What the deployed contract adds to the contract of every model.

Context columns, the segments that they define, and names of features that a model may not know.
"""

import json
from dataclasses import dataclass, replace
from typing import Self

from domain.contract.context import Context, RequestContext
from domain.contract.context_document import write_context
from domain.contract.contract import Contract
from domain.contract.contract_document import read_deployed_context, write_segments
from domain.contract.feature import Segment
from domain.packed_text import pack, unpack


@dataclass(frozen=True, slots=True)
class DeployedContext:
    """Context columns, the segments that they define, and the deployed contract's features.

    A bundle has neither of the first two. `features`: names, retired ones included; what a model
    doesn't know of these is no error in a request. Functions and tasks get all of it in an
    environment variable, as text.
    """

    columns: tuple[Context, ...] = ()
    segments: tuple[Segment, ...] = ()
    features: tuple[str, ...] = ()

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """Those of the deployed contract."""
        segments = (s for s in contract.segments if s.feature not in contract.names)
        features = (feature.name for feature in (*contract.features, *contract.retired))
        return cls(contract.context, tuple(segments), tuple(features))

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """The inverse of `to_text`; nothing for no text. Raises BadContract."""
        if not text:
            return cls()
        return cls(*read_deployed_context(json.loads(unpack(text))))

    def to_text(self) -> str:
        """JSON, compressed where it is long; an empty text where there is nothing."""
        if self == type(self)():
            return ""
        document = {
            "context": write_context(self.columns),
            "segments": write_segments(self.segments),
            "features": list(self.features),
        }
        return pack(json.dumps(document, separators=(",", ":")))

    @property
    def in_requests(self) -> RequestContext:
        """The columns that requests carry and the log keeps."""
        return RequestContext.of(self.columns)

    def add_to(self, contract: Contract) -> Contract:
        """A model's own contract with this context, but for columns that it has as features.

        It ignores what the deployed contract has as features and the model doesn't know.
        """
        taken = {feature.column for feature in contract.features}
        columns = tuple(entry for entry in self.columns if entry.name.lower() not in taken)
        named = {entry.name for entry in columns}
        segments = tuple(segment for segment in self.segments if segment.feature in named)
        return replace(
            contract,
            context=columns,
            segments=contract.segments + segments,
            ignored=frozenset(self.features) - contract.names,
        )


NO_CONTEXT = DeployedContext()
