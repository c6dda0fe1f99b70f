"""The labels handler against Firehose, as API Gateway calls it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters.api.rest import Answer
from adapters.s3 import Bucket
from domain import keys
from domain.contract import records
from lambdas.labels import handler as room
from lambdas.labels.settings import Settings
from tests.integration.record_streams import create_stream, read_stream
from tests.unit.fakes import api_event

IDS = [f"00000000-0000-4000-8000-{n:012d}" for n in range(3)]


def _settings(bucket: Bucket, stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        predictions_bucket=bucket.name,
        labels_stream=stream,
        target="diabetes",
        metrics_namespace="circle-dev",
    )
    for name, value in settings.to_env().items():
        monkeypatch.setenv(name, value)
    room._api.cache_clear()


def _post() -> Answer:
    labels = [
        {"prediction_id": i, "diabetes": n == 1, "observed_at": "2026-01-30T10:00:00Z"}
        for n, i in enumerate(IDS)
    ]
    return room.handler(api_event("POST", "/labels", json.dumps({"labels": labels})), None)


def test_labels_arrive_as_typed_columns(
    aws: Callable[[str], Any], bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = create_stream(aws, bucket, "labels", records.LABEL_COLUMNS)
    _settings(bucket, stream, monkeypatch)
    assert {"accepted": 3} == json.loads(_post()["body"])
    rows = read_stream(bucket, "labels").sort_values("prediction_id")
    assert IDS == rows["prediction_id"].to_list()
    assert [False, True, False] == rows["label"].to_list()
    assert {1_769_767_200_000} == set(rows["observed_at"])


def test_a_missing_stream_sends_them_to_the_fallback(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    _settings(bucket, "no-such-stream", monkeypatch)
    assert {"accepted": 3} == json.loads(_post()["body"])
    (entry,) = bucket.list(f"{keys.FALLBACK}labels/")
    assert entry.size > 0
