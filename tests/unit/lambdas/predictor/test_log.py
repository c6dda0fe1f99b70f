"""No record is lost, and nothing that was sent is told anywhere but in the log."""

import json
import logging
import random
import sys
from typing import Any

import pytest

from adapters.api.rest import Answer
from adapters.telemetry import Telemetry
from domain import keys
from domain.contract.context import Context
from domain.contract.contract import Contract
from lambdas.labels.routes import build as build_labels
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.fakes import FakeFirehose, FakeS3, api_event, client_error
from tests.unit.predictor_world import World

REQUESTS = 300


@pytest.mark.parametrize("share", [0.3, 1.0])
@pytest.mark.parametrize("whole_calls", [False, True], ids=["records fail", "calls fail"])
def test_answered_ids_are_logged_ids_at_any_failure_rate(
    contract: Contract, share: float, whole_calls: bool
) -> None:
    """Single requests and batches; the fallback fails now and then too."""
    rng = random.Random(4)
    world = World(contract)
    world.promote(1)
    put = world.firehose.put_record_batch

    def put_record_batch(**call: Any) -> Any:
        if whole_calls and rng.random() < share:
            raise client_error("ThrottlingException")
        return put(**call)

    world.firehose.put_record_batch = put_record_batch  # type: ignore[method-assign]  # a stream that throttles
    if not whole_calls:
        world.firehose.refuses = lambda _: rng.random() < share
    answered: list[str] = []
    refused = 0
    for number in range(REQUESTS):
        world.s3.failing = {keys.FALLBACK: "offline"} if rng.random() < 0.05 else {}
        count = rng.choice([1, 1, 1, 2, 7])
        body = VALID if count == 1 else {"instances": [VALID] * count}
        answer = world.predict(body, headers={"Idempotency-Key": str(number)})
        if answer["statusCode"] == 503:
            refused += 1
            continue
        found = json.loads(answer["body"])
        answered += [a["prediction_id"] for a in found.get("predictions", [found])]

    logged = [row["prediction_id"] for row in (*world.firehose.rows, *world.fallback_rows)]
    assert len(answered) == len(set(answered)) > REQUESTS / 2
    assert set() == set(answered) - set(logged)
    assert len(logged) == len(set(logged))
    # What is logged and wasn't answered belongs to a batch whose rest could be stored nowhere.
    unanswered = set(logged) - set(answered)
    assert (refused > 0) or (set() == unanswered)
    assert len(unanswered) <= 7 * refused


def test_nothing_is_in_doubt_while_the_fallback_works(contract: Contract) -> None:
    world = World(contract)
    world.promote(1)
    rng = random.Random(5)
    world.firehose.refuses = lambda _: rng.random() < 0.3
    answers = [json.loads(world.predict(VALID)["body"]) for _ in range(REQUESTS)]
    logged = [row["prediction_id"] for row in (*world.firehose.rows, *world.fallback_rows)]
    assert sorted(answer["prediction_id"] for answer in answers) == sorted(logged)


CANARIES = [f"canary-{n:02d}-{random.Random(n).randrange(10**9):09d}" for n in range(25)]
NUMBERS = [round(20 + random.Random(n).random() * 60, 9) for n in range(25)]


