"""Somebody who may inspect opens one prediction, and each view is recorded before the answer."""

import json
import math
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from adapters.api.rest import Answer
from adapters.athena import Athena
from adapters.model_store import ModelStore
from adapters.telemetry import Telemetry
from domain import keys, times
from domain.api.inspection import PredictionView
from domain.api.openapi import build_document
from domain.contract.contract import Contract
from domain.contract.deployed_context import DeployedContext
from domain.contract.records import new_prediction_id
from domain.erasure import Certificate, hash_prediction
from domain.model.bundle import Bundle
from lambdas.inspection.inspection import NOT_EXPLAINED, Inspection
from lambdas.inspection.log import PredictionLog
from lambdas.inspection.routes import InspectionRoutes, build
from tests.repository import CONTRACT_TOML
from tests.unit.domain.contract.test_context import CONTEXT
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.fakes import FakeS3, api_event, problem_of, random_forest, store_model
from tests.unit.predictor_world import ok
from training_job.erasure.json_records import filter_document
from training_job.erasure.wanted import Wanted

PATH = "/people/predictions/{id}"
ID = "0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10"
NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
CONTRACT = Contract.parse(CONTRACT_TOML.read_text())
DEPLOYED = Contract.parse(CONTRACT_TOML.read_text() + CONTEXT)
BUNDLE = Bundle(CONTRACT, random_forest(CONTRACT, 1), 0.2)
TYPES: dict[Any, str] = {
    str: "varchar",
    float: "double",
    int: "bigint",
    bool: "boolean",
    type(None): "varchar",
}
SCHEMAS = build_document(CONTRACT, has_login=True)
PRIVATE = (str(VALID["bmi"]), "visit 7", "subject-7", "clinic north")
"""What no log line and no view may hold."""

Rows = list[dict[str, Any]]


@dataclass
class FakeAthena:
    """Three tables, of which a query gets the rows of the one that it names first."""

    stream: Rows = field(default_factory=list)
    fallback: Rows = field(default_factory=list)
    labels: Rows = field(default_factory=list)
    state: str = "SUCCEEDED"
    sql: list[str] = field(default_factory=list)

    def start_query_execution(self, *, QueryString: str, **_: Any) -> dict[str, str]:
        self.sql.append(QueryString)
        return {"QueryExecutionId": "1"}

    def get_query_execution(self, **_: Any) -> dict[str, Any]:
        return {"QueryExecution": {"Status": {"State": self.state}}}

    def get_paginator(self, _: str) -> "FakeAthena":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        sql = self.sql[-1]
        rows = self.labels if sql.startswith("SELECT label") else self.stream
        rows = self.fallback if "FROM prediction_log_fallback" in sql[:40] else rows
        names = list(rows[0]) if rows else ["prediction_id"]
        kinds = [TYPES[type(rows[0][n])] if rows else "varchar" for n in names]
        info = [{"Name": n, "Type": k} for n, k in zip(names, kinds, strict=True)]
        cells: list[list[str | None]] = [[_text(row[name]) for name in names] for row in rows]
        cells.insert(0, [*names])
        data = [{"Data": [{} if v is None else {"VarCharValue": v} for v in r]} for r in cells]
        return [{"ResultSet": {"ResultSetMetadata": {"ColumnInfo": info}, "Rows": data}}]


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value).strip('"')


