"""What the predictor tells about itself: metrics, and failures without their texts."""

import json
import subprocess
import sys
from typing import Any

import pytest
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)
from botocore.exceptions import ClientError

from adapters.telemetry import Observation, Telemetry
from domain import keys, metrics
from tests.repository import ROOT
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.fakes import client_error, problem_of
from tests.unit.predictor_world import World, ok

CANARY = "canary-4711"
RARELY_NEEDED = ("boto3", "aws_lambda_powertools", "domain.model.card", "domain.api.openapi")


def test_a_cold_start_imports_nothing_that_an_answer_does_not_need() -> None:
    code = (
        "import sys, lambdas.predictor.handler;"
        f"print([name for name in {RARELY_NEEDED!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "[]" == done.stdout.strip()


def test_a_line_of_metrics_says_what_powertools_would_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    theirs = AmazonCloudWatchEMFProvider(namespace="circle-dev", service="drift")
    theirs.add_metric(metrics.LAST_RUN_AGE, "Seconds", 2.5)
    theirs.add_metric(metrics.ROWS, "Count", 3)
    theirs.add_metadata("status", 200)
    theirs.flush_metrics()
    observation = Observation({metrics.LAST_RUN_AGE: 2.5, metrics.ROWS: 3}, {"status": 200})
    Telemetry("drift", "circle-dev").emit(observation)
    expected, found = _emitted(capsys)
    for line in (expected, found):
        assert line["_aws"].pop("Timestamp") > 1_700_000_000_000
    values = {name: [value] for name, value in observation.counts.items()}
    assert expected == found | values


def test_an_unexpected_error_is_a_500_that_tells_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def explode(*_: Any, **__: Any) -> Any:
        raise KeyError(CANARY)

    monkeypatch.setattr("lambdas.predictor.routes.predict", explode)
    answer = world.predict(VALID)
    logged = capsys.readouterr().out
    assert 500 == problem_of(answer)["status"]
    assert "KeyError" in logged
    assert CANARY not in logged + answer["body"]


def _emitted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if "_aws" in line]


def test_the_metrics_of_an_answered_batch(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.firehose.errors = [client_error("ThrottlingException")] * 3
    answers = ok(world.predict({"instances": [VALID] * 3}))["predictions"]
    (line,) = _emitted(capsys)
    positives = sum(answer["diabetes"] for answer in answers)
    assert (3, positives, 3) == (
        line["Instances"],
        line["Positives"],
        line["LogFallbacks"],
    )
    assert line["Latency"] > 0
    definition = line["_aws"]["CloudWatchMetrics"][0]
    assert ("circle-dev", [["service"]]) == (definition["Namespace"], definition["Dimensions"])
    assert answers[0]["model_version"] == line["model_version"]
    assert ("c6af9ac6-7b61-11e6-9a41-93e8deadbeef", 200) == (line["correlation_id"], line["status"])


def test_the_metrics_of_a_refusal_name_known_fields_only(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = VALID | {"age": "x", CANARY: 1}
    world.predict({"instances": [bad, bad, VALID | {"bmi": 1}]})
    first, *by_field = _emitted(capsys)
    assert 1 == first["ValidationErrors"]
    assert {"age": 2, "bmi": 1} == {li["field"]: li["FieldErrors"] for li in by_field}
    assert all(["field", "service"] == sorted(d) for li in by_field for d in _dimensions(li))


def test_trouble_with_a_model_is_told_with_the_request_and_the_version_that_serves(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    serving = ok(world.predict(VALID))["model_version"]
    world.s3.objects[keys.CHAMPION] = b"damaged"
    capsys.readouterr()
    world.predict(VALID)
    (line,) = [line for line in _emitted(capsys) if "BundleTrouble" in line]
    assert (1, serving) == (line["BundleTrouble"], line["model_version"])
    assert "c6af9ac6-7b61-11e6-9a41-93e8deadbeef" == line["correlation_id"]


def test_an_error_of_aws_without_a_code_is_a_503_too(world: World) -> None:
    world.s3.failing[keys.FALLBACK] = "offline"
    world.firehose.errors = [ClientError({}, "PutRecordBatch")] * 3
    assert 503 == problem_of(world.predict(VALID))["status"]


def test_a_failure_of_aws_without_a_code_is_logged_by_its_type(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ClientError({}, "Anything")

    monkeypatch.setattr("lambdas.predictor.routes.predict", refuse)
    assert 503 == problem_of(world.predict(VALID))["status"]
    assert '"error":"ClientError"' in capsys.readouterr().out


def _dimensions(line: dict[str, Any]) -> list[list[str]]:
    dimensions: list[list[str]] = line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    return dimensions
