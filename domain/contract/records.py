"""The records of the two logs: predictions and labels.

Both encode themselves as one flat JSON object, whose fields are the columns of their Glue table.
"""

import json
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from domain.contract.contract import Contract
from domain.contract.feature import Value

SAMPLE_KEYS = 10_000
"""`sample_key` runs from 0 to SAMPLE_KEYS - 1."""

Source = Literal["api", "batch"]

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
}
"""Glue types of the prediction log's own columns; the contract's features follow them."""

LABEL_COLUMNS = {
    "prediction_id": "string",
    "label": "boolean",
    "observed_at": "bigint",
    "received_at": "bigint",
}


def prediction_log_columns(contract: Contract) -> dict[str, str]:
    """Glue column name → type of the whole prediction log, in order."""
    return PREDICTION_COLUMNS | contract.log_columns()


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionRecord:
    """One logged prediction. Times are UTC milliseconds; `features` go by column name."""

    prediction_id: str
    predicted_at: int
    model_version: str
    contract_version: str
    probability: float
    threshold: float
    predicted: bool
    source: Source
    features: Mapping[str, Value]

    @property
    def sample_key(self) -> int:
        """Deterministic share of the log this record falls in: a hash of its id."""
        return sample_key(self.prediction_id)

    def to_row(self) -> dict[str, Value]:
        """The record as one flat row of the table."""
        row = {name: getattr(self, name) for name in PREDICTION_COLUMNS}
        return row | dict(self.features)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "PredictionRecord":
        """The inverse of `to_row`; columns that aren't the record's own are features."""
        own = {name: row[name] for name in PREDICTION_COLUMNS if name != "sample_key"}
        features = {k: v for k, v in row.items() if k not in PREDICTION_COLUMNS}
        return cls(**own, features=features)

    def to_json(self) -> bytes:
        """One line of JSON, newline included, as Firehose and the fallback take it."""
        return _line(self.to_row())


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRecord:
    """The true outcome of one prediction. Times are UTC milliseconds."""

    prediction_id: str
    label: bool
    observed_at: int
    received_at: int

    def to_row(self) -> dict[str, Value]:
        """The record as one flat row of the table."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "LabelRecord":
        """The inverse of `to_row`."""
        return cls(**{name: row[name] for name in LABEL_COLUMNS})

    def to_json(self) -> bytes:
        """One line of JSON, newline included."""
        return _line(self.to_row())


def sample_key(prediction_id: str) -> int:
    """CRC-32 of the id modulo SAMPLE_KEYS: uniform, cheap, and the same in every language."""
    return zlib.crc32(prediction_id.encode()) % SAMPLE_KEYS


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
