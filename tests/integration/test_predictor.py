"""The predictor's handler against S3 and Firehose, as API Gateway calls it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.contract import records
from domain.contract.contract import Contract
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from lambdas.predictor import handler as room
from lambdas.predictor.settings import Settings
from tests.cards import make_card
from tests.integration.record_streams import create_stream, read_stream
from tests.repository import CONTRACT_TOML
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.fakes import api_event, random_forest

CONTRACT = Contract.parse(CONTRACT_TOML.read_text())


@dataclass
class World:
    """The handler's surroundings: one bucket for models and logs."""

    bucket: Bucket
    stream: str

    def promote(self, number: int) -> ModelRef:
        content = Bundle(CONTRACT, random_forest(CONTRACT, number), 0.3).to_bytes()
        ref = ModelRef.of(number, digest(content))
        self.bucket.put(ref.bundle_key, content)
        stored = self.bucket.get(keys.CHAMPION)
        current = Champion.from_json(stored.data) if stored else None
        champion = Champion.successor(current, ref, action="promote", execution="e", now=1)
        etag = stored.etag if stored else None
        self.bucket.put_if(keys.CHAMPION, champion.to_json(), etag=etag)
        return ref

    def call(self, method: str, resource: str, body: Any = None) -> tuple[int, Any]:
        text = None if body is None else json.dumps(body)
        answer = room.handler(api_event(method, resource, text), None)
        return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def world(
    aws: Callable[[str], Any], bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """A fresh environment of the function."""
    stream = create_stream(aws, bucket, "log", records.prediction_log_columns(CONTRACT))
    _configure(bucket, stream, monkeypatch)
    yield World(bucket, stream)
    room._api.cache_clear()


def _configure(bucket: Bucket, stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        models_bucket=bucket.name,
        predictions_bucket=bucket.name,
        log_stream=stream,
        metrics_namespace="circle-dev",
        operator_command="ops",
        champion_seconds=0.0,
    )
    for name, value in settings.to_env().items():
        monkeypatch.setenv(name, value)
    room._api.cache_clear()


def test_predictions_arrive_in_the_log_as_typed_columns(world: World) -> None:
    ref = world.promote(1)
    odd = {"hypertension": 1.0, "bmi": None, "age": 7}
    batch = [VALID, VALID | odd, {k: v for k, v in VALID.items() if k != "smoking_history"}]
    status, body = world.call("POST", "/predict", {"instances": batch})
    assert 200 == status

    log = read_stream(world.bucket, "log").set_index("prediction_id")
    assert len(batch) == len(log)
    for answer in body["predictions"]:
        row = log.loc[answer["prediction_id"]]
        assert answer["probability"] == row["probability"]
        assert answer["diabetes"] == row["predicted"]
        assert ref.version == row["model_version"]
    second = log.loc[body["predictions"][1]["prediction_id"]]
    third = log.loc[body["predictions"][2]["prediction_id"]]
    assert (1, 7.0) == (second["hypertension"], second["age"])
    assert ("int64", "float64") == (str(log["hypertension"].dtype), str(log["age"].dtype))
    assert 1 == log["bmi"].isna().sum()
    assert pd.isna(third["smoking_history"])


@pytest.mark.parametrize("retired", [True, False], ids=["retired", "just removed"])
def test_after_a_change_of_contract_the_log_keeps_a_retired_column_of_the_old_champion(
    aws: Callable[[str], Any], bucket: Bucket, monkeypatch: pytest.MonkeyPatch, retired: bool
) -> None:
    """The table is the new contract's, without bmi; the bundle is the old one's."""
    document = CONTRACT.to_dict()
    document["features"] = [f for f in document["features"] if f["name"] != "bmi"]
    entries = [{"name": "bmi", "kind": "number"}] if retired else []
    newer = Contract.from_dict(document | {"retired": entries})
    columns = records.prediction_log_columns(newer) | newer.retired_columns()
    _configure(bucket, create_stream(aws, bucket, "log", columns), monkeypatch)
    ref = World(bucket, "log").promote(1)
    status, answer = World(bucket, "log").call("POST", "/predict", VALID)
    assert (200, ref.version) == (status, answer["model_version"])
    (row,) = read_stream(bucket, "log").to_dict("records")
    assert (answer["prediction_id"], VALID["age"]) == (row["prediction_id"], row["age"])
    assert (VALID["bmi"] if retired else None) == row.get("bmi")


def test_a_promotion_is_served_at_the_next_look(world: World) -> None:
    status, problem = world.call("POST", "/predict", VALID)
    assert 503 == status
    assert "Ask an operator" in problem["detail"]
    first = world.promote(1)
    room._api.cache_clear()  # another environment: this one believes in no model for a second
    assert first.version == world.call("POST", "/predict", VALID)[1]["model_version"]
    second = world.promote(2)
    assert second.version == world.call("POST", "/predict", VALID)[1]["model_version"]
    assert (200, {"status": "ok", "version": second.version, "reasons": []}) == world.call(
        "GET", "/health"
    )


def test_a_bad_bundle_leaves_the_last_good_one_serving(world: World) -> None:
    first = world.promote(1)
    assert 200 == world.call("POST", "/predict", VALID)[0]
    second = world.promote(2)
    world.bucket.put(second.bundle_key, b"damaged")
    assert first.version == world.call("POST", "/predict", VALID)[1]["model_version"]
    health = world.call("GET", "/health")[1]
    assert ("degraded", first.version) == (health["status"], health["version"])
    room._api.cache_clear()  # a cold start
    assert first.version == world.call("POST", "/predict", VALID)[1]["model_version"]


def test_a_missing_stream_sends_the_records_to_the_fallback(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.promote(1)
    monkeypatch.setenv("LOG_STREAM", "no-such-stream")
    status, body = world.call("POST", "/predict", {"instances": [VALID, VALID]})
    assert 200 == status
    (entry,) = world.bucket.list(keys.FALLBACK)
    stored = world.bucket.get(entry.key)
    assert stored is not None
    rows = [json.loads(line) for line in stored.data.splitlines()]
    expected = [answer["prediction_id"] for answer in body["predictions"]]
    assert expected == [row["prediction_id"] for row in rows]


def test_a_refused_request_leaves_no_record(world: World) -> None:
    world.promote(1)
    status, problem = world.call("POST", "/predict", VALID | {"age": 500, "x": 1})
    assert 400 == status
    assert ["#/x", "#/age"] == [error["pointer"] for error in problem["errors"]]
    assert [] == list(world.bucket.list("log/")) + list(world.bucket.list(keys.FALLBACK))


def test_the_model_and_its_document_are_served(world: World) -> None:
    ref = world.promote(1)
    world.bucket.put(keys.card(ref.version), make_card(ref.version, trees=5).to_json())
    status, model = world.call("GET", "/model")
    assert (200, 5, ref.version) == (status, model["trees"], model["version"])
    status, document = world.call("GET", "/openapi.json")
    assert (200, CONTRACT.version) == (status, document["info"]["version"])
