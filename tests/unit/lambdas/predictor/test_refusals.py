"""What the predictor refuses: each bad field named, no value repeated, nothing logged."""

import gzip
import json
from typing import Any, NamedTuple

import pytest

from tests.unit.domain.contract.test_contract import VALID
from tests.unit.fakes import api_event, problem_of
from tests.unit.predictor_world import World

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
    (
        "nested batch",
        {"instances": [VALID | {"instances": [VALID]}]},
        400,
        ["#/instances/0/instances"],
    ),
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


# A body of bytes is sent in base64, as the gateway sends what isn't text.
ENCODED: list[tuple[str, Any, int, list[str]]] = [
    ("UTF-16", json.dumps(VALID).encode("utf-16"), 400, []),
    ("UTF-16 without a mark", json.dumps(VALID).encode("utf-16-le"), 400, []),
    ("UTF-32", json.dumps(VALID).encode("utf-32"), 400, []),
    (
        "Latin-1",
        json.dumps(VALID | {"gender": "Fräulein"}, ensure_ascii=False).encode("latin-1"),
        400,
        [],
    ),
    ("half a character", b'{"gender": "\xc3"}', 400, []),
    ("a surrogate in UTF-8", b'{"gender": "\xed\xa0\x80"}', 400, []),
    ("BOM in bytes", b"\xef\xbb\xbf" + json.dumps(VALID).encode(), 400, []),
    ("compressed", gzip.compress(json.dumps(VALID).encode()), 400, []),
]
MISSING: list[tuple[str, Any, int, list[str]]] = [
    (f"without {name}", {k: v for k, v in VALID.items() if k != name}, 400, [f"#/{name}"])
    for name in ("gender", "age", "hypertension", "heart_disease")
]
# What is wrong is how a valid body is sent.
SENT: list[tuple[str, dict[str, Any], int]] = [
    ("text/plain", {"headers": {"Content-Type": "text/plain"}}, 415),
    ("form type", {"headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 415),
    ("charset UTF-16", {"headers": {"Content-Type": "application/json; charset=utf-16"}}, 415),
    ("no type", {"headers": {"Content-Type": ""}}, 415),
    ("encoding gzip", {"headers": {"Content-Encoding": "gzip"}}, 415),
    ("no base64", {"isBase64Encoded": True}, 400),
    ("key with a blank", {"headers": {"Idempotency-Key": "a b"}}, 400),
    ("misspelt parameter", {"multiValueQueryStringParameters": {CANARY: ["true"]}}, 400),
    *(
        (method, {"httpMethod": method}, 405)
        for method in ("GET", "PUT", "PATCH", "DELETE", "HEAD")
    ),
]


class Case(NamedTuple):
    """A bad request, its status, and the pointers that its answer lists."""

    body: Any
    options: dict[str, Any]
    status: int
    pointers: list[str]


CASES = {name: Case(body, {}, status, at) for name, body, status, at in REFUSED + ENCODED + MISSING}
CASES |= {name: Case(VALID, options, status, []) for name, options, status in SENT}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_bad_input_is_refused_named_and_not_logged(
    world: World, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = world.predict(case.body, **case.options)
    problem = problem_of(answer)
    assert case.status == answer["statusCode"]
    assert case.pointers == [error["pointer"] for error in problem.get("errors", [])]
    assert ("Allow" in answer["headers"]) == (case.status == 405)
    assert CANARY not in answer["body"] + capsys.readouterr().out
    assert [] == world.firehose.lines
    assert problem["detail"].endswith(".")


def test_there_are_enough_cases_of_bad_input() -> None:
    assert len(CASES) >= 80


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
