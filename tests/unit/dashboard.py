"""The dashboard's function over stores in memory."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jsonschema

from adapters.api.proxy import Api
from adapters.api.rest import Answer
from adapters.athena import Athena
from adapters.events import EventBus
from adapters.telemetry import Telemetry
from domain import times
from domain.api.openapi import build_document
from domain.api.report_token import ReportSecret
from domain.contract.contract import Contract
from lambdas.dashboard.executions import Executions
from lambdas.dashboard.health import Health
from lambdas.dashboard.incidents import Incidents
from lambdas.dashboard.models import Models
from lambdas.dashboard.page import Page
from lambdas.dashboard.predictions import Predictions
from lambdas.dashboard.report import SecretCache
from lambdas.dashboard.routes import Dashboard, build_api
from lambdas.dashboard.run_now import RunNow
from lambdas.dashboard.runs import Runs
from lambdas.dashboard.schedules import DriftSchedules
from tests.repository import CONTRACT_TOML
from tests.unit.fakes import FakeS3, api_event

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
SECRET = ReportSecret("o" * 40)
REQUEST_ID = "0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10"
DOCUMENT = build_document(Contract.parse(CONTRACT_TOML.read_text()))
OPERATOR = "ops --stage dev"
PAGE = Page({"index.html": "<html>", "app.js": "start()"}, "https://reports.example")


@dataclass
class FakeBus:
    """Keeps events; `refuses` makes the bus take the call and not the event."""

    refuses: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        if self.refuses:
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}
        self.events += Entries
        return {"FailedEntryCount": 0, "Entries": []}


@dataclass
class FakeAthena:
    """Answers every query with `rows`; `state` is how each execution ends, or stays."""

    rows: Sequence[Sequence[str | None]] = field(default_factory=list)
    state: str = "SUCCEEDED"
    sql: list[str] = field(default_factory=list)
    stopped: int = 0

    def start_query_execution(self, *, QueryString: str, **_: Any) -> dict[str, str]:
        self.sql.append(QueryString)
        return {"QueryExecutionId": "1"}

    def get_query_execution(self, **_: Any) -> dict[str, Any]:
        return {"QueryExecution": {"Status": {"State": self.state}}}

    def stop_query_execution(self, **_: Any) -> None:
        self.stopped += 1

    def get_paginator(self, _: str) -> "FakeAthena":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        header = ["header"] * 7
        rows: list[Sequence[str | None]] = [header, *self.rows]
        result = {
            "Rows": [{"Data": [{"VarCharValue": c} for c in r]} for r in rows],
            "ResultSetMetadata": {
                "ColumnInfo": [{"Name": name, "Type": "varchar"} for name in header]
            },
        }
        return [{"ResultSet": result}]


@dataclass
class FakeStates:
    """Step Functions with these executions, the newest first, as it describes them."""

    executions: Sequence[Mapping[str, Any]] = field(default_factory=list)

    def get_paginator(self, _: str) -> "FakeStates":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"executions": list(self.executions)}]

    def describe_execution(self, *, executionArn: str) -> Mapping[str, Any]:
        return next(e for e in self.executions if e["executionArn"] == executionArn)


@dataclass
class World:
    """One deployment of the dashboard; a waiting query's clock moves a second per look."""

    s3: FakeS3 = field(default_factory=FakeS3)
    bus: FakeBus = field(default_factory=FakeBus)
    athena: FakeAthena = field(default_factory=FakeAthena)
    states: FakeStates = field(default_factory=FakeStates)
    secrets: SecretCache = field(default_factory=lambda: SecretCache(read=lambda: SECRET))
    seconds: int = 300
    kept_days: int | None = None
    has_login: bool = False
    drift_schedule: str = "cron(0 11 * * ? *)"
    training_schedule: str = ""
    regular: Mapping[str, str] = field(default_factory=dict)

    def api(self) -> Api:
        bucket = self.s3.bucket()
        clients: Any = (self.athena, self.bus, self.states)
        seconds: Callable[[], float] = itertools.count().__next__
        athena = Athena(
            clients[0],
            database="d",
            workgroup="w",
            patience_seconds=20,
            sleep=lambda _: None,
            clock=seconds,
        )
        machine = "arn:aws:states:here:1:stateMachine:training"
        executions = Executions(clients[2], machine, OPERATOR)
        schedules = DriftSchedules(daily=self.drift_schedule, operator_command=OPERATOR)
        dashboard = Dashboard(
            page=PAGE,
            runs=Runs(bucket, bucket, self.secrets, schedules, self.kept_days),
            run_now=RunNow(bucket, EventBus(clients[1], "bus"), new_id=lambda: REQUEST_ID),
            incidents=Incidents(bucket, OPERATOR, clock=lambda: times.to_millis(NOW)),
            health=Health(
                reports=bucket,
                models=bucket,
                predictions=bucket,
                executions=executions,
                schedules=schedules,
                regular={"train": self.training_schedule, **self.regular},
            ),
            executions=executions,
            models=Models(bucket, bucket, OPERATOR),
            predictions=Predictions(athena),
            seconds=self.seconds,
            has_login=self.has_login,
            clock=lambda: NOW,
        )
        return build_api(dashboard, Telemetry("dashboard", "circle-dev"))

    def respond(self, event: Mapping[str, Any]) -> Answer:
        return self.api().respond(event)

    def get(self, resource: str, *, query: Mapping[str, str] | None = None, **path: str) -> Any:
        """The decoded answer of a GET, which must be 200, and as the OpenAPI document says."""
        answer = self.ask("GET", resource, None, query=query, headers=None, **path)
        assert 200 == answer["statusCode"], answer["body"]
        decoded = json.loads(answer["body"])
        content = DOCUMENT["paths"][resource]["get"]["responses"]["200"]["content"]
        schema = content["application/json"]["schema"] | {"components": DOCUMENT["components"]}
        jsonschema.Draft202012Validator(schema).validate(decoded)
        return decoded

    def ask(
        self,
        method: str,
        resource: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **path: str,
    ) -> Answer:
        text = None if body is None else json.dumps(body)
        return self.respond(
            api_event(
                method,
                resource,
                text,
                headers=headers,
                pathParameters=path or None,
                queryStringParameters=query,
            )
        )
