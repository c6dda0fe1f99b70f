"""Read labels strictly, and store them before they are acknowledged."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.streams import RecordStream
from domain import times
from domain.api import requests
from domain.contract.context import Context
from domain.contract.field_problem import FieldProblem, pointer_token
from domain.contract.records import LabelRecord, is_prediction_id

WRAPPER = "labels"

_DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


def read_labels(
    document: Any, *, target: str, now: datetime, reference: Context | None = None
) -> list[LabelRecord]:
    """Read the labels of a request; raises BadRequest with every invalid field.

    A label says which prediction it is for by `prediction_id`, or by `reference` where the contract
    has a context column of that role. Without `observed_at` it was observed when it was received.
    """
    entries, _ = requests.read_entries(document, WRAPPER)
    problems: list[FieldProblem] = []
    labels = [_label(entry, target, reference, now, problems) for entry in entries]
    requests.refuse(problems)
    return [label for label in labels if label]


def accept(*, labels: Sequence[LabelRecord], stream: RecordStream) -> int:
    """Store the labels, and return how many went to the fallback; raises StreamUnavailable."""
    return stream.append([label.to_json() for label in labels])


def _label(
    entry: requests.Entry,
    target: str,
    reference: Context | None,
    now: datetime,
    problems: list[FieldProblem],
) -> LabelRecord | None:
    """Read one label; None if it is invalid, with the reasons added to `problems`."""
    fields, at = entry.value, entry.at
    if not isinstance(fields, dict):
        problems.append(FieldProblem(at, "must be an object"))
        return None
    found = len(problems)
    known = ("prediction_id", target, "observed_at", *(["reference"] if reference else []))
    problems += [
        FieldProblem(f"{at}/{pointer_token(name)}", "is not a field of a label")
        for name in fields
        if name not in known
    ]
    problems += _check_ids(fields, reference, at)
    if not isinstance(fields.get(target), bool):
        problems.append(FieldProblem(f"{at}/{target}", "must be true or false", target))
    observed = _instant(fields["observed_at"]) if "observed_at" in fields else now
    if observed is None or not times.from_millis(0) <= observed <= now + times.CLOCK_SKEW:
        detail = "must be an ISO 8601 time with an offset that is not in the future, or be left out"
        problems.append(FieldProblem(f"{at}/observed_at", detail, "observed_at"))
    if len(problems) > found or observed is None:
        return None
    prediction_id = fields.get("prediction_id")
    return LabelRecord(
        prediction_id=prediction_id.lower() if prediction_id else None,
        reference=fields.get("reference"),
        label=fields[target],
        observed_at=times.to_millis(observed),
        received_at=times.to_millis(now),
    )


def _check_ids(fields: Mapping[str, Any], reference: Context | None, at: str) -> list[FieldProblem]:
    """What is wrong with the one field that says which predictions the label is for."""
    if reference and "reference" in fields:
        if "prediction_id" in fields:
            detail = "must be left out beside a prediction_id"
            return [FieldProblem(f"{at}/reference", detail, "reference")]
        if fields["reference"] is None or not reference.accepts(fields["reference"]):
            return [FieldProblem(f"{at}/reference", reference.expectation, "reference")]
        return []
    prediction_id = fields.get("prediction_id")
    if isinstance(prediction_id, str) and is_prediction_id(prediction_id):
        return []
    detail = "must be the prediction_id of an answer, which is a UUID"
    if reference:
        detail += ", or be left out beside a reference"
    return [FieldProblem(f"{at}/prediction_id", detail, "prediction_id")]


def _instant(text: object) -> datetime | None:
    """Parse a time as in RFC 3339: a date, a time and an offset; None if it is none."""
    if not isinstance(text, str) or not _DATE_TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None
