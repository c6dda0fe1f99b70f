"""Run now: record a request, put it on the bus, and let its caller follow it."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

from adapters.api.rest import Problem
from adapters.events import EventBus, EventRefused
from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.field_problem import FieldProblem, pointer_token
from domain.drift.drift_request import DriftRequest, RequestRecord, check_id
from domain.errors import BadWindow

FIELDS = ("day", "start", "end", "last_rows", "mail")
NOT_SENT = "The event bus refused the request; send it again."


@dataclass(frozen=True, slots=True)
class RunNow:
    """Requests in the reports bucket, and the bus that the drift function listens on."""

    reports: Bucket
    bus: EventBus
    new_id: Callable[[], str] = lambda: str(uuid.uuid4())

    def ask(self, body: Any, *, actor: str, now: datetime) -> RequestRecord:
        """Record a request and publish `DriftRequested`; raises Problem for a bad request.

        `actor` is who asks.
        """
        request = _check_body(body, now)
        record = RequestRecord(
            id=self.new_id(),
            requested_at=times.to_millis(now),
            request=dict(request),
            actor=actor,
        )
        self._write(record)  # before the event, so that the function finds it however fast it is
        try:
            self.bus.publish("DriftRequested", record.detail)
        except EventRefused:
            self._write(replace(record, status="failed", problem=NOT_SENT))
            raise
        return record

    def find(self, request_id: str, *, now: datetime) -> RequestRecord:
        """A request and its status; raises Problem (404)."""
        try:
            stored = self.reports.get(keys.request(check_id(request_id)))
        except BadWindow:
            stored = None
        if stored is None:
            raise Problem(HTTPStatus.NOT_FOUND, "Not found", "There is no such request.")
        return RequestRecord.from_json(stored.data).as_of(times.to_millis(now))

    def _write(self, record: RequestRecord) -> None:
        self.reports.put(keys.request(record.id), record.to_json(), content_type="application/json")


def _check_body(body: Any, now: datetime) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise _make_problem("The body must be an object: a window, and optionally mail.")
    unknown = [name for name in body if name not in FIELDS]
    if unknown:
        errors = [FieldProblem(f"#/{pointer_token(name)}", "is not a field") for name in unknown]
        raise _make_problem("Fields are: " + ", ".join(FIELDS) + ".", errors)
    if not set(body) - {"mail"}:
        raise _make_problem("Give one of: day; start and end; last_rows.")
    try:
        DriftRequest.parse(body, now=now)
    except BadWindow as error:
        raise _make_problem(str(error)) from None
    return body


def _make_problem(detail: str, errors: list[FieldProblem] | None = None) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "Bad window", detail, errors or ())
