"""Answer API Gateway's proxy events, by a table of routes and a table of errors.

The table of routes is our own, because Powertools' resolver costs 40-60 ms of a cold start. API
Gateway has already matched the route, and the event names it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from adapters.api.request import Request
from adapters.api.rest import Answer, Problem
from adapters.aws import UNREACHABLE
from adapters.streams import StreamUnavailable
from adapters.telemetry import Observation, Telemetry
from domain import metrics
from domain.api import requests
from domain.api.people import NotSignedIn, Permission
from domain.contract.field_problem import FieldProblem

Route = Callable[[Request, Observation], Answer]
"""Raises Problem or an error of the table; what it did goes into the observation."""

Routes = Mapping[tuple[str, str], Route]


@dataclass(frozen=True, slots=True)
class Mapped:
    """The HTTP error of an exception; without a `detail` the exception's own sentence is sent."""

    status: HTTPStatus
    title: str
    detail: str | None = None
    retry_after: int | None = None


ErrorTable = Mapping[type[Exception], Mapped]

_UNREACHABLE = Mapped(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Temporarily unavailable",
    "A service behind this one did not answer as it should; send the request again.",
    retry_after=1,
)

COMMON_ERRORS: ErrorTable = {
    requests.TooLarge: Mapped(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Body too large"),
    requests.UnsupportedMediaType: Mapped(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Unsupported media type"
    ),
    requests.BadRequest: Mapped(HTTPStatus.BAD_REQUEST, "Bad request"),
    NotSignedIn: Mapped(HTTPStatus.UNAUTHORIZED, "Not signed in"),
    StreamUnavailable: Mapped(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Log unavailable",
        "Not every record could be stored, so nothing was answered. Send the request again with the"
        " same Idempotency-Key: what was stored already then counts once.",
        retry_after=1,
    ),
    **dict.fromkeys(UNREACHABLE, _UNREACHABLE),
}


@dataclass(frozen=True)
class Api:
    """The routes of one function; `errors` adds to COMMON_ERRORS.

    `needed`: what somebody must have signed in for and be allowed to do, by route. The others take
    whoever the gateway lets through.
    """

    routes: Routes
    telemetry: Telemetry
    errors: ErrorTable
    needed: Mapping[tuple[str, str], Permission] = field(default_factory=dict)

    def respond(self, event: Mapping[str, Any]) -> Answer:
        """Answer one event. Every exception becomes an answer."""
        start = time.perf_counter()
        request, observation = Request(event), Observation()
        self.telemetry.correlation_id = request.id
        try:
            route = self._route(request)
            self._check_permission(request, observation)
            answer = route(request, observation)
        except Exception as error:  # the edge: every exception has an answer
            answer = self._problem(error, observation).answer()
        if event["httpMethod"] == "POST":
            observation.count(metrics.LATENCY, 1000 * (time.perf_counter() - start))
        observation.properties["correlation_id"] = request.id
        observation.properties["status"] = answer["statusCode"]
        self.telemetry.emit(observation)
        if "actor" in observation.properties:
            method, resource = request.route
            self.telemetry.inform(
                "request of a person",
                actor=observation.properties["actor"],
                method=method,
                resource=resource,
                status=answer["statusCode"],
            )
        return answer

    def _route(self, request: Request) -> Route:
        method, resource = request.route
        if route := self.routes.get((method, resource)):
            return route
        allowed = ", ".join(sorted(m for m, r in self.routes if r == resource))
        if allowed:
            detail = f"This resource takes: {allowed}."
            status = HTTPStatus.METHOD_NOT_ALLOWED
            raise Problem(status, "Method not allowed", detail, headers={"Allow": allowed})
        raise Problem(HTTPStatus.NOT_FOUND, "Not found", "There is no such resource.")

    def _check_permission(self, request: Request, observation: Observation) -> None:
        """Refuse somebody who may not; raises Problem (403) and NotSignedIn."""
        needed = self.needed.get(request.route)
        if needed is None:
            return
        person = request.signed_in
        observation.properties["actor"] = person.name
        if not person.may(needed):
            detail = f"You lack the group {needed}; ask an operator to add you to it."
            raise Problem(HTTPStatus.FORBIDDEN, "Not allowed", detail)

    def _problem(self, error: Exception, observation: Observation) -> Problem:
        if isinstance(error, Problem):
            return error
        table = {**self.errors, **COMMON_ERRORS}
        mapped = next((m for kind, m in table.items() if isinstance(error, kind)), None)
        if mapped is None:
            observation.count(metrics.UNEXPECTED)
            self.telemetry.log_failure("unexpected error", error)
            detail = "This is a defect, and has been logged; the request may be sent again."
            return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Unexpected error", detail)
        problems: tuple[FieldProblem, ...] = ()
        if isinstance(error, requests.BadRequest):
            observation.count(metrics.VALIDATION_ERRORS)
            observation.by_field = error.by_field
            problems = error.problems
        if mapped.status == HTTPStatus.SERVICE_UNAVAILABLE:
            observation.count(metrics.UNAVAILABLE)
            self.telemetry.log_failure("unavailable", error)
        headers = {"Retry-After": str(mapped.retry_after)} if mapped.retry_after else None
        return Problem(mapped.status, mapped.title, mapped.detail or str(error), problems, headers)
