"""Score a request and log it before it is answered."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.streams import RecordStream
from domain.api import requests
from domain.contract import records
from domain.contract.contract import Contract
from domain.contract.field_problem import FieldProblem
from domain.contract.records import PredictionRecord, Source
from domain.typed_json import Json, encode
from lambdas.predictor.model_cache import Model

WRAPPER = "instances"
NewId = Callable[[int], str]
"""Makes the prediction id of the instance at a position of the request."""

_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True, slots=True)
class Predictions:
    """The answers, in the order of the request; `fallbacks` counts records the stream refused."""

    answers: list[dict[str, Json]]
    positives: int
    fallbacks: int


def read_instances(
    document: Any, contract: Contract, *, explained: bool = False
) -> tuple[list[Any], bool]:
    """Return the instances of a request, and whether they came as a batch.

    Raises BadRequest with every invalid field, or if there are too many instances.
    """
    entries, batch = requests.read_entries(document, WRAPPER, explained=explained)
    problems: list[FieldProblem] = []
    for entry in entries:
        problems += contract.validate(entry.value, entry.at, contract.request_context)
    requests.refuse(problems)
    return [entry.value for entry in entries], batch


def make_id_factory(*, idempotency_key: str | None, scope: str, body: bytes, now: int) -> NewId:
    """Return a factory of prediction ids; `now`: UTC milliseconds.

    Ids begin with the time; the rest is random. With an Idempotency-Key, the same request of the
    same caller gets the same ids again. Raises BadRequest if the key isn't 1 to 255 visible ASCII
    characters.
    """
    if idempotency_key is None:
        return lambda _: records.new_prediction_id(now)
    if not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise requests.BadRequest(
            "The Idempotency-Key header must be 1 to 255 visible ASCII characters."
        )
    body_sha256 = hashlib.sha256(body).hexdigest()
    return lambda index: records.prediction_id(
        scope=scope, idempotency_key=idempotency_key, body_sha256=body_sha256, index=index
    )


def predict(
    *,
    instances: Sequence[Any],
    model: Model,
    stream: RecordStream,
    new_id: NewId,
    now: int,
    explained: bool = False,
    source: Source = "api",
) -> Predictions:
    """Score valid instances with one model, and store every record before returning.

    `now`: UTC milliseconds. Raises StreamUnavailable if a record could not be stored anywhere.
    """
    bundle, target = model.bundle, model.bundle.contract.target
    context = model.contract.request_context
    answers: list[dict[str, Json]] = []
    lines, positives = [], 0
    rows = [bundle.contract.row(instance) for instance in instances]
    scored = zip(instances, rows, bundle.probabilities(rows), strict=True)
    for index, (instance, row, probability) in enumerate(scored):
        logged = context.read(instance)
        record = PredictionRecord(
            prediction_id=new_id(index),
            predicted_at=now,
            model_version=model.version,
            contract_version=bundle.contract.version,
            probability=probability,
            threshold=bundle.threshold,
            predicted=probability >= bundle.threshold,
            source=source,
            features=dict(zip(model.columns, row, strict=True)),
            reference=logged.reference,
            subject=logged.subject,
            context=logged.others,
        )
        lines.append(record.to_json())
        positives += record.predicted
        answer: dict[str, Json] = {
            "prediction_id": record.prediction_id,
            "probability": probability,
            target: record.predicted,
            "threshold": bundle.threshold,
            "model_version": model.version,
        }
        if explained:
            answer["explanation"] = encode(bundle.explain(row))
        answers.append(answer)
    return Predictions(answers, positives, fallbacks=stream.append(lines))
