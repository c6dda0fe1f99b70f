"""Score a logged row again with the sealed bundle of its version."""

import struct
from dataclasses import dataclass

from domain.model.bundle import Bundle
from tabular.log_rows import Row


@dataclass(frozen=True, slots=True)
class Replay:
    """The probability that the bundle gives the row now, and whether the answer is the same.

    `identical`: whether all 64 bits of the probability, the threshold and the answer are those of
    the record.
    """

    probability: float
    identical: bool


def replay(row: Row, bundle: Bundle) -> Replay:
    """Score the record's features as the API and batch scoring do."""
    probability = bundle.probability(
        tuple(f.cast(row.get(f.column)) for f in bundle.contract.features)
    )
    logged = (row["probability"], row["threshold"], row["predicted"])
    again = (probability, bundle.threshold, probability >= bundle.threshold)
    same = _bits(logged[0]) == _bits(again[0]) and _bits(logged[1]) == _bits(again[1])
    return Replay(probability, same and logged[2] is again[2])


def _bits(number: object) -> bytes:
    return struct.pack(">d", number) if isinstance(number, float) else b""
