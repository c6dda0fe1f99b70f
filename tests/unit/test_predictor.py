"""The predictor: strict in, logged before answered, one model per request."""

import base64
import json
import logging
import sys
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.proxy import Api
from adapters.streams import RecordStream
from adapters.telemetry import Telemetry
from domain import keys
from domain.bundle import Bundle
from domain.champion import ModelRef
from domain.contract import Contract
from domain.scorer import sigmoid
from lambdas.predictor.routes import build
from tests.unit.fakes import (
    FakeFirehose,
    FakeS3,
    api_event,
    client_error,
    json_lines,
    point_at,
    problem_of,
    random_forest,
    store_model,
)
from tests.unit.test_contract import VALID

THRESHOLD = 0.2


@dataclass
class World:
    """A predictor with everything around it in memory."""

    contract: Contract
    champion_seconds: float = 0.0
    s3: FakeS3 = field(default_factory=FakeS3)
    firehose: FakeFirehose = field(default_factory=FakeFirehose)

    def __post_init__(self) -> None:
        client: Any = self.firehose
        self.api: Api = build(
            models=self.s3.bucket(),
            champion_seconds=self.champion_seconds,
            stream=RecordStream(client, "s", self.s3.bucket(), "log", sleep=lambda _: None),
            telemetry=Telemetry("predictor"),
        )

    def respond(self, event: dict[str, Any]) -> dict[str, Any]:
        # Loggers live as long as the process; each test has its own captured stdout.
        handler: Any = self.api.telemetry.log.registered_handler
        handler.stream = sys.stdout
        return self.api.respond(event)

    def bundle(self, seed: int, threshold: float = THRESHOLD) -> Bundle:
        return Bundle(self.contract, random_forest(self.contract, seed), threshold)

    def promote(self, number: int, threshold: float = THRESHOLD) -> ModelRef:
        ref = store_model(self.s3, self.bundle(number, threshold), number)
        point_at(self.s3, ref)
        return ref

    def predict(self, body: Any, **options: Any) -> dict[str, Any]:
        text = body if isinstance(body, str) else json.dumps(body)
        return self.respond(api_event("POST", "/predict", text, **options))

    def get(self, resource: str) -> dict[str, Any]:
        return self.respond(api_event("GET", resource))

    @property
    def fallback_rows(self) -> list[dict[str, Any]]:
        stored = [d for k, d in self.s3.objects.items() if k.startswith(keys.FALLBACK)]
        return json_lines(line for data in stored for line in data.splitlines())


@pytest.fixture
def world(contract: Contract) -> World:
    """Ready to serve version 1."""
    world = World(contract)
    world.promote(1)
    return world


def _ok(answer: Mapping[str, Any]) -> Any:
    assert 200 == answer["statusCode"], answer["body"]
    return json.loads(answer["body"])


def test_one_patient_gets_one_answer(world: World) -> None:
    body = _ok(world.predict(VALID))
    probability = world.bundle(1).probability(world.contract.row(VALID))
    expected = {
        "probability": probability,
        "diabetes": probability >= THRESHOLD,
        "threshold": THRESHOLD,
        "model_version": "1-" + json.loads(world.s3.objects[keys.CHAMPION])["sha256"][:8],
    }
    assert 4 == uuid.UUID(body.pop("prediction_id")).version
    assert expected == body


def test_a_batch_is_answered_in_order(world: World) -> None:
    batch = [VALID | {"age": age} for age in range(0, 100, 5)]
    answers = _ok(world.predict({"instances": batch}))["predictions"]
    bundle = world.bundle(1)
    expected = [bundle.probability(world.contract.row(instance)) for instance in batch]
    assert expected == [answer["probability"] for answer in answers]
    assert len(batch) == len({answer["prediction_id"] for answer in answers})


def test_a_batch_of_one_is_a_batch(world: World) -> None:
    assert 1 == len(_ok(world.predict({"instances": [VALID]}))["predictions"])


def test_the_answer_is_positive_from_the_threshold_on(world: World) -> None:
    probability = _ok(world.predict(VALID))["probability"]
    world.promote(1, threshold=probability)
    assert _ok(world.predict(VALID))["diabetes"]


