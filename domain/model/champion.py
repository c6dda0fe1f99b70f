"""The champion pointer and the ledger: what serves, and how it came to serve.

`serving/champion.json` is the only truth about what serves. It is replaced by compare-and-swap,
and each replacement gets the next `seq` and one entry of the ledger.
"""

import json
from dataclasses import asdict, dataclass
from typing import Literal

from domain import keys, typed_json
from domain.errors import BadRecord
from domain.model.actor import UNKNOWN

Action = Literal["promote", "rollback", "repair"]


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Enough to load a model and know that it is the right one."""

    version: str
    bundle_key: str
    sha256: str

    def __post_init__(self) -> None:
        """Refuse a reference whose parts name different models; raises BadRecord or BadKey."""
        number = keys.registry_number(self.version)
        belongs = keys.version(number, self.sha256) == self.version
        if not belongs or self.bundle_key != keys.bundle(self.version) or len(self.sha256) != 64:
            raise BadRecord("A model's version, key and hash don't belong together.")

    @classmethod
    def of(cls, number: int | str, sha256: str) -> "ModelRef":
        """The reference of a registry number and the hash of its bundle."""
        version = keys.version(number, sha256)
        return cls(version=version, bundle_key=keys.bundle(version), sha256=sha256)

    @classmethod
    def of_version(cls, version: str, sha256: str) -> "ModelRef":
        """The reference of a version and the hash of its bundle; raises BadRecord."""
        return cls(version=version, bundle_key=keys.bundle(version), sha256=sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """What serves now. `promoted_at` is in UTC milliseconds; `actor`: see `domain.model.actor`."""

    seq: int
    version: str
    bundle_key: str
    sha256: str
    previous: ModelRef | None
    action: Action
    execution: str
    promoted_at: int
    actor: str = UNKNOWN

    @property
    def model(self) -> ModelRef:
        """The model it points to."""
        return ModelRef(self.version, self.bundle_key, self.sha256)

    def _check(self) -> None:
        """Raise BadRecord or BadKey for a number that is none, or fields of different models."""
        if self.seq < 1:
            raise BadRecord("The first seq is 1.")
        ModelRef(self.version, self.bundle_key, self.sha256)

    def to_json(self) -> bytes:
        """The object's content."""
        return json.dumps(asdict(self), indent=2, sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Champion":
        """The inverse of `to_json`; raises BadRecord."""
        try:
            champion = typed_json.from_json(cls, data)
            champion._check()
        except ValueError as error:
            raise BadRecord(f"The champion pointer can't be decoded: {error}") from None
        return champion

    @classmethod
    def successor(
        cls,
        current: "Champion | None",
        model: ModelRef,
        *,
        action: Action,
        execution: str,
        now: int,
        actor: str = UNKNOWN,
    ) -> "Champion":
        """The pointer that replaces `current` by `model`; `now` in UTC milliseconds."""
        return cls(
            seq=current.seq + 1 if current else 1,
            version=model.version,
            bundle_key=model.bundle_key,
            sha256=model.sha256,
            previous=current.model if current else None,
            action=action,
            execution=execution,
            promoted_at=now,
            actor=actor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One change of the pointer: who made it, and its reasons as sentences."""

    seq: int
    action: Action
    version: str
    previous_version: str | None
    execution: str
    promoted_at: int
    reasons: tuple[str, ...]
    actor: str = UNKNOWN

    @property
    def key(self) -> str:
        """Its object key."""
        return keys.ledger_entry(self.seq, self.action, self.version)

    @classmethod
    def of(cls, champion: Champion, reasons: tuple[str, ...]) -> "LedgerEntry":
        """The entry that belongs to a pointer."""
        return cls(
            seq=champion.seq,
            action=champion.action,
            version=champion.version,
            previous_version=champion.previous.version if champion.previous else None,
            execution=champion.execution,
            promoted_at=champion.promoted_at,
            reasons=reasons,
            actor=champion.actor,
        )

    def to_json(self) -> bytes:
        """The object's content."""
        return json.dumps(asdict(self), indent=2, sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "LedgerEntry":
        """The inverse of `to_json`; raises BadRecord."""
        try:
            entry = typed_json.from_json(cls, data)
            entry._check()
        except ValueError as error:
            raise BadRecord(f"A ledger entry can't be decoded: {error}") from None
        return entry

    def _check(self) -> None:
        """Raise BadRecord or BadKey for a number or a version that is none."""
        if self.seq < 1:
            raise BadRecord("The first seq is 1.")
        keys.check_version(self.version)
        if self.previous_version is not None:
            keys.check_version(self.previous_version)