@dataclass
class World:
    """One function with its stores in memory."""

    athena: FakeAthena = field(default_factory=FakeAthena)
    s3: FakeS3 = field(default_factory=FakeS3)
    version: str = ""

    def __post_init__(self) -> None:
        self.version = store_model(self.s3, BUNDLE, 3).version

    def row(self, **others: Any) -> dict[str, Any]:
        """The record of VALID, as the log has it."""
        values = BUNDLE.contract.row(VALID)
        probability = BUNDLE.probability(values)
        return {
            "dt": "2026-02-01",
            "prediction_id": ID,
            "predicted_at": times.to_millis(NOW) - 60_000,
            "model_version": self.version,
            "contract_version": CONTRACT.version,
            "probability": probability,
            "threshold": 0.2,
            "predicted": probability >= 0.2,
            "source": "api",
            "sample_key": 7,
            "reference": "visit 7's",
            "subject": "subject-7",
            **dict(zip(CONTRACT.log_columns(), values, strict=True)),
            **dict.fromkeys(DEPLOYED.context_columns(), "clinic north"),
            **others,
        }

    def open(self, prediction_id: str = ID, groups: str | None = "inspect") -> Answer:
        client: Any = self.athena
        inspection = Inspection(
            log=PredictionLog(Athena(client, "circle", "circle", sleep=lambda _: None)),
            models=ModelStore(self.s3.bucket()),
            data=self.s3.bucket(),
            reports=self.s3.bucket(),
            context=DeployedContext.of(DEPLOYED),
        )
        api = build(inspection, Telemetry("inspection", "circle-dev"))
        handler: Any = api.telemetry.log.registered_handler
        handler.stream = sys.stdout
        opened = InspectionRoutes(inspection, clock=lambda: NOW).open
        api = type(api)({("GET", PATH): opened}, api.telemetry, api.errors, api.needed)
        claims = {"email": "ada@example.org", "token_use": "id", "cognito:groups": groups}
        context = {"requestId": "r", "authorizer": {"claims": claims}}
        event = api_event("GET", PATH, requestContext=context)
        return api.respond(event | {"pathParameters": {"id": prediction_id}})

    @property
    def views(self) -> list[PredictionView]:
        stored = self.s3.objects.items()
        found = [data for key, data in stored if key.startswith(keys.PREDICTION_VIEWS)]
        return [PredictionView.from_json(data) for data in found]


def test_a_prediction_is_shown_with_its_explanation_in_points_and_units() -> None:
    world = World()
    world.athena.stream = [world.row()]
    world.athena.labels = [{"label": True, "observed_at": 7}]
    found = ok(world.open(ID.upper()))
    schema = {
        "$ref": "#/components/schemas/InspectedPrediction",
        "components": SCHEMAS["components"],
    }
    jsonschema.validate(found, schema)

    features = {one["name"]: one for one in found["features"]}
    assert {f.name: (f.title or f.name, f.unit) for f in CONTRACT.features} == {
        name: (one["title"], one["unit"]) for name, one in features.items()
    }
    assert VALID == {name: one["value"] for name, one in features.items() if name in VALID}
    points = sum(one["points"] for one in features.values())
    assert math.isclose(points, 100 * (found["probability"] - found["baseline"]), abs_tol=1e-9)
    assert ("", True, 7) == (found["problem"], found["label"], found["label_observed_at"])
    assert (world.version, 0.2, CONTRACT.target) == (
        found["model_version"],
        found["threshold"],
        found["target"],
    )
    assert ["clinic north"] == list({one["value"] for one in found["context"]})
    assert "visit 7's" == found["reference"]
    assert "subject-7" not in json.dumps(found)
    assert "reference = 'visit 7''s'" in world.athena.sql[-1]


def test_each_view_is_recorded_with_who_saw_what_and_when_and_no_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()
    world.athena.stream = [world.row()]
    for _ in range(2):
        ok(world.open())
    digest = hash_prediction(ID)
    expected = PredictionView(
        viewer="ada@example.org",
        viewed_at=times.to_millis(NOW),
        prediction=ID,
        prediction_sha256=digest,
        model_version=world.version,
    )
    assert [expected, expected] == world.views
    stored = [key for key in world.s3.objects if key.startswith(keys.PREDICTION_VIEWS)]
    assert all(key.startswith(f"{keys.PREDICTION_VIEWS}{digest}/") for key in stored)
    written = capsys.readouterr().out + "".join(map(repr, world.views))
    assert "ada@example.org" in written
    assert not [text for text in PRIVATE if text in written]
    assert not [key for key in stored if ID in key]


def test_nothing_is_shown_while_views_can_not_be_recorded() -> None:
    world = World()
    world.athena.stream = [world.row()]
    world.s3.failing[keys.PREDICTION_VIEWS] = "SlowDown"
    answer = world.open()
    assert 503 == problem_of(answer)["status"]
    assert not [text for text in PRIVATE if text in answer["body"]]


