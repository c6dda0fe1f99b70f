"""The routes by which people change what serves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from adapters.api.proxy import Api, ErrorTable, Mapped
from adapters.api.request import Request
from adapters.api.rest import Answer, answer
from adapters.telemetry import Observation, Telemetry
from domain.api import requests
from domain.api.change_routes import LONGEST_REASON, ROUTES
from domain.contract.field_problem import FieldProblem, pointer_token
from domain.errors import BadRecord
from lambdas.changes.change import Changes


@dataclass(frozen=True, slots=True)
class ChangeRoutes:
    """The routes and what they change."""

    changes: Changes
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def roll_back(self, request: Request, _: Observation) -> Answer:
        """POST /people/rollbacks."""
        body = _read(request.json(), {"version": str}, optional=("version",))
        found = self.changes.roll_back(
            body.get("version"), person=request.signed_in.name, now=self.clock()
        )
        return answer(HTTPStatus.ACCEPTED, found)

    def answer(self, request: Request, _: Observation) -> Answer:
        """POST /people/approvals."""
        kinds = {"version": str, "approved": bool, "reason": str}
        body = _read(request.json(), kinds, optional=("reason",))
        reason = str(body.get("reason", "")).strip()
        if bool(reason) is body["approved"] or len(reason) > LONGEST_REASON:
            detail = f"must be 1 to {LONGEST_REASON:,} characters for a rejection, and absent else"
            requests.refuse([FieldProblem("#/reason", detail)])
        found = self.changes.answer(
            body["version"],
            approved=body["approved"],
            reason=reason,
            person=request.signed_in.name,
            now=self.clock(),
        )
        return answer(HTTPStatus.ACCEPTED, found)


def build(changes: Changes, telemetry: Telemetry, operator: str) -> Api:
    """Build the function's API; `operator` is how the operator's command line is called."""
    routes = ChangeRoutes(changes)
    damaged = (
        f"The champion pointer can't be read; an operator restores it: {operator} repair pointer"
    )
    errors: ErrorTable = {
        BadRecord: Mapped(HTTPStatus.SERVICE_UNAVAILABLE, "Damaged record", damaged)
    }
    return Api(
        routes={
            ("POST", "/people/rollbacks"): routes.roll_back,
            ("POST", "/people/approvals"): routes.answer,
        },
        telemetry=telemetry,
        errors=errors,
        needed={(route.method.upper(), route.path): route.needs for route in ROUTES},
    )


def _read(body: Any, kinds: Mapping[str, type], *, optional: tuple[str, ...]) -> Mapping[str, Any]:
    """Check an object's fields; raises BadRequest naming every problem."""
    if not isinstance(body, Mapping):
        requests.refuse([FieldProblem("#", f"must be an object with {', '.join(kinds)}")])
    problems = [
        FieldProblem(f"#/{pointer_token(name)}", "is not a field")
        for name in body
        if name not in kinds
    ]
    problems += [
        FieldProblem(f"#/{name}", "must be true or false" if kind is bool else "must be a text")
        for name, kind in kinds.items()
        if (name in body or name not in optional) and type(body.get(name)) is not kind
    ]
    requests.refuse(problems)
    found: Mapping[str, Any] = body
    return found