def _told(
    world: World, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> str:
    out = capsys.readouterr()
    records = "\n".join(repr(vars(record)) for record in caplog.records)
    return "\n".join((out.out, out.err, caplog.text, records, *world.s3.objects))


def test_fifty_planted_values_are_told_nowhere(
    contract: Contract,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Names, values, ids and headers that are refused, and numbers that are accepted.

    Through every outcome: answered, explained, refused, throttled, the fallback, 503, a defect.
    """
    assert 50 == len({*CANARIES, *map(str, NUMBERS)})
    caplog.set_level(logging.DEBUG)
    world = World(contract)
    world.promote(1)
    answers: list[Answer] = []

    def send(body: Any, **options: Any) -> None:
        answers.append(world.predict(body, **options))

    valid = [VALID | {"bmi": number, "age": number} for number in NUMBERS]
    for text, instance in zip(CANARIES, valid, strict=True):
        send(instance)
        send(instance, queryStringParameters={"explain": "true"})
        send(instance | {"gender": text, "smoking_history": text})
        send(instance | {text: text})
        send({"instances": [instance | {"age": text}, {text: instance}]})
        send(json.dumps(instance)[:-1] + f', "{text}": ')
        send(f'{{"{text}": 1, "{text}": {text}}}')
        send(instance, queryStringParameters={"explain": text})
        send(instance, queryStringParameters={text: text})
        send(instance, headers={"Content-Type": text})
        send(instance, headers={"Idempotency-Key": text + "\n"})
        send(text, isBase64Encoded=True)
    world.firehose.refuses = lambda _: True
    for instance in valid:
        send(instance)
    world.s3.failing[keys.FALLBACK] = "offline"
    for instance in valid:
        send(instance)

    def explode(*_: Any, **options: Any) -> Any:
        raise ValueError(f"{options}")

    monkeypatch.setattr("lambdas.predictor.routes.predict", explode)
    for instance in valid:
        send(instance)

    assert {200, 400, 415, 500, 503} == {answer["statusCode"] for answer in answers}
    told = _told(world, capsys, caplog)
    assert "BundleTrouble" not in told
    assert told.count("correlation_id") > len(answers)
    assert [] == [value for value in (*CANARIES, *map(str, NUMBERS)) if value in told]
    refusals = "".join(a["body"] for a in answers if a["statusCode"] != 200)
    echoed = [number for number in NUMBERS if str(number) in refusals]
    assert [] == echoed
    # A field's own name is its pointer; a canary as a value is nowhere.
    names = {pointer for a in answers for pointer in _pointers(a)}
    for name in names:
        refusals = refusals.replace(json.dumps(name), "")
    assert [] == [text for text in CANARIES if text in refusals]


def _pointers(answer: Answer) -> list[str]:
    return [error["pointer"] for error in json.loads(answer["body"]).get("errors", [])]


def test_labels_tell_nothing_of_what_was_sent(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from adapters.streams import RecordStream

    caplog.set_level(logging.DEBUG)
    s3, firehose = FakeS3(), FakeFirehose(refuses=lambda _: True)
    client: Any = firehose
    stream = RecordStream(client, "s", s3.bucket(), "labels", sleep=lambda _: None)
    telemetry = Telemetry("labels", "circle-dev")
    handler: Any = telemetry.log.registered_handler
    handler.stream = sys.stdout
    reference = Context(name="visit", role="reference", maximum_length=1)
    api = build_labels(stream=stream, target="diabetes", reference=reference, telemetry=telemetry)
    for text in CANARIES:
        label = {"prediction_id": text, "diabetes": text, "observed_at": text, text: text}
        for sent in (label, {"reference": text, "diabetes": True}):
            answer = api.respond(api_event("POST", "/labels", json.dumps(sent)))
            assert 400 == answer["statusCode"]
    ids = [f"00000000-0000-4000-8000-{n:012d}" for n in range(25)]
    for prediction_id in ids:
        body = json.dumps({"prediction_id": prediction_id, "diabetes": True})
        assert 200 == api.respond(api_event("POST", "/labels", body))["statusCode"]
    told = capsys.readouterr().out + caplog.text + "".join(s3.objects)
    assert [] == [value for value in (*CANARIES, *ids) if value in told]


def test_every_line_of_a_request_bears_the_gateways_id(
    contract: Contract, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(contract)
    world.promote(1)
    world.firehose.refuses = lambda _: True
    world.s3.failing[keys.FALLBACK] = "offline"
    capsys.readouterr()
    world.predict(VALID)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert 2 <= len(lines)  # the failure and the metrics
    assert {"c6af9ac6-7b61-11e6-9a41-93e8deadbeef"} == {line["correlation_id"] for line in lines}
