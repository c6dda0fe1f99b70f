"""The records of the two logs: predictions and labels.

Both encode themselves as one flat JSON object, whose fields are the columns of their Glue table.
"""

import json
import os
import re
import uuid
import zlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from domain.contract.contract import Contract
from domain.contract.feature import Value

_PREDICTION_ID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")

_FIXED_BITS = 0xF << 76 | 3 << 62
"""Where a UUID says its version and its variant."""
_LAST_TIME = 10**13
"""A later time (UTC milliseconds, in 2286) was not written by a clock."""

SAMPLE_KEYS = 10_000
"""`sample_key` runs from 0 to SAMPLE_KEYS - 1."""

Source = Literal["api", "batch", "test"]
"""``test``: somebody tried the model; windows, trainings and replays leave the record out."""
TEST: Source = "test"

PREDICTION_TABLE = "prediction_log"
"""The table of what the prediction stream has written; the fallback has another."""

PREDICTION_COLUMNS = {
    "prediction_id": "string",
    "predicted_at": "bigint",
    "model_version": "string",
    "contract_version": "string",
    "probability": "double",
    "threshold": "double",
    "predicted": "boolean",
    "source": "string",
    "sample_key": "bigint",
    "reference": "string",
    "subject": "string",
}
"""Glue types of the prediction log's own columns; the contract's features follow them, then its
context columns without a role.

``reference`` is the caller's id of the prediction and ``subject`` the person's pseudonym, whatever
the contract calls these two; null where it has no such column.
"""

SUBJECT_KEY = "subject_key"
"""Column of what is derived from rows of people: a 64-bit hash of the subject's pseudonym.

Datasets, reference samples, quarantines and scores have it where the contract has a subject, so
that one person's rows can be found and erased. It is null in a row without a subject.
"""

SAMPLING_WEIGHT = "sampling_weight"
"""Column of datasets with production rows: how many rows each counts for; 1 in uploaded ones."""

LABEL_COLUMNS = {
    "prediction_id": "string",
    "reference": "string",
    "label": "boolean",
    "observed_at": "bigint",
    "received_at": "bigint",
}


def prediction_log_columns(contract: Contract) -> dict[str, str]:
    """Glue column name → type of the whole prediction log, in order."""
    return PREDICTION_COLUMNS | contract.log_columns() | contract.context_columns()


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionRecord:
    """One logged prediction.

    Times are UTC milliseconds. `features` and `context`, the context columns without a role, go by
    column name.
    """

    prediction_id: str
    predicted_at: int
    model_version: str
    contract_version: str
    probability: float
    threshold: float
    predicted: bool
    source: Source
    features: Mapping[str, Value]
    reference: str | None = None
    subject: str | None = None
    context: Mapping[str, Value] = field(default_factory=dict)

    @property
    def sample_key(self) -> int:
        """Deterministic share of the log this record falls in: a hash of its id."""
        return sample_key(self.prediction_id)

    def to_row(self) -> dict[str, Value]:
        """The record as one flat row of the table."""
        row: dict[str, Value] = {name: getattr(self, name) for name in PREDICTION_COLUMNS}
        row.update(self.features)
        row.update(self.context)
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any], context: Collection[str] = ()) -> "PredictionRecord":
        """The inverse of `to_row`.

        Of the columns that aren't the record's own, those of `context` are context columns, and the
        others features.
        """
        row = {"reference": None, "subject": None, **row}  # older records have neither
        own = {name: row[name] for name in PREDICTION_COLUMNS if name != "sample_key"}
        others = {name: value for name, value in row.items() if name not in PREDICTION_COLUMNS}
        return cls(
            **own,
            features={name: value for name, value in others.items() if name not in context},
            context={name: value for name, value in others.items() if name in context},
        )

    def to_json(self) -> bytes:
        """One line of JSON, newline included, as Firehose and the fallback take it."""
        return _line(self.to_row())


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRecord:
    """The true outcome of one prediction, or of all with one reference.

    Exactly one of `prediction_id` and `reference` is given. Times are UTC milliseconds.
    """

    prediction_id: str | None = None
    reference: str | None = None
    label: bool
    observed_at: int
    received_at: int

    def to_row(self) -> dict[str, Value]:
        """The record as one flat row of the table."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "LabelRecord":
        """The inverse of `to_row`."""
        row = {"reference": None, **row}  # older records have none
        return cls(**{name: row[name] for name in LABEL_COLUMNS})

    def to_json(self) -> bytes:
        """One line of JSON, newline included."""
        return _line(self.to_row())


def is_prediction_id(text: str) -> bool:
    """Whether it is written like a prediction's id, in letters of either case."""
    return _PREDICTION_ID.fullmatch(text) is not None


def sample_key(prediction_id: str) -> int:
    """CRC-32 of the id modulo SAMPLE_KEYS: uniform, cheap, and the same in every language."""
    return zlib.crc32(prediction_id.encode()) % SAMPLE_KEYS


def new_prediction_id(now: int) -> str:
    """A random id that begins with the time (UTC milliseconds): a UUID of version 7, RFC 9562."""
    bits = now << 80 | int.from_bytes(os.urandom(10)) & ~_FIXED_BITS | 7 << 76 | 2 << 62
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def read_time(prediction_id: str) -> int | None:
    """When the id was made (UTC milliseconds); None for an id that doesn't say it.

    Those of batch scoring, and of requests with an Idempotency-Key, don't.
    """
    bits = int(prediction_id.replace("-", ""), 16)
    says_it = (bits >> 76 & 0xF, bits >> 62 & 3) == (7, 2) and bits >> 80 < _LAST_TIME
    return bits >> 80 if says_it else None


def prediction_id(*, scope: str, idempotency_key: str, body_sha256: str, index: int) -> str:
    """Make the id that a repeated request gets again: uuid5 of its key, its body and the position.

    `scope` keeps callers apart (the API key's id); `index` is the instance's position.
    """
    name = "\n".join((scope, idempotency_key, body_sha256, str(index)))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"mlops.circle/predictions\n{name}"))


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
"""Made once: json.dumps makes one per call, and a batch has 1,000."""


def _line(row: Mapping[str, Value]) -> bytes:
    return _encode(row).encode() + b"\n"