@pytest.mark.parametrize("groups", [None, "read", "operate", "approve", "operate,approve"])
def test_no_other_group_opens_a_prediction(groups: str | None) -> None:
    world = World()
    world.athena.stream = [world.row()]
    assert "You lack the group inspect" in problem_of(world.open(groups=groups))["detail"]
    assert ([], []) == (world.views, world.athena.sql)


@pytest.mark.parametrize("prediction_id", [ID, "x' OR '1'='1", "visit 7", "__other__"])
def test_what_is_not_in_the_log_is_not_found_in_one_sentence(prediction_id: str) -> None:
    world = World()
    problem = problem_of(world.open(prediction_id))
    assert (404, 1) == (problem["status"], problem["detail"].count("."))
    assert prediction_id not in problem["detail"]
    assert [] == world.views
    assert bool(world.athena.sql) is (prediction_id == ID)


def test_an_erased_prediction_says_when_it_was_erased() -> None:
    world, erasure = World(), "20260131T140000-0a1b2c3d"
    certificate = Certificate(
        erasure=erasure,
        execution="e",
        dry_run=False,
        began_at=0,
        finished_at=times.to_millis(NOW),
        subjects=1,
        predictions=1,
        shared_references=0,
        objects=(),
        unfinished=(),
    )
    world.s3.objects[keys.erasure_certificate(erasure)] = certificate.to_json()
    hashes = json.dumps([hash_prediction(ID)]).encode()
    world.s3.objects[keys.erased_predictions(erasure)] = hashes
    problem = problem_of(world.open())
    assert (410, "Erased") == (problem["status"], problem["title"])
    assert "2026-02-01 12:00 UTC" in problem["detail"]


def test_the_earliest_copy_counts_wherever_it_is() -> None:
    world = World()
    late, early = world.row(predicted_at=2_000, source="batch"), world.row(predicted_at=1_000)
    world.athena.stream, world.athena.fallback = [late], [early]
    found = ok(world.open())
    assert (1_000, "api") == (found["predicted_at"], found["source"])


def test_the_days_around_the_time_in_an_id_are_searched_first() -> None:
    world, made = World(), new_prediction_id(times.to_millis(NOW))
    three_days = "AND dt BETWEEN '2026-01-31' AND '2026-02-02'"
    world.athena.stream = [world.row(prediction_id=made)]
    assert made == ok(world.open(made))["prediction_id"]
    assert [True, True, False] == [three_days in sql for sql in world.athena.sql]
    world.athena.stream, world.athena.sql = [], []
    assert 404 == problem_of(world.open(made))["status"]
    assert [True, True, False, False] == [three_days in sql for sql in world.athena.sql]


def test_a_record_whose_bundle_is_damaged_is_shown_without_an_explanation() -> None:
    world = World()
    world.athena.stream = [world.row()]
    world.s3.objects[keys.bundle(world.version)] = b"damaged"
    found = ok(world.open())
    assert "can't be used" in found["problem"]
    assert (None, {None}) == (found["baseline"], {one["points"] for one in found["features"]})
    assert VALID["bmi"] in [one["value"] for one in found["features"]]
    assert "subject-7" not in json.dumps(found)


def test_a_record_that_lost_a_feature_is_shown_and_says_so() -> None:
    world, lost = World(), next(f for f in CONTRACT.features if not f.nullable)
    row = world.row()
    del row[lost.column]
    world.athena.stream = [row]
    found = ok(world.open())
    assert (NOT_EXPLAINED, None) == (found["problem"], found["baseline"])


def test_an_erasure_leaves_who_looked_but_not_the_id() -> None:
    world = World()
    world.athena.stream = [world.row()]
    ok(world.open())
    (view,) = world.views
    wanted = Wanted(frozenset({"subject-7"}), frozenset({ID}), frozenset())
    left, erased = filter_document(json.loads(view.to_json()), wanted, DEPLOYED)
    expected = json.loads(view.to_json()) | {"prediction": "erased"}
    assert (expected, 1) == (left, erased)