def test_what_was_answered_is_in_the_log(world: World) -> None:
    batch = [VALID, {k: v for k, v in VALID.items() if k != "bmi"} | {"hypertension": 1.0}]
    answers = _ok(world.predict({"instances": batch}))["predictions"]
    rows = world.firehose.rows
    for answer, row in zip(answers, rows, strict=True):
        assert answer["prediction_id"] == row["prediction_id"]
        assert answer["probability"] == row["probability"]
        assert answer["model_version"] == row["model_version"]
        assert (answer["diabetes"], "api") == (row["predicted"], row["source"])
        assert world.contract.version == row["contract_version"]
    assert [27.3, None] == [row["bmi"] for row in rows]
    assert [6.6, 6.6] == [row["hba1c_level"] for row in rows]
    assert "1" == repr(rows[1]["hypertension"])


def test_a_body_may_come_in_base64(world: World) -> None:
    encoded = base64.b64encode(json.dumps(VALID).encode()).decode()
    assert 200 == world.predict(encoded, isBase64Encoded=True)["statusCode"]


def test_header_names_have_any_case(world: World) -> None:
    event = api_event("POST", "/predict", json.dumps(VALID))
    event["headers"] = {"CONTENT-TYPE": "application/json"}
    assert 200 == world.api.respond(event)["statusCode"]


def test_an_explained_answer_adds_up_to_its_own_log_odds(world: World) -> None:
    batch = {"instances": [VALID, VALID | {"bmi": None}]}
    plain = _ok(world.predict(batch))["predictions"]
    explained = _ok(world.predict(batch, **_query(explain="true")))["predictions"]
    for answer, unexplained in zip(explained, plain, strict=True):
        explanation = answer["explanation"]
        assert list(VALID) == list(explanation["contributions"])
        margin = explanation["expected"] + sum(explanation["contributions"].values())
        assert sigmoid(margin) == pytest.approx(answer["probability"], abs=1e-9)
        assert answer["probability"] == unexplained["probability"]


@pytest.mark.parametrize("explain", [None, "false"])
def test_nothing_is_explained_unasked(world: World, explain: str | None) -> None:
    query = _query(explain=explain) if explain else {}
    assert "explanation" not in _ok(world.predict(VALID, **query))


def test_fifty_are_explained_and_fifty_one_refused(world: World) -> None:
    query = _query(explain="true")
    fifty = _ok(world.predict({"instances": [VALID] * 50}, **query))["predictions"]
    assert 50 == len([answer for answer in fifty if answer["explanation"]])
    problem = problem_of(world.predict({"instances": [VALID] * 51}, **query))
    expected = [{"pointer": "#/instances", "detail": "must be a list of 1 to 50 objects"}]
    assert (400, expected) == (problem["status"], problem["errors"])


@pytest.mark.parametrize(
    "query",
    [
        {"explain": ["yes"]},
        {"explain": [""]},
        {"explain": ["True"]},
        {"explain": ["true", "true"]},
        {"explain": ["true"], "canary-4711": ["x"]},
        {"Explain": ["true"]},
    ],
)
def test_a_bad_query_is_refused_in_a_sentence(world: World, query: dict[str, list[str]]) -> None:
    answer = world.predict(VALID, multiValueQueryStringParameters=query)
    assert "explain" in problem_of(answer)["detail"]
    assert (400, []) == (answer["statusCode"], world.firehose.lines)
    assert CANARY not in answer["body"]


def _query(**parameters: str) -> dict[str, Any]:
    """As the gateway sends it, both ways."""
    return {
        "queryStringParameters": parameters,
        "multiValueQueryStringParameters": {name: [v] for name, v in parameters.items()},
    }


