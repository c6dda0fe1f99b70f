"""The route by which somebody who may inspect opens a single prediction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from adapters.api.proxy import Api, ErrorTable, Mapped
from adapters.api.request import Request
from adapters.api.rest import Answer, answer
from adapters.athena import QueryFailed, QueryTooSlow
from adapters.telemetry import Observation, Telemetry
from domain.api.inspection import ROUTES
from domain.typed_json import encode
from lambdas.inspection.inspection import Inspection

ERRORS: ErrorTable = {
    QueryTooSlow: Mapped(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Query too slow",
        "The log took too long to search; send the request again.",
        retry_after=5,
    ),
    QueryFailed: Mapped(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Query failed",
        "Athena could not search the log; send the request again, or see the workgroup's history.",
        retry_after=5,
    ),
}


@dataclass(frozen=True, slots=True)
class InspectionRoutes:
    """The route and what it opens."""

    inspection: Inspection
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def open(self, request: Request, _: Observation) -> Answer:
        """GET /people/predictions/{id}."""
        found = self.inspection.inspect(
            request.path["id"], viewer=request.signed_in.name, now=self.clock()
        )
        return answer(HTTPStatus.OK, encode(found))


def build(inspection: Inspection, telemetry: Telemetry) -> Api:
    """Build the function's API."""
    routes = InspectionRoutes(inspection)
    return Api(
        routes={("GET", "/people/predictions/{id}"): routes.open},
        telemetry=telemetry,
        errors=ERRORS,
        needed={(route.method.upper(), route.path): route.needs for route in ROUTES},
    )
