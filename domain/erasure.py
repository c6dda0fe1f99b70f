"""The certificate of an erasure: what was done to which object, and what stays. It has no value."""

import hashlib
from dataclasses import dataclass

from domain import typed_json

STAYS = (
    "The trained models stay: trees and thresholds that were fitted with these rows among others."
    " A training after the erasure makes a version without them.",
    "Figures over many people stay: metrics, plots, model cards, drift summaries, manifests.",
    "Backups outside the buckets stay until they expire: those of the tracking server's database,"
    " which holds no row, and copies that people made.",
    "What is stored after the end of the erasure is not covered by it.",
)
"""What no erasure takes away, as every certificate says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedObject:
    """One version of one object, from which `rows` rows were taken.

    `bucket`: ``data``, ``models``, ``predictions`` or ``reports``. `sha256_after`: None for a
    version that was deleted as a whole: an old one, or a query result that says of no row whose
    it is; of those `rows` are not counted.
    """

    bucket: str
    key: str
    version_id: str
    rows: int
    sha256_before: str
    sha256_after: str | None

    @property
    def version(self) -> tuple[str, str, str, str]:
        """What names the version, and its content."""
        return self.bucket, self.key, self.version_id, self.sha256_before


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """An object that may still hold a row, and why it could not be rewritten."""

    bucket: str
    key: str
    version_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What an erasure did. Times are UTC milliseconds.

    `subjects`, `predictions`: how many people, and how many of their predictions were in the log.
    `shared_references`: references of theirs that other people's predictions have too, so that
    labels sent by them stay. `dry_run`: nothing was changed, and `objects` is what would be.
    """

    erasure: str
    execution: str
    dry_run: bool
    began_at: int
    finished_at: int
    subjects: int
    predictions: int
    shared_references: int
    objects: tuple[ErasedObject, ...]
    unfinished: tuple[Unfinished, ...]
    stays: tuple[str, ...] = STAYS

    def to_json(self) -> bytes:
        """The stored document."""
        return typed_json.to_json(self)

    @classmethod
    def from_json(cls, data: bytes) -> "Certificate":
        """The inverse of `to_json`; raises BadRecord."""
        return typed_json.from_json(cls, data)


def hash_prediction(prediction_id: str) -> str:
    """What stays of an erased prediction's id, which is random: its SHA-256."""
    return hashlib.sha256(prediction_id.encode()).hexdigest()