CANARY = "canary-4711"
REFUSED: list[tuple[str, Any, int, list[str]]] = [
    ("no body", "", 400, []),
    ("blank body", "  \n", 400, []),
    ("not JSON", "{", 400, []),
    ("form", "age=54", 400, []),
    ("BOM", "\ufeff" + json.dumps(VALID), 400, []),
    ("NaN", '{"age": NaN}', 400, []),
    ("infinity", '{"age": -Infinity}', 400, []),
    ("duplicate key", json.dumps(VALID)[:-1] + ', "age": 54}', 400, []),
    ("deep arrays", "[" * 200_000, 400, []),
    ("deep objects", '{"age":' * 100_000, 400, []),
    ("deep value", json.dumps(VALID | {"age": [[[[1]]]]}), 400, ["#/age"]),
    ("half surrogate", '{"gender": "\\ud800"}', 400, []),
    ("half surrogate in the event", '{"gender": "\ud800"}', 400, []),
    ("oversize", json.dumps(VALID) + " " * 2**20, 413, []),
    ("null", None, 400, ["#"]),
    ("number", 1, 400, ["#"]),
    ("text", CANARY, 400, []),
    ("list", [VALID], 400, ["#"]),
    ("0 instances", {"instances": []}, 400, ["#/instances"]),
    ("1,001 instances", {"instances": [VALID] * 1001}, 400, ["#/instances"]),
    ("instances no list", {"instances": VALID}, 400, ["#/instances"]),
    ("instances null", {"instances": None}, 400, ["#/instances"]),
    ("beside instances", {"instances": [VALID], "age": 1}, 400, ["#/age"]),
    ("instance no object", {"instances": [VALID, 5]}, 400, ["#/instances/1"]),
    ("instance null", {"instances": [None]}, 400, ["#/instances/0"]),
    ("nested batch", {"instances": [{"instances": [VALID]}]}, 400, []),
    ("empty object", {}, 400, ["#/gender", "#/age", "#/hypertension", "#/heart_disease"]),
    ("unknown field", VALID | {"colour": CANARY}, 400, ["#/colour"]),
    ("wrong case", VALID | {"Age": 54}, 400, ["#/Age"]),
    ("log column", VALID | {"prediction_id": CANARY}, 400, ["#/prediction_id"]),
    ("target", VALID | {"diabetes": True}, 400, ["#/diabetes"]),
    ("empty name", VALID | {"": 1}, 400, ["#/"]),
    ("pointer characters", VALID | {"a/b~": 1}, 400, ["#/a~1b~0"]),
    ("age as text", VALID | {"age": "54"}, 400, ["#/age"]),
    ("age as bool", VALID | {"age": True}, 400, ["#/age"]),
    ("age null", VALID | {"age": None}, 400, ["#/age"]),
    ("age low", VALID | {"age": -1}, 400, ["#/age"]),
    ("age high", VALID | {"age": 120.5}, 400, ["#/age"]),
    ("age huge", VALID | {"age": 10**400}, 400, ["#/age"]),
    ("age of 5,000 digits", json.dumps(VALID).replace("54", "9" * 5000), 400, ["#/age"]),
    ("age infinite by exponent", json.dumps(VALID).replace("54", "1e999"), 400, ["#/age"]),
    ("age list", VALID | {"age": [54]}, 400, ["#/age"]),
    ("age object", VALID | {"age": {"value": 54}}, 400, ["#/age"]),
    ("age empty", VALID | {"age": ""}, 400, ["#/age"]),
    ("flag 2", VALID | {"hypertension": 2}, 400, ["#/hypertension"]),
    ("flag 0.5", VALID | {"hypertension": 0.5}, 400, ["#/hypertension"]),
    ("flag bool", VALID | {"hypertension": False}, 400, ["#/hypertension"]),
    ("flag text", VALID | {"hypertension": "1"}, 400, ["#/hypertension"]),
    ("flag null", VALID | {"heart_disease": None}, 400, ["#/heart_disease"]),
    ("category unknown", VALID | {"gender": CANARY}, 400, ["#/gender"]),
    ("category case", VALID | {"gender": "female"}, 400, ["#/gender"]),
    ("category padded", VALID | {"gender": " Female"}, 400, ["#/gender"]),
    ("category number", VALID | {"gender": 0}, 400, ["#/gender"]),
    ("category null", VALID | {"gender": None}, 400, ["#/gender"]),
    ("category list", VALID | {"gender": ["Female"]}, 400, ["#/gender"]),
    ("category with NUL", VALID | {"gender": "Female\0"}, 400, ["#/gender"]),
    ("nullable category", VALID | {"smoking_history": ""}, 400, ["#/smoking_history"]),
    ("bmi low", VALID | {"bmi": 9.999}, 400, ["#/bmi"]),
    ("bmi text", VALID | {"bmi": CANARY}, 400, ["#/bmi"]),
    ("HbA1c high", VALID | {"HbA1c_level": 20.01}, 400, ["#/HbA1c_level"]),
    ("glucose high", VALID | {"blood_glucose_level": 701}, 400, ["#/blood_glucose_level"]),
    (
        "several at once",
        VALID | {"age": CANARY, "bmi": True, "x": 1},
        400,
        ["#/x", "#/age", "#/bmi"],
    ),
    (
        "several in a batch",
        {"instances": [VALID, VALID | {"age": 121}, VALID | {"gender": CANARY, "bmi": 5}]},
        400,
        ["#/instances/1/age", "#/instances/2/gender", "#/instances/2/bmi"],
    ),
    (
        "numbers without their type",
        VALID | {"age": "NaN", "bmi": "Infinity"},
        400,
        ["#/age", "#/bmi"],
    ),
]


