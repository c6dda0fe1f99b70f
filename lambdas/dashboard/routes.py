"""What the dashboard's function answers."""

from dataclasses import dataclass
from http import HTTPStatus

from adapters.proxy import Api, ErrorTable, Mapped, Request
from adapters.rest import Answer, redirect
from adapters.s3 import Bucket
from adapters.telemetry import Observation, Telemetry
from lambdas.dashboard.report import NoReport, SecretCache, open_report

ERRORS: ErrorTable = {NoReport: Mapped(HTTPStatus.NOT_FOUND, "Not found")}


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The routes over the reports' bucket; links live for `seconds`."""

    reports: Bucket
    secrets: SecretCache
    seconds: int

    def report(self, request: Request, _: Observation) -> Answer:
        """GET /reports/{run_id}/{report}?t=: the link of a mail."""
        url = open_report(
            run_id=request.path["run_id"],
            report=request.path["report"],
            token=request.query.get("t", ""),
            bucket=self.reports,
            secrets=self.secrets,
            seconds=self.seconds,
        )
        return redirect(url)


def build(*, reports: Bucket, secrets: SecretCache, seconds: int, telemetry: Telemetry) -> Api:
    """The dashboard's API over the reports' bucket."""
    dashboard = Dashboard(reports=reports, secrets=secrets, seconds=seconds)
    routes = {("GET", "/reports/{run_id}/{report}"): dashboard.report}
    return Api(routes=routes, telemetry=telemetry, errors=ERRORS)
