"""API Gateway's proxy events: requests in, a table of routes, one table of errors, answers out.

A table of our own, because Powertools' resolver costs 40-60 ms of a cold start, and API Gateway has
already matched the route: the event names it.
"""

import base64
import binascii
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from adapters.rest import Answer, Problem
from adapters.streams import StreamUnavailable
from adapters.telemetry import Observation, Telemetry
from domain import metrics, requests
from domain.field_problem import FieldProblem


@dataclass(frozen=True)
class Request:
    """One event of API Gateway's REST proxy integration."""

    event: Mapping[str, Any]

    @property
    def route(self) -> tuple[str, str]:
        """Method and resource, e.g. ``("GET", "/reports/{run_id}/{report}")``."""
        return self.event["httpMethod"], self.event["resource"]

    @property
    def path(self) -> Mapping[str, str]:
        """The values of the resource's path parameters."""
        return self.event.get("pathParameters") or {}

    @property
    def query(self) -> Mapping[str, str]:
        """Query parameters; of a repeated one the last."""
        return self.event.get("queryStringParameters") or {}

    @property
    def repeated_query(self) -> Mapping[str, Sequence[str]]:
        """Query parameters with every value that each was sent with."""
        multiple = self.event.get("multiValueQueryStringParameters")
        return multiple or {name: [value] for name, value in self.query.items()}

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Headers by lower-case name."""
        return {k.lower(): v for k, v in (self.event.get("headers") or {}).items()}

    @property
    def id(self) -> str:
        """The gateway's id of the request: the correlation id."""
        return str(self.event.get("requestContext", {}).get("requestId", ""))

    @property
    def caller(self) -> str:
        """Id of the API key that the request came with; empty where the gateway gives none."""
        identity = self.event.get("requestContext", {}).get("identity") or {}
        return identity.get("apiKeyId") or ""

    @cached_property
    def body(self) -> bytes:
        """The body's bytes; raises BadRequest."""
        text = self.event.get("body") or ""
        try:
            if self.event.get("isBase64Encoded"):
                return base64.b64decode(text, validate=True)
            return text.encode()
        except (binascii.Error, UnicodeEncodeError, ValueError):
            raise requests.BadRequest("The body is not UTF-8.") from None

    def json(self) -> Any:
        """The body as strict JSON; raises BadRequest and its kinds."""
        headers = self.headers
        requests.check_media_type(headers.get("content-type"), headers.get("content-encoding"))
        return requests.parse_json(self.body)


Route = Callable[[Request, Observation], Answer]
"""Raises Problem or an error of the table; what it did goes into the observation."""

Routes = Mapping[tuple[str, str], Route]


@dataclass(frozen=True, slots=True)
class Mapped:
    """How an exception looks from outside; without a `detail` its own sentence is told."""

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
    StreamUnavailable: Mapped(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Log unavailable",
        "The record could not be stored, so nothing was answered; send the request again.",
        retry_after=1,
    ),
    ClientError: _UNREACHABLE,
    BotoCoreError: _UNREACHABLE,
}


@dataclass(frozen=True)
class Api:
    """The routes of one function; `errors` adds to COMMON_ERRORS."""

    routes: Routes
    telemetry: Telemetry
    errors: ErrorTable

    def respond(self, event: Mapping[str, Any]) -> Answer:
        """Answer one event; whatever happens is an answer."""
        start = time.perf_counter()
        request, observation = Request(event), Observation()
        self.telemetry.log.set_correlation_id(request.id)
        try:
            answer = self._route(request)(request, observation)
        except Exception as error:  # the edge: every exception has an answer
            answer = self._problem(error, observation).answer()
        if event["httpMethod"] == "POST":
            observation.count(metrics.LATENCY, 1000 * (time.perf_counter() - start))
        observation.properties["correlation_id"] = request.id
        observation.properties["status"] = answer["statusCode"]
        self.telemetry.emit(observation)
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