@pytest.mark.parametrize(
    ("body", "status", "pointers"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_bad_input_is_refused_named_and_not_logged(
    world: World,
    body: Any,
    status: int,
    pointers: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = world.predict(body)
    problem = problem_of(answer)
    assert status == answer["statusCode"]
    if pointers:
        assert pointers == [error["pointer"] for error in problem["errors"]]
    assert CANARY not in answer["body"] + capsys.readouterr().out
    assert [] == world.firehose.lines
    assert problem["detail"].endswith(".")


def test_there_are_enough_cases_of_bad_input() -> None:
    assert len(REFUSED) >= 64


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": ""},
        {"Content-Encoding": "gzip"},
    ],
)
def test_another_media_type_is_415(world: World, headers: dict[str, str]) -> None:
    answer = world.predict(VALID, headers=headers)
    assert 415 == problem_of(answer)["status"]
    assert [] == world.firehose.lines


@pytest.mark.parametrize(
    "body", ["no base64!", base64.b64encode(b'{"gender": "\xff"}').decode(), "abc"]
)
def test_a_bad_base64_body_is_400(world: World, body: str) -> None:
    assert 400 == problem_of(world.predict(body, isBase64Encoded=True))["status"]


def test_a_refusal_lists_a_thousand_problems_at_most(world: World) -> None:
    problem = problem_of(world.predict({"instances": [{}] * 1000}))
    assert 1000 == len(problem["errors"])
    assert problem["detail"].startswith("4,000 fields are not valid.")


@pytest.mark.parametrize(
    ("method", "resource", "status"),
    [
        ("GET", "/predict", 405),
        ("DELETE", "/model", 405),
        ("POST", "/health", 405),
        ("GET", "/", 404),
        ("GET", "/labels", 404),
    ],
)
def test_other_routes_are_problems(world: World, method: str, resource: str, status: int) -> None:
    answer = world.api.respond(api_event(method, resource))
    assert status == problem_of(answer)["status"]
    assert ("Allow" in answer["headers"]) == (status == 405)


@pytest.mark.parametrize("key", ["k", "8e03978e-40d5-43dd-bc93-6894a57f9324", "~" * 255])
def test_the_same_request_gets_the_same_ids(world: World, key: str) -> None:
    batch = {"instances": [VALID, VALID]}
    headers = {"Idempotency-Key": key}
    first, second = (_ok(world.predict(batch, headers=headers)) for _ in range(2))
    other = _ok(world.predict({"instances": [VALID]}, headers=headers))
    assert first == second
    ids = [a["prediction_id"] for a in (*first["predictions"], *other["predictions"])]
    assert 3 == len(set(ids))


def test_another_caller_gets_other_ids(world: World) -> None:
    event = api_event("POST", "/predict", json.dumps(VALID), headers={"Idempotency-Key": "k"})
    other = event | {"requestContext": {"requestId": "r", "identity": {"apiKeyId": "key-2"}}}
    ids = {_ok(world.api.respond(e))["prediction_id"] for e in (event, other)}
    assert 2 == len(ids)


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 256, "a\n"])
def test_a_bad_idempotency_key_is_refused(world: World, key: str) -> None:
    answer = world.predict(VALID, headers={"Idempotency-Key": key})
    assert "Idempotency-Key" in problem_of(answer)["detail"]
    assert [] == world.firehose.lines


def test_a_refusing_stream_means_the_fallback(world: World) -> None:
    world.firehose.refuses = lambda _: True
    answers = _ok(world.predict({"instances": [VALID] * 3}))["predictions"]
    expected = [answer["prediction_id"] for answer in answers]
    assert expected == [row["prediction_id"] for row in world.fallback_rows]


def test_nothing_is_answered_that_could_not_be_logged(world: World) -> None:
    world.firehose.refuses = lambda _: True
    world.s3.failing[keys.FALLBACK] = "offline"
    answer = world.predict(VALID)
    assert 503 == problem_of(answer)["status"]
    assert "1" == answer["headers"]["Retry-After"]
    assert "probability" not in answer["body"]


