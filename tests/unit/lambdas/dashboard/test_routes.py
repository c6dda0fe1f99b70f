"""What the dashboard's function answers about runs, predictions, models, and to bad questions."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from adapters.athena import Athena, QueryTooSlow
from domain import keys, times
from domain.api.dashboard_routes import ROUTES
from domain.api.report_token import ReportSecret
from domain.drift.acknowledgement import Acknowledgement
from domain.drift.alert_state import AlertState, PastIncident
from domain.drift.drift import Outcome
from domain.drift.drift_request import RequestRecord
from domain.drift.fairness import SegmentPerformance
from domain.drift.incident import Incident, Transition
from domain.drift.performance import Performance
from domain.drift.retraining import Decision
from domain.drift.run_index import IndexEntry, RunIndex
from domain.drift.summary import ColumnDrift, Profile, RowCounts, SegmentDrift, Summary, Test
from domain.interval import Interval
from domain.model.card import ModelCard
from domain.model.champion import LedgerEntry, ModelRef
from domain.model.curves import Curves
from domain.model.proposal import Proposal
from lambdas.dashboard.page import Page
from tests.cards import make_card
from tests.repository import ROOT
from tests.unit.dashboard import NOW, REQUEST_ID, SECRET, FakeAthena, FakeBus, World
from tests.unit.fakes import point_at, problem_of

VERSION = "7-0a1b2c3d"
DAY_MS = 86_400_000


def _column(effect: float) -> ColumnDrift:
    test = Test(
        aspect="values",
        method="wasserstein",
        rows=500,
        effect=effect,
        p_value=0.01,
        q_value=0.02,
        drifted=effect >= 0.1,
    )
    profile = Profile(rows=500, missing=0, invalid=0)
    return ColumnDrift(
        name="age", column="age", kind="number", reference=profile, current=profile, tests=(test,)
    )


def _summary(day: int, *, version: str = VERSION, effect: float = 0.0) -> Summary:
    end = times.to_millis(NOW) // DAY_MS * DAY_MS - day * DAY_MS
    start, stop = (times.to_name(times.from_millis(at)) for at in (end - DAY_MS, end))
    return Summary(
        run_id=f"{start}--{stop}--{version}",
        version=version,
        start=end - DAY_MS,
        end=end,
        computed_at=end,
        scheduled=True,
        outcome=Outcome.STABLE,
        columns=(_column(effect),),
        reports=("data_drift",),
    )


def _with_runs(summaries: list[Summary]) -> World:
    world = World()
    for summary in summaries:
        world.s3.objects[keys.summary(summary.id)] = summary.to_json()
    index = RunIndex()
    for summary in summaries:
        index = index.with_run(IndexEntry.of(summary))
    world.s3.objects[keys.RUN_INDEX] = index.to_json()
    return world


def test_the_overview_of_an_empty_deployment_is_empty() -> None:
    expected: dict[str, Any] = {
        "champion": None,
        "card": None,
        "incident": None,
        "acknowledgement": None,
        "opened_by": None,
        "retraining": None,
        "problems": [],
        "overdue": [],
        "runs_total": 0,
        "timeline": [],
        "latest": [],
    }
    assert expected == World().get("/monitoring/overview")


def test_the_overview_tells_champion_card_open_incident_and_the_timeline_oldest_first() -> None:
    world = _with_runs([_summary(day) for day in range(12)])
    ref = ModelRef.of(7, "0a1b2c3d" * 8)
    point_at(world.s3, ref)
    world.s3.objects[keys.card(ref.version)] = make_card(ref.version).to_json()
    incident = Incident(
        last_window_end=5, outcome=Outcome.DATA_DRIFT, drifted=("age",), opened_at=4
    )
    world.s3.objects[keys.ALERT_STATE] = AlertState(incident).to_json()

    found = world.get("/monitoring/overview")

    assert ref.version == found["champion"]["version"]
    assert make_card(ref.version).to_dict() == found["card"]
    assert ("data_drift", ["age"]) == (found["incident"]["outcome"], found["incident"]["drifted"])
    assert (12, 12, 8) == (found["runs_total"], len(found["timeline"]), len(found["latest"]))
    assert found["timeline"][0]["end"] < found["timeline"][-1]["end"] == found["latest"][0]["end"]


@pytest.mark.parametrize("data", [b"{", b'{"incident": {"last_window_end": "x"}}'])
def test_an_unreadable_alert_state_costs_a_sentence_and_not_the_overview(data: bytes) -> None:
    world = World()
    world.s3.objects[keys.ALERT_STATE] = data
    found = world.get("/monitoring/overview")
    assert (None, 1) == (found["incident"], len(found["problems"]))


def test_a_performance_drop_of_the_weekly_look_back_is_an_incident_to_show() -> None:
    world = World()
    late = Incident(last_window_end=5, outcome=Outcome.PERFORMANCE_DROP, opened_at=4)
    world.s3.objects[keys.ALERT_STATE] = AlertState(Incident(last_window_end=6), late).to_json()
    found = world.get("/monitoring/overview")
    assert ("performance_drop", None) == (found["incident"]["outcome"], found["acknowledgement"])
    record = Acknowledgement(kind="look-back", opened_at=4, acknowledged_at=7, actor="ann", note="")
    world.s3.objects[keys.acknowledgement("look-back", 4)] = record.to_json()
    assert "ann" == world.get("/monitoring/overview")["acknowledgement"]["actor"]


def test_the_incident_names_the_run_that_opened_it_not_the_latest() -> None:
    runs = [_summary(day) for day in range(12)]
    opening = runs[4] = replace(runs[4], outcome=Outcome.DATA_DRIFT)
    world = _with_runs(runs)
    incident = Incident(
        last_window_end=5, outcome=opening.outcome, drifted=("age",), opened_at=opening.end
    )
    world.s3.objects[keys.ALERT_STATE] = AlertState(incident).to_json()
    found = world.get("/monitoring/overview")
    assert opening.run_id == found["opened_by"] != found["latest"][0]["run_id"]
    state = AlertState(replace(incident, opened_at=opening.end + 1))  # no longer in the list
    world.s3.objects[keys.ALERT_STATE] = state.to_json()
    assert world.get("/monitoring/overview")["opened_by"] is None


def test_the_overview_says_what_the_retrain_guard_decided_last() -> None:
    world = _with_runs([_summary(1)])
    decision = Decision(
        reason="There is no training data; upload some first.",
        execution=None,
        transition=Transition.OPEN,
        run_ids=(_summary(1).run_id,),
        decided_at=1,
    )
    world.s3.objects[keys.retraining("0123456789abcdef")] = decision.to_json()
    found = world.get("/monitoring/overview")["retraining"]
    assert (decision.reason, None) == (found["reason"], found["execution"])
    world.s3.objects[keys.retraining("0123456789abcdef")] = b"{"
    assert world.get("/monitoring/overview")["retraining"] is None


def test_a_closed_incident_is_none() -> None:
    world = World()
    world.s3.objects[keys.ALERT_STATE] = AlertState(Incident(last_window_end=5)).to_json()
    assert world.get("/monitoring/overview")["incident"] is None


@pytest.mark.parametrize("count", [0, 1, 50, 51, 120])
def test_pages_of_runs_hold_every_run_once_newest_first(count: int) -> None:
    world = _with_runs([_summary(day) for day in range(count)])
    seen: list[str] = []
    cursor = None
    while True:
        page = world.get("/monitoring/runs", query={"cursor": cursor} if cursor else None)
        seen += [run["run_id"] for run in page["runs"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert [_summary(day).run_id for day in range(count)] == seen


def test_a_cursor_of_no_run_is_400() -> None:
    answer = World().ask("GET", "/monitoring/runs", query={"cursor": "x"})
    assert 400 == problem_of(answer)["status"]


def test_a_run_comes_with_its_summary_and_links_that_open_its_reports_only() -> None:
    summary = _summary(1)
    found = _with_runs([summary]).get("/monitoring/runs/{run_id}", run_id=summary.run_id)
    (link,) = found["links"].values()
    path, token = link.split("?t=")
    assert f"/reports/{summary.run_id}/data_drift" == path
    assert SECRET.verifies(token, summary.run_id, "data_drift")
    assert not SECRET.verifies(token, summary.run_id, "performance")
    assert json.loads(summary.to_json()) == found["summary"]


def test_the_rows_of_a_run_are_its_distinct_predictions() -> None:
    summary = replace(_summary(1), rows=RowCounts(logged=1001, sampled=900, copies=100))
    found = _with_runs([summary]).get("/monitoring/runs/{run_id}", run_id=summary.run_id)
    assert (summary.rows.distinct, 901) == (found["rows"], found["rows"])


def test_a_columns_history_is_of_the_same_version_up_to_the_run_and_oldest_first() -> None:
    other = _summary(3, version="8-0a1b2c3d", effect=0.9)
    runs = [_summary(day, effect=0.02 * day) for day in range(6)]
    shown = runs[2]
    found = _with_runs([*runs, other]).get("/monitoring/runs/{run_id}", run_id=shown.run_id)
    assert [0.1, 0.08, 0.06, 0.04] == [point["effect"] for point in found["history"]["age"]]
    assert [True, False, False, False] == [p["drifted"] for p in found["history"]["age"]]


def test_a_history_is_no_longer_than_a_sparkline_shows() -> None:
    runs = [_summary(day) for day in range(40)]
    found = _with_runs(runs).get("/monitoring/runs/{run_id}", run_id=runs[0].run_id)
    assert 20 == len(found["history"]["age"])


@pytest.mark.parametrize("stored", [b"{", b"[]", b'{"format": "another"}'])
def test_a_damaged_summary_of_another_run_costs_one_point_of_the_history(stored: bytes) -> None:
    runs = [_summary(day) for day in range(3)]
    world = _with_runs(runs)
    world.s3.objects[keys.summary(runs[1].id)] = stored
    found = world.get("/monitoring/runs/{run_id}", run_id=runs[0].run_id)
    assert 2 == len(found["history"]["age"])


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("/monitoring/runs/{run_id}", {"run_id": "../alerts"}),
        ("/monitoring/runs/{run_id}", {"run_id": _summary(1).run_id}),
        ("/monitoring/requests/{id}", {"id": "../../runs/index"}),
        ("/monitoring/requests/{id}", {"id": REQUEST_ID}),
        ("/models/{version}", {"version": "../champion"}),
        ("/models/{version}", {"version": VERSION}),
        ("/assets/{file}", {"file": "../handler.py"}),
        ("/assets/{file}", {"file": "none.js"}),
    ],
)
def test_what_is_not_there_is_404_with_a_sentence(resource: str, path: dict[str, str]) -> None:
    problem = problem_of(World().ask("GET", resource, **path))  # type: ignore[arg-type]  # path values
    assert 404 == problem["status"]
    assert problem["detail"].endswith(".")


def test_a_run_that_is_in_the_index_and_gone_has_expired() -> None:
    world, summary = World(kept_days=30), _summary(1)
    index = RunIndex().with_run(IndexEntry.of(summary))
    world.s3.objects[keys.RUN_INDEX] = index.to_json()
    path = {"run_id": summary.run_id}
    problem = problem_of(world.ask("GET", "/monitoring/runs/{run_id}", **path))  # type: ignore[arg-type]  # path values
    assert "This run has expired: drift runs are kept for 30 days." == problem["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"day": "2026-01-31"},
        {"start": "2026-01-01", "end": "2026-01-03T12:00:00Z"},
        {"last_rows": 1000},
        {"last_rows": 1000, "mail": True},
    ],
)
def test_run_now_records_the_request_and_puts_one_event(body: dict[str, Any]) -> None:
    world = World()
    answer = world.ask("POST", "/monitoring/runs", body)
    told = json.loads(answer["body"])
    assert (202, f"/monitoring/requests/{REQUEST_ID}") == (answer["statusCode"], told["follow"])
    (event,) = world.bus.events
    assert "DriftRequested" == event["DetailType"]
    assert {**body, "request_id": REQUEST_ID} == json.loads(event["Detail"])
    found = world.get("/monitoring/requests/{id}", id=REQUEST_ID)
    assert ("pending", body) == (found["status"], found["request"])
    assert "the dashboard with API key" in found["actor"]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"mail": True},
        {"mail": "yes", "last_rows": 5},
        {"last_rows": 0},
        {"last_rows": 10**9},
        {"day": "31.1.2026"},
        {"day": "9999-12-31"},
        {"start": "0001-01-01T00:00:00+14:00", "end": "0001-01-02"},
        {"start": "2026-01-02", "end": "2026-01-01"},
        {"day": "2026-01-31", "last_rows": 5},
        {"time": "2026-01-31T14:00:00Z"},
        {"last_rows": 5, "scheduled": True},
        {"last_rows": 5, "request_id": REQUEST_ID},
    ],
)
def test_a_window_that_cant_be_is_refused_and_leaves_nothing(body: Any) -> None:
    world = World()
    problem = problem_of(world.ask("POST", "/monitoring/runs", body))
    assert (400, [], {}) == (problem["status"], world.bus.events, world.s3.objects)


def test_every_unknown_field_of_a_window_is_named() -> None:
    problem = problem_of(World().ask("POST", "/monitoring/runs", {"a/b": 1, "days": 2}))
    assert ["#/a~1b", "#/days"] == [error["pointer"] for error in problem["errors"]]


def test_a_bus_that_refuses_is_a_503_and_the_record_says_so() -> None:
    world = World(bus=FakeBus(refuses=True))
    answer = world.ask("POST", "/monitoring/runs", {"last_rows": 5})
    assert 503 == problem_of(answer)["status"]
    record = RequestRecord.from_json(world.s3.objects[keys.request(REQUEST_ID)])
    assert "failed" == record.status


ROW = ["id-1", "1769860800000", VERSION, "0.7", "0.42", "true", "api", "visit-4711"]


def test_predictions_are_records_without_a_feature() -> None:
    world = World(athena=FakeAthena(rows=[ROW]))
    found = world.get("/predictions")
    expected = {
        "prediction_id": "id-1",
        "predicted_at": 1769860800000,
        "model_version": VERSION,
        "probability": 0.7,
        "threshold": 0.42,
        "predicted": True,
        "source": "api",
        "reference": "visit-4711",
    }
    assert [expected] == found["predictions"]


def test_a_record_from_before_a_column_existed_has_no_value_there() -> None:
    old = ["id-1", "1769860800000", VERSION, "0.7", None, None, None, None]
    (found,) = World(athena=FakeAthena(rows=[old])).get("/predictions")["predictions"]
    assert 0.7 == found["probability"]
    assert {None} == {found[n] for n in ("threshold", "predicted", "source", "reference")}


def test_a_day_is_looked_for_one_partition_back_and_ahead_and_filtered() -> None:
    world = World()
    world.get("/predictions", query={"day": "2026-01-31", "version": VERSION})
    (sql,) = world.athena.sql
    assert "dt BETWEEN '2026-01-30' AND '2026-02-01'" in sql
    assert "predicted_at >= 1769817600000 AND predicted_at < 1769904000000" in sql
    assert f"model_version = '{VERSION}'" in sql
    assert "prediction_log_fallback" in sql


@pytest.mark.parametrize(
    "query",
    [
        {"day": "today"},
        {"day": "2026-02-30"},
        {"day": "0001-01-01"},
        {"day": "9999-12-31"},
        {"day": "' OR 1=1"},
        {"version": "7' OR '1'='1"},
    ],
)
def test_a_filter_that_cant_be_is_400_and_never_reaches_the_query(query: dict[str, str]) -> None:
    world = World()
    assert 400 == problem_of(world.ask("GET", "/predictions", query=query))["status"]
    assert [] == world.athena.sql


def test_traffic_tells_each_of_thirty_days_with_zero_where_nothing_was() -> None:
    today = str(times.to_millis(NOW) // DAY_MS)
    world = World(athena=FakeAthena(rows=[[today, "10", "3"]]))
    days = world.get("/monitoring/traffic")["days"]
    assert (30, {"day": "2026-02-01", "predictions": 10, "positives": 3}) == (len(days), days[-1])
    assert 0 == sum(day["predictions"] for day in days[:-1])


@pytest.mark.parametrize(("state", "stopped"), [("FAILED", 0), ("RUNNING", 1)])
def test_a_query_that_fails_or_lasts_is_a_503(state: str, stopped: int) -> None:
    world = World(athena=FakeAthena(state=state))
    problem = problem_of(world.ask("GET", "/predictions"))
    assert (503, stopped) == (problem["status"], world.athena.stopped)


def test_a_query_within_its_patience_is_waited_for() -> None:
    client: Any = FakeAthena(state="RUNNING")

    def finish(_: float) -> None:
        client.state = "SUCCEEDED"

    athena = Athena(client, "d", "w", patience_seconds=5, sleep=finish, clock=lambda: 0.0)
    assert [] == list(athena.query("SELECT 1")[1])


def test_a_query_past_its_patience_is_stopped() -> None:
    client: Any = FakeAthena(state="RUNNING")
    clock = iter([0.0, 1.0, 6.0]).__next__
    athena = Athena(client, "d", "w", patience_seconds=5, sleep=lambda _: None, clock=clock)
    with pytest.raises(QueryTooSlow):
        athena.query("SELECT 1")
    assert 1 == client.stopped


def _promoted(world: World, number: int, reason: str) -> ModelRef:
    ref = ModelRef.of(number, f"{number:08x}" * 8)
    champion = point_at(world.s3, ref)
    entry = LedgerEntry.of(champion, (reason,))
    world.s3.objects[entry.key] = entry.to_json()
    world.s3.objects[keys.card(ref.version)] = make_card(ref.version).to_json()
    return ref


def test_a_model_that_waits_for_an_approval_is_shown_without_its_token() -> None:
    world, now = World(), time.time_ns() // 1_000_000
    waiting = Proposal(
        execution="arn:aws:states:eu-central-1:123456789012:execution:training:a",
        version="9-0a1b2c3d",
        reasons=("Better.",),
        proposed_at=now,
        expires_at=now + 3_600_000,
        token="secret-token",
    )
    approved = waiting.answered("approved", by="arn:a", at=now)
    others = (approved, replace(waiting, expires_at=now - 1))
    for name, proposal in zip("abc", (waiting, *others), strict=True):
        world.s3.objects[keys.proposal(name)] = proposal.to_json()
    world.s3.objects[keys.proposal("d")] = b"damaged"
    found = world.get("/models")
    assert [
        {
            "version": waiting.version,
            "expires_at": waiting.expires_at,
            "approve_command": f"ops --stage dev approve {waiting.version}",
        }
    ] == found["waiting"]
    assert "secret-token" not in str(found)


def test_models_are_the_ledger_newest_first_and_every_version() -> None:
    world = World()
    refs = [_promoted(world, number, f"reason {number}") for number in (9, 10)]
    found = world.get("/models")
    assert [2, 1] == [entry["seq"] for entry in found["ledger"]]
    assert [["reason 10"], ["reason 9"]] == [entry["reasons"] for entry in found["ledger"]]
    assert [refs[1].version, refs[0].version] == found["versions"]
    assert "ops --stage dev rollback" == found["rollback_command"]
    card = world.get("/models/{version}", version=refs[0].version)
    assert make_card(refs[0].version).to_dict() == card


@pytest.mark.parametrize(
    "key",
    [
        f"{keys.BUNDLES}notes/card.json",
        f"{keys.BUNDLES}readme.txt",
        keys.bundle("11-0a1b2c3d"),
        keys.reference("12-0a1b2c3d"),
        f"{keys.BUNDLES}13-0a1b2c3d/old/card.json",
    ],
)
def test_versions_are_those_with_a_card_whatever_else_lies_there(key: str) -> None:
    world = World()
    ref = _promoted(world, 9, "reason")
    world.s3.objects[key] = b"{}"
    assert [ref.version] == world.get("/models")["versions"]


def test_a_damaged_ledger_entry_hides_no_other_one() -> None:
    world = World()
    _promoted(world, 9, "reason")
    world.s3.objects[f"{keys.LEDGER}00000002-promote-10-0000000a.json"] = b'{"seq": 2}'
    found = world.get("/models")
    assert ([1], 2) == ([entry["seq"] for entry in found["ledger"]], found["entries_total"])


def test_no_model_yet_is_an_empty_ledger() -> None:
    found = World().get("/models")
    assert (None, [], []) == (found["champion"], found["ledger"], found["versions"])


def test_the_function_answers_exactly_the_routes_that_the_gateway_sends_it() -> None:
    described = {(route.method.upper(), route.path) for route in ROUTES}
    assert described == set(World().api().routes)


def test_the_page_runs_own_files_only_and_frames_the_reports_origin() -> None:
    answer = World().ask("GET", "/")
    policy = answer["headers"]["Content-Security-Policy"].split("; ")
    assert (200, "<html>") == (answer["statusCode"], answer["body"])
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= set(policy)
    assert "frame-src 'self' https://reports.example" in policy
    assert "frame-ancestors 'none'" in policy
    assert not [part for part in policy if "unsafe" in part or "*" in part]


def test_the_page_names_its_deployment_and_how_its_operator_calls_the_command_line() -> None:
    named = {"operator": 'ops --stage "dev"', "deployment": "churn-dev"}
    page = Page.read(ROOT / "web", report_url="https://r.example/x", **named)
    text = page.answer("index.html")["body"]
    assert "<title>churn-dev</title>" in text
    assert "/>churn-dev</a>" in text
    assert "{deployment}" not in text
    assert '<meta name="operator" content="ops --stage &quot;dev&quot;" />' in text
    assert "{operator}" not in text


def test_only_a_page_with_a_login_may_ask_the_pool() -> None:
    named = {"report_url": "https://r.example/x", "operator": "ops", "deployment": "circle-dev"}
    without = Page.read(ROOT / "web", **named)
    place = "https://circle-dev-1.auth.eu-west-1.amazoncognito.com"
    signing = Page.read(ROOT / "web", **named, sign_in_url=place, sign_in_client="c1")
    assert "connect-src 'self'" in without.policy.split("; ")
    assert f"connect-src 'self' {place}" in signing.policy.split("; ")
    assert without.policy == signing.policy.replace(f" {place}", "")
    assert '<meta name="sign-in" content="" />' in without.files["index.html"]
    assert f'<meta name="sign-in" content="{place}" />' in signing.files["index.html"]
    assert '<meta name="sign-in-client" content="c1" />' in signing.files["index.html"]


def test_a_stage_without_its_slash_leads_to_the_page() -> None:
    from tests.unit.fakes import api_event

    event = api_event("GET", "/", requestContext={"path": "/v1", "stage": "v1"})
    answer = World().respond(event)
    assert (302, "/v1/") == (answer["statusCode"], answer["headers"]["Location"])


def test_an_unchanged_file_is_a_304() -> None:
    world = World()
    first = world.ask("GET", "/assets/{file}", file="app.js")
    etag = first["headers"]["ETag"]
    again = world.ask(
        "GET", "/assets/{file}", headers={"If-None-Match": f"W/{etag}"}, file="app.js"
    )
    assert ("text/javascript; charset=utf-8", 304, "") == (
        first["headers"]["Content-Type"],
        again["statusCode"],
        again["body"],
    )


@pytest.mark.parametrize(
    ("resource", "key", "path"),
    [
        ("/monitoring/overview", keys.RUN_INDEX, {}),
        ("/monitoring/overview", keys.CHAMPION, {}),
        ("/monitoring/requests/{id}", keys.request(REQUEST_ID), {"id": REQUEST_ID}),
        ("/monitoring/runs/{run_id}", keys.summary(_summary(1).id), {"run_id": _summary(1).run_id}),
    ],
)
def test_a_damaged_record_is_a_503_without_its_content(
    resource: str, key: str, path: dict[str, str]
) -> None:
    world = World()
    world.s3.objects[key] = b'{"secret": 1'
    answer = world.ask("GET", resource, **path)  # type: ignore[arg-type]  # path values
    assert 503 == problem_of(answer)["status"]
    assert "secret" not in answer["body"]


def test_a_secret_can_be_rotated_and_links_stay_signed_by_the_new_one() -> None:
    summary = _summary(1)
    world = _with_runs([summary])
    new = ReportSecret("n" * 40, previous=SECRET.current)
    world.secrets = replace(world.secrets, read=lambda: new)
    found = world.get("/monitoring/runs/{run_id}", run_id=summary.run_id)
    token = found["links"]["data_drift"].split("?t=")[1]
    assert ReportSecret("n" * 40).verifies(token, summary.run_id, "data_drift")


def test_incidents_are_listed_and_an_open_one_is_acknowledged_once() -> None:
    world = World()
    path = "/monitoring/acknowledgements"
    past = PastIncident(
        kind="daily", opened_at=1, closed_at=3, outcome=Outcome.DATA_DRIFT, drifted=("bmi",)
    )
    incident = Incident(last_window_end=9, outcome=Outcome.DATA_DRIFT, opened_at=7)
    world.s3.objects[keys.ALERT_STATE] = AlertState(incident, past=(past,)).to_json()
    found = world.get("/monitoring/incidents")
    assert [(7, None), (1, 3)] == [(i["opened_at"], i["closed_at"]) for i in found["incidents"]]
    assert "ops --stage dev acknowledge" == found["acknowledge_command"]

    for body in ({"kind": "daily", "opened_at": 1}, {"kind": "look-back", "opened_at": 7}):
        assert 404 == world.ask("POST", path, body)["statusCode"]
    refused = problem_of(world.ask("POST", path, {"kind": "x", "note": "two\nlines", "who": 1}))
    assert {"#/kind", "#/opened_at", "#/note", "#/who"} == {e["pointer"] for e in refused["errors"]}

    stored = world.ask("POST", path, {"kind": "daily", "opened_at": 7, "note": "Known."})
    assert 200 == stored["statusCode"]
    shown = world.get("/monitoring/incidents")["incidents"][0]["acknowledgement"]
    assert json.loads(stored["body"]) == shown
    assert ("Known.", 7) == (shown["note"], shown["opened_at"])
    assert shown["actor"].startswith("the dashboard with API key")


def test_trends_have_the_oldest_run_first_with_what_it_measured_and_the_promotions() -> None:
    performance = Performance(
        labelled=400, coverage=0.4, positives=40, figures={"f1": Interval(0.7, 0.6, 0.8)}
    )
    by_labels = SegmentPerformance(labelled=90, positives=20, has_enough_labels=False, figures={})
    segment = SegmentDrift(name="gender=Male", rows=90, reference_rows=90, performance=by_labels)
    runs = [replace(_summary(day), rows=RowCounts(logged=9, sampled=9)) for day in range(100)]
    runs[50] = replace(runs[50], performance=performance, segments=(segment,))
    world = _with_runs(runs)
    world.s3.objects[keys.summary(runs[10].id)] = b"{"  # damaged: a gap
    _promoted(world, 1, "The first one.")
    found = world.get("/monitoring/trends")
    ends = [point["end"] for point in found["points"]]
    assert (89, sorted(ends)) == (len(ends), ends)
    (measured,) = [point for point in found["points"] if point["f1"]]
    assert (0.4, 0.7, runs[50].run_id) == (
        measured["coverage"],
        measured["f1"]["value"],
        measured["run_id"],
    )
    assert runs[50].run_id == found["latest_segments"]
    assert ["promote"] == [promotion["action"] for promotion in found["promotions"]]
    assert {"age"} == {column["column"] for column in measured["columns"]}


def test_a_run_says_what_the_versions_answers_rest_on() -> None:
    summary = _summary(1)
    world = _with_runs([summary])
    path = "/monitoring/runs/{run_id}"
    assert {} == world.get(path, run_id=summary.run_id)["importance"]
    curves = Curves(importance={"age": 1.5, "bmi": 0.5}, roc=(), calibration=())
    card = make_card(VERSION, curves=curves)
    world.s3.objects[keys.card(VERSION)] = card.to_json()
    assert card == ModelCard.from_json(card.to_json())
    found = world.get(path, run_id=summary.run_id)["importance"]
    assert {"age": 0.75, "bmi": 0.25} == found
