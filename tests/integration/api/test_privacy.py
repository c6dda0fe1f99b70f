"""What patients' values are sent to the deployed API is found in the log and nowhere else."""

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from domain import keys
from ops.api import Api
from ops.laptop import Laptop
from ops.local import emulator as emulator_process
from ops.target import Target
from tests.unit.domain.contract.test_contract import VALID

BUCKETS = ("data", "models", "predictions", "reports")
TEXTS = [f"canary-{n:02d}-{random.Random(n).randrange(10**9):09d}" for n in range(25)]
NUMBERS = [round(20 + random.Random(n).random() * 60, 9) for n in range(25)]
"""Ages and body mass indices that nobody else has."""


@contextmanager
def _without_stream(aws: Callable[[str], Any], room: str, variable: str) -> Iterator[None]:
    """The function puts into a stream that isn't there."""
    functions = aws("lambda").list_functions()["Functions"]
    (name,) = (f["FunctionName"] for f in functions if f"{room}Function" in f["FunctionName"])
    before = aws("lambda").get_function_configuration(FunctionName=name)["Environment"]
    missing = {"Variables": before["Variables"] | {variable: "no-such-stream"}}
    aws("lambda").update_function_configuration(FunctionName=name, Environment=missing)
    yield
    aws("lambda").update_function_configuration(FunctionName=name, Environment=before)


def _told(aws: Callable[[str], Any], emulator: Laptop, target: Target) -> dict[str, str]:
    """Everything that is text and no record: logs, metrics, object keys, the emulator's output."""
    logs = aws("logs")
    events = [
        event["message"]
        for page in logs.get_paginator("describe_log_groups").paginate()
        for group in page["logGroups"]
        for found in logs.get_paginator("filter_log_events").paginate(
            logGroupName=group["logGroupName"]
        )
        for event in found["events"]
    ]
    metrics = aws("cloudwatch").list_metrics()["Metrics"]
    stored = [entry.key for name in BUCKETS for entry in target.bucket(name).list("")]
    return {
        "logs": "\n".join(events),
        "metrics": repr(metrics),
        "keys": "\n".join(stored),
        "output": emulator_process.daemon(emulator).log.read_text(errors="replace"),
    }


@pytest.fixture
def statuses(api: Api, aws: Callable[[str], Any]) -> set[int]:
    """Canaries in every place of a request, through every outcome but a defect."""
    found: set[int] = set()

    def predict(body: Any, query: str = "") -> None:
        found.add(api.post(f"/predict{query}", body, idempotency_key=uuid.uuid4().hex)[0])

    valid = [VALID | {"bmi": number, "age": number} for number in NUMBERS]
    for text, instance in zip(TEXTS, valid, strict=True):
        predict(instance)
        predict({"instances": [instance | {"gender": text}, instance | {text: text}, text]})
        predict(instance, f"?explain={text}")
        label = {"prediction_id": text, "diabetes": text, "observed_at": text, text: text}
        found.add(api.post("/labels", label, idempotency_key=text)[0])
    predict({"instances": valid}, "?explain=true")
    with _without_stream(aws, "Predictor", "LOG_STREAM"):
        predict({"instances": valid})
    return found


def test_fifty_planted_values_reach_no_log_metric_or_key_of_the_deployed_stacks(
    statuses: set[int], aws: Callable[[str], Any], emulator: Laptop, target: Target
) -> None:
    assert {200, 400} == statuses
    assert 50 == len({*TEXTS, *map(str, NUMBERS)})
    told = _told(aws, emulator, target)
    planted = [*TEXTS, *map(str, NUMBERS)]
    assert [] == [(where, v) for where, text in told.items() for v in planted if v in text]
    # There is something to be found in: the functions' metrics, and the fallback's object.
    assert "FieldErrors" in told["logs"]
    assert f"\n{keys.FALLBACK}log/" in told["keys"]
    fallback = target.bucket("predictions").list(f"{keys.FALLBACK}log/")
    records = b"".join(o.data for e in fallback if (o := target.bucket("predictions").get(e.key)))
    assert all(str(number).encode() in records for number in NUMBERS)
