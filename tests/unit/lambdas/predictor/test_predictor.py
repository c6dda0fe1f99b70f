"""The predictor's answers: logged before they are given, explained when asked, repeatable."""

import base64
import json
import uuid

import pytest

from domain import keys
from domain.model.scorer import sigmoid
from domain.model.typical import TypicalValue
from tests.cards import make_card
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.fakes import api_event, problem_of
from tests.unit.predictor_world import THRESHOLD, World, ok, sent


def test_one_patient_gets_one_answer(world: World) -> None:
    body = ok(world.predict(VALID))
    probability = world.bundle(1).probability(world.contract.row(VALID))
    expected = {
        "probability": probability,
        "diabetes": probability >= THRESHOLD,
        "threshold": THRESHOLD,
        "model_version": "1-" + json.loads(world.s3.objects[keys.CHAMPION])["sha256"][:8],
    }
    assert 7 == uuid.UUID(body.pop("prediction_id")).version
    assert expected == body


def test_a_batch_is_answered_in_order(world: World) -> None:
    batch = [VALID | {"age": age} for age in range(0, 100, 5)]
    answers = ok(world.predict({"instances": batch}))["predictions"]
    bundle = world.bundle(1)
    expected = [bundle.probability(world.contract.row(instance)) for instance in batch]
    assert expected == [answer["probability"] for answer in answers]
    assert len(batch) == len({answer["prediction_id"] for answer in answers})


def test_a_batch_of_one_is_a_batch(world: World) -> None:
    assert 1 == len(ok(world.predict({"instances": [VALID]}))["predictions"])


def test_the_answer_is_positive_from_the_threshold_on(world: World) -> None:
    probability = ok(world.predict(VALID))["probability"]
    world.promote(1, threshold=probability)
    assert ok(world.predict(VALID))["diabetes"]


def test_what_was_answered_is_in_the_log(world: World) -> None:
    batch = [VALID, {k: v for k, v in VALID.items() if k != "bmi"} | {"hypertension": 1.0}]
    answers = ok(world.predict({"instances": batch}))["predictions"]
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
    plain = ok(world.predict(batch))["predictions"]
    explained = ok(world.predict(batch, **sent(explain="true")))["predictions"]
    for answer, unexplained in zip(explained, plain, strict=True):
        explanation = answer["explanation"]
        assert list(VALID) == list(explanation["contributions"])
        margin = explanation["expected"] + sum(explanation["contributions"].values())
        assert pytest.approx(answer["probability"], abs=1e-9) == sigmoid(margin)
        assert answer["probability"] == unexplained["probability"]


@pytest.mark.parametrize("explain", [None, "false"])
def test_nothing_is_explained_unasked(world: World, explain: str | None) -> None:
    query = sent(explain=explain) if explain else {}
    assert "explanation" not in ok(world.predict(VALID, **query))


def test_fifty_are_explained_and_fifty_one_refused(world: World) -> None:
    query = sent(explain="true")
    fifty = ok(world.predict({"instances": [VALID] * 50}, **query))["predictions"]
    assert 50 == len([answer for answer in fifty if answer["explanation"]])
    problem = problem_of(world.predict({"instances": [VALID] * 51}, **query))
    detail = "must be a list of 1 to 50 objects where explain=true"
    expected = [{"pointer": "#/instances", "detail": detail}]
    assert (400, expected) == (problem["status"], problem["errors"])


@pytest.mark.parametrize("key", ["k", "8e03978e-40d5-43dd-bc93-6894a57f9324", "~" * 255])
def test_the_same_request_gets_the_same_ids(world: World, key: str) -> None:
    batch = {"instances": [VALID, VALID]}
    headers = {"Idempotency-Key": key}
    first, second = (ok(world.predict(batch, headers=headers)) for _ in range(2))
    other = ok(world.predict({"instances": [VALID]}, headers=headers))
    assert first == second
    ids = [a["prediction_id"] for a in (*first["predictions"], *other["predictions"])]
    assert 3 == len(set(ids))


def test_another_caller_gets_other_ids(world: World) -> None:
    event = api_event("POST", "/predict", json.dumps(VALID), headers={"Idempotency-Key": "k"})
    other = event | {"requestContext": {"requestId": "r", "identity": {"apiKeyId": "key-2"}}}
    ids = {ok(world.api.respond(e))["prediction_id"] for e in (event, other)}
    assert 2 == len(ids)


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 256, "a\n"])
def test_a_bad_idempotency_key_is_refused(world: World, key: str) -> None:
    answer = world.predict(VALID, headers={"Idempotency-Key": key})
    assert "Idempotency-Key" in problem_of(answer)["detail"]
    assert [] == world.firehose.lines


def test_a_refusing_stream_means_the_fallback(world: World) -> None:
    world.firehose.refuses = lambda _: True
    answers = ok(world.predict({"instances": [VALID] * 3}))["predictions"]
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
    body = ok(world.get("/model"))
    assert (5, THRESHOLD, "diabetes") == (body["trees"], body["threshold"], body["target"])
    assert world.contract.version == body["contract_version"]


@pytest.mark.parametrize("card", [None, b"", b"[]", b"[" * 100_000, b'{"trees": 5}'])
def test_a_bad_card_does_not_hide_the_model(world: World, card: bytes | None) -> None:
    (key,) = (key for key in world.s3.objects if key.endswith("card.json"))
    if card is None:
        del world.s3.objects[key]
    else:
        world.s3.objects[key] = card
    assert THRESHOLD == ok(world.get("/model"))["threshold"]


def test_a_try_is_logged_as_one(world: World) -> None:
    ok(world.predict(VALID, **sent(test="true", explain="true")))
    ok(world.predict(VALID, **sent(test="false")))
    assert ["test", "api"] == [row["source"] for row in world.firehose.rows]


def test_the_documents_example_has_the_cards_typical_values(world: World) -> None:
    ref = world.promote(1)
    typical = (TypicalValue(feature="age", number=42), TypicalValue(feature="gender", text="Male"))
    card = make_card(ref.version, typical=(*typical, TypicalValue(feature="bmi", number=500)))
    world.s3.objects[keys.card(ref.version)] = card.to_json()
    document = ok(world.get("/openapi.json"))
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    example = body["example"]
    assert (42, "Male", 55) == (example["age"], example["gender"], example["bmi"])  # 500 is invalid
