"""Labels: read strictly, stored before they are acknowledged."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.api.rest import Answer
from adapters.streams import RecordStream
from adapters.telemetry import Telemetry
from domain import keys, times
from domain.api.requests import BadRequest
from domain.contract.context import Context
from lambdas.labels.accept import read_labels
from lambdas.labels.routes import build
from tests.unit.fakes import FakeFirehose, FakeS3, api_event, json_lines, problem_of

ID = "0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10"
LABEL = {"prediction_id": ID, "diabetes": True, "observed_at": "2026-01-30T10:00:00+01:00"}
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@dataclass
class World:
    """The labels function with everything around it in memory."""

    s3: FakeS3 = field(default_factory=FakeS3)
    firehose: FakeFirehose = field(default_factory=FakeFirehose)
    reference: Context | None = None

    def post(self, body: Any, path: str = "/labels", **options: Any) -> Answer:
        client: Any = self.firehose
        api = build(
            stream=RecordStream(client, "s", self.s3.bucket(), "labels", sleep=lambda _: None),
            target="diabetes",
            reference=self.reference,
            telemetry=Telemetry("labels", "circle-dev"),
        )
        text = body if isinstance(body, str) else json.dumps(body)
        return api.respond(api_event("POST", path, text, **options))


@pytest.fixture
def world() -> World:
    return World()


def _ok(answer: Mapping[str, Any]) -> Any:
    assert 200 == answer["statusCode"], answer["body"]
    return json.loads(answer["body"])


@pytest.mark.parametrize("body", [LABEL, {"labels": [LABEL]}])
def test_a_label_is_stored_and_counted(world: World, body: Any) -> None:
    before = times.to_millis(datetime.now(UTC))
    assert {"accepted": 1} == _ok(world.post(body))
    (row,) = world.firehose.rows
    assert before <= row.pop("received_at") <= times.to_millis(datetime.now(UTC))
    observed = times.to_millis(datetime(2026, 1, 30, 9, tzinfo=UTC))
    expected = {"prediction_id": ID, "reference": None, "label": True, "observed_at": observed}
    assert expected == row


def test_a_thousand_labels_are_stored_in_order(world: World) -> None:
    ids = [f"00000000-0000-4000-8000-{n:012d}" for n in range(1000)]
    labels = [{"prediction_id": i, "diabetes": False} for i in ids]
    assert {"accepted": 1000} == _ok(world.post({"labels": labels}))
    assert ids == [row["prediction_id"] for row in world.firehose.rows]


REFERENCE = Context(name="visit", role="reference", maximum_length=10)


def test_a_label_may_name_its_prediction_by_reference() -> None:
    world = World(reference=REFERENCE)
    by_reference = {"reference": "visit 4711", "diabetes": True}
    assert {"accepted": 2} == _ok(world.post({"labels": [by_reference, LABEL]}))
    named = [(row["prediction_id"], row["reference"]) for row in world.firehose.rows]
    assert [(None, "visit 4711"), (ID, None)] == named


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"reference": None}, ["#/reference"]),
        ({"reference": ""}, ["#/reference"]),
        ({"reference": 4711}, ["#/reference"]),
        ({"reference": "x" * 10_000}, ["#/reference"]),
        ({"reference": " 4711"}, ["#/reference"]),
        ({"reference": "4711\n"}, ["#/reference"]),
        ({"reference": "4711", "prediction_id": ID}, ["#/reference"]),
        ({"reference": "4711", "visit": "4711"}, ["#/visit"]),
        ({}, ["#/prediction_id"]),
    ],
)
def test_a_reference_that_is_none_is_refused_by_name_and_not_repeated(
    change: dict[str, Any], pointers: list[str]
) -> None:
    world = World(reference=REFERENCE)
    problem = problem_of(world.post({"diabetes": True} | change))
    assert (400, pointers) == (problem["status"], [e["pointer"] for e in problem["errors"]])
    assert "4711" not in json.dumps(problem)
    assert [] == world.firehose.rows


def test_without_a_reference_in_the_contract_a_label_has_no_such_field(world: World) -> None:
    problem = problem_of(world.post({"reference": "4711", "diabetes": True}))
    assert ["#/reference", "#/prediction_id"] == [e["pointer"] for e in problem["errors"]]


def test_repeated_and_contradicting_labels_are_all_kept(world: World) -> None:
    labels = [LABEL, LABEL, LABEL | {"diabetes": False}]
    assert {"accepted": 3} == _ok(world.post({"labels": labels}))
    assert [True, True, False] == [row["label"] for row in world.firehose.rows]


def test_without_a_time_a_label_was_observed_when_received() -> None:
    (label,) = read_labels({"prediction_id": ID, "diabetes": False}, target="diabetes", now=NOW)
    assert times.to_millis(NOW) == label.observed_at == label.received_at


def test_an_id_is_stored_in_lower_case_so_that_it_joins() -> None:
    (label,) = read_labels(LABEL | {"prediction_id": ID.upper()}, target="diabetes", now=NOW)
    assert ID == label.prediction_id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:05:00Z", NOW + timedelta(minutes=5)),
        ("2026-01-31t11:00:00.123456z", datetime(2026, 1, 31, 11, 0, 0, 123456, UTC)),
        ("2026-01-31T14:04:59.999999999+02:00", datetime(2026, 1, 31, 12, 4, 59, 999999, UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_that_are_taken(text: str, expected: datetime) -> None:
    (label,) = read_labels(LABEL | {"observed_at": text}, target="diabetes", now=NOW)
    assert times.to_millis(expected) == label.observed_at


BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({"prediction_id": None}, ["#/labels/0/prediction_id"]),
    ({"prediction_id": ""}, ["#/labels/0/prediction_id"]),
    ({"prediction_id": 5}, ["#/labels/0/prediction_id"]),
    ({"prediction_id": ID[:-1]}, ["#/labels/0/prediction_id"]),
    ({"prediction_id": ID + "\n"}, ["#/labels/0/prediction_id"]),
    ({"prediction_id": "{" + ID + "}"}, ["#/labels/0/prediction_id"]),
    ({"prediction_id": ID.replace("-", "")}, ["#/labels/0/prediction_id"]),
    ({"prediction_id": "g" + ID[1:]}, ["#/labels/0/prediction_id"]),
    ({"diabetes": None}, ["#/labels/0/diabetes"]),
    ({"diabetes": 1}, ["#/labels/0/diabetes"]),
    ({"diabetes": "true"}, ["#/labels/0/diabetes"]),
    ({"observed_at": None}, ["#/labels/0/observed_at"]),
    ({"observed_at": 1_769_817_600}, ["#/labels/0/observed_at"]),
    ({"observed_at": ""}, ["#/labels/0/observed_at"]),
    ({"observed_at": "yesterday"}, ["#/labels/0/observed_at"]),
    ({"observed_at": "2026-01-31"}, ["#/labels/0/observed_at"]),
    ({"observed_at": "2026-01-31T12:00:00"}, ["#/labels/0/observed_at"]),
    ({"observed_at": "20260131T120000Z"}, ["#/labels/0/observed_at"]),
    ({"observed_at": "2026-02-30T12:00:00Z"}, ["#/labels/0/observed_at"]),
    ({"observed_at": "2026-01-31T24:30:00Z"}, ["#/labels/0/observed_at"]),
    ({"observed_at": "2026-01-31T12:00:00+25:00"}, ["#/labels/0/observed_at"]),
    ({"observed_at": "٢٠٢٦-01-31T12:00:00Z"}, ["#/labels/0/observed_at"]),
    ({"observed_at": "0001-01-01T00:00:00+23:59"}, ["#/labels/0/observed_at"]),
    ({"observed_at": "9999-12-31T23:59:59-23:59"}, ["#/labels/0/observed_at"]),
    ({"observed_at": "1969-12-31T23:59:59Z"}, ["#/labels/0/observed_at"]),
    ({"observed_at": "2026-01-31T12:05:01Z"}, ["#/labels/0/observed_at"]),
    ({"label": True}, ["#/labels/0/label"]),
    ({"a/b": 1, "diabetes": 0}, ["#/labels/0/a~1b", "#/labels/0/diabetes"]),
]


@pytest.mark.parametrize(("change", "pointers"), BAD)
def test_a_bad_label_is_named(change: dict[str, Any], pointers: list[str]) -> None:
    with pytest.raises(BadRequest) as raised:
        read_labels({"labels": [LABEL | change]}, target="diabetes", now=NOW)
    assert pointers == [problem.pointer for problem in raised.value.problems]


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_no_value_raises_anything_but_bad_request(value: Any) -> None:
    for document in (value, {"labels": value}, {"labels": [value]}):
        with pytest.raises(BadRequest):
            read_labels(document, target="diabetes", now=NOW)
    label = {"prediction_id": value, "diabetes": value, "observed_at": value}
    with pytest.raises(BadRequest):
        read_labels(label, target="diabetes", now=NOW)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("{", 400),
        ([LABEL], 400),
        ({"labels": []}, 400),
        ({"labels": [LABEL] * 1001}, 400),
        ({"labels": [LABEL, None]}, 400),
        ({"labels": [LABEL], "instances": []}, 400),
        (json.dumps(LABEL) + " " * 2**20, 413),
    ],
)
def test_a_bad_request_stores_nothing(world: World, body: Any, status: int) -> None:
    assert status == problem_of(world.post(body))["status"]
    assert [] == world.firehose.lines


def test_one_bad_label_refuses_them_all(world: World) -> None:
    answer = world.post({"labels": [LABEL, LABEL | {"diabetes": "yes"}, LABEL]})
    assert ["#/labels/1/diabetes"] == [e["pointer"] for e in problem_of(answer)["errors"]]
    assert [] == world.firehose.lines


def test_a_refusing_stream_means_the_fallback(world: World) -> None:
    world.firehose.refuses = lambda _: True
    assert {"accepted": 1} == _ok(world.post(LABEL))
    (key,) = world.s3.objects
    assert key.startswith("fallback/labels/dt=")
    assert [ID] == [row["prediction_id"] for row in json_lines([world.s3.objects[key]])]


def test_without_stream_and_fallback_nothing_is_acknowledged(world: World) -> None:
    world.firehose.refuses = lambda _: True
    world.s3.failing[keys.FALLBACK] = "offline"
    assert 503 == problem_of(world.post(LABEL))["status"]


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("PUT", 405)])
def test_only_post_is_taken(world: World, method: str, status: int) -> None:
    client: Any = world.firehose
    stream = RecordStream(client, "s", world.s3.bucket(), "labels")
    telemetry = Telemetry("labels", "circle-dev")
    api = build(stream=stream, target="diabetes", reference=None, telemetry=telemetry)
    assert status == problem_of(api.respond(api_event(method, "/labels")))["status"]
