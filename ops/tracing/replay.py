"""Score a logged row again with the sealed bundle of its version."""

import struct
from dataclasses import dataclass

from domain.contract.feature import Value
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
    """Score the record's features by the way it was scored: the API's, or batch scoring's."""
    values = tuple(f.cast(row.get(f.column)) for f in bundle.contract.features)
    is_batch = row["source"] == "batch"
    probability = _score_as_batch(values, bundle) if is_batch else bundle.probability(values)
    logged = (row["probability"], row["threshold"], row["predicted"])
    again = (probability, bundle.threshold, probability >= bundle.threshold)
    same = _bits(logged[0]) == _bits(again[0]) and _bits(logged[1]) == _bits(again[1])
    return Replay(probability, same and logged[2] is again[2])


def _bits(number: object) -> bytes:
    return struct.pack(">d", number) if isinstance(number, float) else b""


def _score_as_batch(values: tuple[Value, ...], bundle: Bundle) -> float:
    """Score with XGBoost, whose probabilities have 32 bits."""
    import pyarrow as pa

    from training_job.model.encoding import encode
    from training_job.model.model import predict
    from training_job.model.rebuild import rebuild

    names = [feature.name for feature in bundle.contract.features]
    table = pa.table({name: [value] for name, value in zip(names, values, strict=True)})
    booster = rebuild(bundle.forest, len(bundle.contract.encoded_names))
    return float(predict(booster, encode(table, bundle.contract))[0])
