"""What somebody who signed in may do, at the edge of each function behind the API."""

import json
import sys
from typing import Any

import pytest

from adapters.api.rest import Answer
from domain import keys
from domain.api.dashboard_routes import ROUTES
from domain.contract.contract import Contract
from domain.drift.alert_state import AlertState
from domain.drift.drift import Outcome
from domain.drift.incident import Incident
from tests.unit.dashboard import World as DashboardWorld
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.fakes import api_event, json_lines
from tests.unit.lambdas.labels.test_labels import LABEL
from tests.unit.lambdas.labels.test_labels import World as LabelsWorld
from tests.unit.predictor_world import World as PredictorWorld
from tests.unit.predictor_world import ok

OPERATE = {("POST", "/monitoring/runs"), ("POST", "/monitoring/acknowledgements")}
PEOPLES = [(route.method.upper(), route.path) for route in ROUTES if not route.keyless]


def _context(groups: str | None, **claims: Any) -> dict[str, Any]:
    found = {"email": "ada@example.org", "token_use": "id", "cognito:groups": groups} | claims
    return {"requestContext": {"requestId": "r", "authorizer": {"claims": found}}}


def _ask(method: str, path: str, **fields: Any) -> Answer:
    event = api_event(method, path, "{}" if method == "POST" else None, **fields)
    event["pathParameters"] = {"run_id": "x", "id": "x", "version": "x"}
    return DashboardWorld(has_login=True).respond(event)


@pytest.mark.parametrize(("method", "path"), PEOPLES)
def test_each_route_of_the_dashboard_asks_for_its_group(method: str, path: str) -> None:
    answers = {
        groups: _ask(method, path, **_context(groups))["statusCode"]
        for groups in (None, "read", "inspect", "operate", "approve")
    }
    passed = {groups for groups, status in answers.items() if status not in (401, 403)}
    expected = (
        {"operate"} if (method, path) in OPERATE else {"read", "inspect", "operate", "approve"}
    )
    assert expected == passed
    assert {403} == {status for groups, status in answers.items() if groups not in passed}


@pytest.mark.parametrize(("method", "path"), PEOPLES)
def test_with_a_login_a_key_opens_no_route_for_people(method: str, path: str) -> None:
    assert 401 == _ask(method, path)["statusCode"]
    assert 401 == _ask(method, path, **_context("operate", token_use="access"))["statusCode"]


def test_without_a_login_the_key_is_enough() -> None:
    assert 200 == DashboardWorld().ask("GET", "/monitoring/overview")["statusCode"]


def test_a_refusal_names_the_group_that_is_missing() -> None:
    problem = json.loads(_ask("POST", "/monitoring/runs", **_context("read"))["body"])
    assert "You lack the group operate" in problem["detail"]


def test_the_log_names_who_asked_for_what_and_how_it_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = DashboardWorld(has_login=True)
    api = world.api()
    handler: Any = api.telemetry.log.registered_handler
    handler.stream = sys.stdout
    for groups in ("read", None):
        api.respond(api_event("GET", "/monitoring/overview", **_context(groups)))
    lines = json_lines(line.encode() for line in capsys.readouterr().out.splitlines())
    logged = [line for line in lines if line.get("message") == "request of a person"]
    assert all(line["correlation_id"] for line in logged)
    assert [("ada@example.org", "GET", "/monitoring/overview", s) for s in (200, 403)] == [
        (line["actor"], line["method"], line["resource"], line["status"]) for line in logged
    ]


def test_whoever_signed_in_acknowledges_by_name() -> None:
    world = DashboardWorld(has_login=True)
    incident = Incident(last_window_end=9, outcome=Outcome.DATA_DRIFT, opened_at=7)
    world.s3.objects[keys.ALERT_STATE] = AlertState(incident).to_json()
    body = json.dumps({"kind": "daily", "opened_at": 7})
    path = "/monitoring/acknowledgements"
    stored = world.respond(api_event("POST", path, body, **_context("operate")))
    assert "ada@example.org" == ok(stored)["actor"]


def test_a_requested_drift_run_says_who_asked() -> None:
    world = DashboardWorld(has_login=True)
    body = json.dumps({"last_rows": 5})
    asked = world.respond(api_event("POST", "/monitoring/runs", body, **_context("operate")))
    assert (202, "ada@example.org") == (asked["statusCode"], json.loads(asked["body"])["actor"])


def test_a_persons_prediction_is_always_a_try(contract: Contract) -> None:
    world = PredictorWorld(contract)
    world.promote(1)
    body = json.dumps(VALID)
    found = world.respond(api_event("POST", "/people/predict", body, **_context("read")))
    assert ok(found)["prediction_id"]
    assert ["test"] == [row["source"] for row in world.firehose.rows]
    assert 401 == world.respond(api_event("POST", "/people/predict", body))["statusCode"]


def test_labels_of_people_need_the_group_operate() -> None:
    world = LabelsWorld()
    statuses = [
        world.post(LABEL, "/people/labels", **_context(groups))["statusCode"]
        for groups in (None, "read", "approve", "operate")
    ]
    assert [403, 403, 403, 200] == statuses