def test_the_model_is_described_by_its_card_and_its_bundle(world: World) -> None:
    body = _ok(world.get("/model"))
    assert (5, THRESHOLD, "diabetes") == (body["trees"], body["threshold"], body["target"])
    assert world.contract.version == body["contract_version"]


@pytest.mark.parametrize("card", [None, b"", b"[]", b"[" * 100_000])
def test_a_bad_card_does_not_hide_the_model(world: World, card: bytes | None) -> None:
    (key,) = (key for key in world.s3.objects if key.endswith("card.json"))
    if card is None:
        del world.s3.objects[key]
    else:
        world.s3.objects[key] = card
    assert THRESHOLD == _ok(world.get("/model"))["threshold"]


@pytest.mark.parametrize("resource", ["/model", "/health", "/openapi.json"])
def test_without_a_champion_everything_is_503_with_the_next_step(
    contract: Contract, resource: str
) -> None:
    world = World(contract)
    for answer in (world.get(resource), world.predict(VALID)):
        problem = problem_of(answer)
        assert 503 == problem["status"]
        assert "python -m ops train" in problem["detail"]
    assert [] == world.firehose.lines


def test_the_first_promotion_is_seen_soon_although_models_are_kept_long(
    contract: Contract,
) -> None:
    world, now = World(contract, champion_seconds=60), [100.0]
    models = world.api.routes["GET", "/health"].__self__.models  # type: ignore[attr-defined]  # a bound method
    models.clock = lambda: now[0]
    assert 503 == world.get("/health")["statusCode"]
    world.promote(1)
    now[0] += 1.0
    assert 200 == world.get("/health")["statusCode"]
    world.promote(2)
    now[0] += 59.0
    assert _ok(world.get("/health"))["version"].startswith("1-")
    now[0] += 1.0
    assert _ok(world.get("/health"))["version"].startswith("2-")


def test_an_unchanged_pointer_reloads_nothing(world: World) -> None:
    for _ in range(3):
        world.predict(VALID)
    reads = [key for key in world.s3.reads if key != keys.CHAMPION]
    assert 1 == len(reads)
    assert 3 == world.s3.reads.count(keys.CHAMPION)


def _damage(world: World, ref: ModelRef, content: bytes | None) -> None:
    if content is None:
        del world.s3.objects[ref.bundle_key]
    else:
        world.s3.objects[ref.bundle_key] = content


BROKEN = [None, b"", b"\x80\x04.", bytes(10_000)]


