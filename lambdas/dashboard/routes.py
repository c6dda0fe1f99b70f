"""The routes of the dashboard function."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from adapters.api.proxy import Api, ErrorTable, Mapped
from adapters.api.request import Request
from adapters.api.rest import Answer, answer, redirect
from adapters.athena import QueryFailed, QueryTooSlow
from adapters.events import EventRefused
from adapters.telemetry import Observation, Telemetry
from domain.api.dashboard_routes import ROUTES
from domain.errors import BadRecord
from domain.typed_json import encode
from lambdas.dashboard.executions import Executions
from lambdas.dashboard.health import Health
from lambdas.dashboard.incidents import Incidents
from lambdas.dashboard.models import Models
from lambdas.dashboard.page import INDEX, Page
from lambdas.dashboard.predictions import Predictions
from lambdas.dashboard.report import NoReport, open_report
from lambdas.dashboard.run_now import NOT_SENT, RunNow
from lambdas.dashboard.runs import Runs
from lambdas.dashboard.trends import read_trends

ERRORS: ErrorTable = {
    NoReport: Mapped(HTTPStatus.NOT_FOUND, "Not found"),
    QueryTooSlow: Mapped(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Query too slow",
        "The log took too long to search; choose one day, or send the request again.",
        retry_after=5,
    ),
    QueryFailed: Mapped(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Query failed",
        "Athena could not search the log; send the request again, or see the workgroup's history.",
        retry_after=5,
    ),
    EventRefused: Mapped(HTTPStatus.SERVICE_UNAVAILABLE, "Not sent", NOT_SENT, retry_after=5),
    BadRecord: Mapped(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Damaged record",
        "A stored record can't be decoded; the next run or promotion writes a new one.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """The routes. URLs of reports are valid for `seconds`. `has_login`: people sign in."""

    page: Page
    runs: Runs
    run_now: RunNow
    incidents: Incidents
    health: Health
    executions: Executions
    models: Models
    predictions: Predictions
    seconds: int
    has_login: bool = False
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def index(self, request: Request, _: Observation) -> Answer:
        """GET /: the page; its links are relative, so the path must end with a slash."""
        context = request.event.get("requestContext", {})
        if context.get("path") == f"/{context.get('stage')}":
            return redirect(f"{context['path']}/")
        return self.page.answer(INDEX, known=request.headers.get("if-none-match", ""))

    def asset(self, request: Request, _: Observation) -> Answer:
        """GET /assets/{file}."""
        known = request.headers.get("if-none-match", "")
        return self.page.answer(request.path["file"], known=known)

    def overview(self, _: Request, __: Observation) -> Answer:
        """GET /monitoring/overview."""
        return answer(HTTPStatus.OK, encode(self.runs.overview(now=self.clock())))

    def check_health(self, _: Request, __: Observation) -> Answer:
        """GET /monitoring/health."""
        return answer(HTTPStatus.OK, encode(self.health.check(now=self.clock())))

    def trends(self, _: Request, __: Observation) -> Answer:
        """GET /monitoring/trends."""
        found = read_trends(self.runs.reports, self.runs.models)
        return answer(HTTPStatus.OK, encode(found))

    def list_incidents(self, _: Request, __: Observation) -> Answer:
        """GET /monitoring/incidents."""
        return answer(HTTPStatus.OK, encode(self.incidents.list_all()))

    def acknowledge(self, request: Request, _: Observation) -> Answer:
        """POST /monitoring/acknowledgements."""
        record = self.incidents.acknowledge(request.json(), actor=self._name_actor(request))
        return answer(HTTPStatus.OK, encode(record))

    def _name_actor(self, request: Request) -> str:
        """Who acts: somebody who signed in, or a key, which says no more about its holder."""
        if self.has_login:
            return request.signed_in.name
        return f"the dashboard with API key {request.caller or 'unknown'}"

    def list_executions(self, _: Request, __: Observation) -> Answer:
        """GET /executions."""
        found = self.executions.list_latest(self.models.list_waiting())
        return answer(HTTPStatus.OK, encode(found))

    def traffic(self, _: Request, __: Observation) -> Answer:
        """GET /monitoring/traffic: not in the overview, because the query takes seconds on AWS."""
        return answer(HTTPStatus.OK, encode(self.predictions.traffic(now=self.clock())))

    def list_runs(self, request: Request, _: Observation) -> Answer:
        """GET /monitoring/runs[?cursor=]."""
        return answer(HTTPStatus.OK, encode(self.runs.page(request.query.get("cursor"))))

    def run(self, request: Request, _: Observation) -> Answer:
        """GET /monitoring/runs/{run_id}."""
        return answer(HTTPStatus.OK, encode(self.runs.run(request.path["run_id"])))

    def ask(self, request: Request, _: Observation) -> Answer:
        """POST /monitoring/runs."""
        record = self.run_now.ask(request.json(), actor=self._name_actor(request), now=self.clock())
        place = f"/monitoring/requests/{record.id}"
        body = {**encode(record), "follow": place}
        return answer(HTTPStatus.ACCEPTED, body)

    def request(self, request: Request, _: Observation) -> Answer:
        """GET /monitoring/requests/{id}."""
        record = self.run_now.find(request.path["id"], now=self.clock())
        return answer(HTTPStatus.OK, encode(record))

    def latest_predictions(self, request: Request, _: Observation) -> Answer:
        """GET /predictions?day=&version=."""
        query = request.query
        found = self.predictions.latest(
            day=query.get("day"), version=query.get("version"), now=self.clock()
        )
        return answer(HTTPStatus.OK, found)

    def ledger(self, _: Request, __: Observation) -> Answer:
        """GET /models."""
        return answer(HTTPStatus.OK, encode(self.models.ledger()))

    def card(self, request: Request, _: Observation) -> Answer:
        """GET /models/{version}."""
        return answer(HTTPStatus.OK, self.models.card(request.path["version"]).to_dict())

    def report(self, request: Request, _: Observation) -> Answer:
        """GET /reports/{run_id}/{report}?t=: the link of a mail and of the page."""
        url = open_report(
            run_id=request.path["run_id"],
            report=request.path["report"],
            token=request.query.get("t", ""),
            bucket=self.runs.reports,
            secrets=self.runs.secrets,
            seconds=self.seconds,
            kept_days=self.runs.kept_days,
        )
        return redirect(url)


def build_api(dashboard: Dashboard, telemetry: Telemetry) -> Api:
    """The dashboard's API."""
    routes = {
        ("GET", "/"): dashboard.index,
        ("GET", "/assets/{file}"): dashboard.asset,
        ("GET", "/monitoring/overview"): dashboard.overview,
        ("GET", "/monitoring/health"): dashboard.check_health,
        ("GET", "/monitoring/trends"): dashboard.trends,
        ("GET", "/monitoring/incidents"): dashboard.list_incidents,
        ("POST", "/monitoring/acknowledgements"): dashboard.acknowledge,
        ("GET", "/monitoring/traffic"): dashboard.traffic,
        ("GET", "/monitoring/runs"): dashboard.list_runs,
        ("POST", "/monitoring/runs"): dashboard.ask,
        ("GET", "/monitoring/runs/{run_id}"): dashboard.run,
        ("GET", "/monitoring/requests/{id}"): dashboard.request,
        ("GET", "/predictions"): dashboard.latest_predictions,
        ("GET", "/executions"): dashboard.list_executions,
        ("GET", "/models"): dashboard.ledger,
        ("GET", "/models/{version}"): dashboard.card,
        ("GET", "/reports/{run_id}/{report}"): dashboard.report,
    }
    needed = {(r.method.upper(), r.path): r.needs for r in ROUTES if not r.keyless}
    return Api(
        routes=routes,
        telemetry=telemetry,
        errors=ERRORS,
        needed=needed if dashboard.has_login else {},
    )
