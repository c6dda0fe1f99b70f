"""Rows that were erased from an object that keeps its name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedRows:
    """What one erasure took out of a part of a dataset, or out of a version's reference.

    `part`: the object's name without its ending. `erasure`: whose certificate lists the object.
    `erased_at` in UTC milliseconds. The hashes are those of the object before and after.
    """

    part: str
    rows: int
    erasure: str
    erased_at: int
    sha256_before: str
    sha256_after: str