@pytest.mark.parametrize("content", BROKEN)
def test_the_last_good_model_serves_on_when_the_new_one_is_bad(
    world: World, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    _ok(world.predict(VALID))
    _damage(world, world.promote(2), content)
    assert _ok(world.predict(VALID))["model_version"].startswith("1-")
    health = _ok(world.get("/health"))
    assert ("degraded", "1-") == (health["status"], health["version"][:2])
    assert "Version 2-" in health["reasons"][0]
    assert "BundleTrouble" in capsys.readouterr().out


@pytest.mark.parametrize("content", BROKEN)
def test_a_cold_start_with_a_bad_champion_serves_the_previous_one(
    world: World, content: bytes | None
) -> None:
    _damage(world, world.promote(2), content)
    assert _ok(world.predict(VALID))["model_version"].startswith("1-")
    assert "degraded" == _ok(world.get("/health"))["status"]


def test_a_repaired_bundle_is_loaded_at_the_next_look(world: World) -> None:
    ref = world.promote(2)
    good = world.s3.objects[ref.bundle_key]
    _damage(world, ref, b"")
    _ok(world.predict(VALID))
    world.s3.objects[ref.bundle_key] = good
    assert ref.version == _ok(world.predict(VALID))["model_version"]
    assert {"status": "ok", "version": ref.version, "reasons": []} == _ok(world.get("/health"))


def test_with_every_bundle_bad_it_says_why(world: World) -> None:
    world.promote(2)
    for key in list(world.s3.objects):
        if key.endswith("bundle.json.gz"):
            world.s3.objects[key] = b"broken"
    problem = problem_of(world.predict(VALID))
    assert 503 == problem["status"]
    assert "Version 2-" in problem["detail"]


@pytest.mark.parametrize("pointer", [b"", b"{}", b"[" * 100_000, b"\xff", b'{"version": "x"}'])
def test_a_damaged_pointer_keeps_the_model(world: World, pointer: bytes) -> None:
    _ok(world.predict(VALID))
    world.s3.objects[keys.CHAMPION] = pointer
    assert 200 == world.predict(VALID)["statusCode"]
    assert "degraded" == _ok(world.get("/health"))["status"]


@pytest.mark.parametrize("code", ["offline", "SlowDown", "AccessDenied", "InternalError"])
def test_a_failing_bucket_keeps_the_model_and_fails_a_cold_start_with_503(
    world: World, contract: Contract, code: str
) -> None:
    _ok(world.predict(VALID))
    world.s3.failing["serving/"] = code
    assert 200 == world.predict(VALID)["statusCode"]
    cold = World(contract, s3=world.s3)
    assert 503 == problem_of(cold.predict(VALID))["status"]
    world.s3.failing.clear()
    assert "ok" == _ok(world.get("/health"))["status"]


def test_a_removed_pointer_keeps_the_model(world: World) -> None:
    _ok(world.predict(VALID))
    del world.s3.objects[keys.CHAMPION]
    assert 200 == world.predict(VALID)["statusCode"]


def test_version_threshold_and_probability_belong_together_while_models_change(
    contract: Contract,
) -> None:
    """Readers on several threads, a writer that promotes back and forth."""
    world = World(contract)
    row = contract.row(VALID)
    thresholds = {number: number / 10 for number in range(1, 6)}
    refs = {n: store_model(world.s3, world.bundle(n, t), n) for n, t in thresholds.items()}
    point_at(world.s3, refs[1])
    expected = {
        ref.version: (thresholds[n], world.bundle(n).probability(row)) for n, ref in refs.items()
    }
    mixed: list[Any] = []
    seen: set[str] = set()

    def read() -> None:
        for _ in range(150):
            answer = _ok(world.predict(VALID))
            version = answer["model_version"]
            seen.add(version)
            if expected[version] != (answer["threshold"], answer["probability"]):
                mixed.append(answer)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    promotions = 0
    while any(reader.is_alive() for reader in readers):
        promotions += 1
        point_at(world.s3, refs[promotions % 5 + 1])
    assert [] == mixed
    assert len(seen) > 1


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
    answers = _ok(world.predict({"instances": [VALID] * 3}))["predictions"]
    (line,) = _emitted(capsys)
    positives = float(sum(answer["diabetes"] for answer in answers))
    assert ([3.0], [positives], [3.0]) == (
        line["Instances"],
        line["Positives"],
        line["LogFallbacks"],
    )
    assert line["Latency"][0] > 0
    definition = line["_aws"]["CloudWatchMetrics"][0]
    assert ("Circle", [["service"]]) == (definition["Namespace"], definition["Dimensions"])
    assert answers[0]["model_version"] == line["model_version"]
    assert ("c6af9ac6-7b61-11e6-9a41-93e8deadbeef", 200) == (line["correlation_id"], line["status"])


def test_the_metrics_of_a_refusal_name_known_fields_only(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = VALID | {"age": "x", CANARY: 1}
    world.predict({"instances": [bad, bad, VALID | {"bmi": 1}]})
    first, *by_field = _emitted(capsys)
    assert [1.0] == first["ValidationErrors"]
    assert {"age": [2.0], "bmi": [1.0]} == {li["field"]: li["FieldErrors"] for li in by_field}
    assert all(["field", "service"] == sorted(d) for li in by_field for d in _dimensions(li))


def _dimensions(line: dict[str, Any]) -> list[list[str]]:
    dimensions: list[list[str]] = line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    return dimensions


def test_values_sent_reach_no_log_and_no_metric(
    world: World, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    numbers = {"age": 47.3719, "bmi": 33.7193, "HbA1c_level": 7.7317, "blood_glucose_level": 317.73}
    world.predict(VALID | numbers)
    world.predict(VALID | numbers | {"gender": CANARY, CANARY: CANARY})
    world.firehose.refuses = lambda _: True
    world.predict(VALID | numbers)
    out = capsys.readouterr()
    told = out.out + out.err + caplog.text + "".join(world.s3.objects)
    planted = [CANARY, *(str(number) for number in numbers.values())]
    assert [] == [value for value in planted if value in told]
