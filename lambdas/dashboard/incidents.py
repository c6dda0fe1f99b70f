"""Incidents for the dashboard: open and past ones, who knows of them, what the guard decided."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from adapters.acknowledgements import Acknowledgements
from adapters.api.rest import Problem
from adapters.s3 import Bucket
from domain import keys
from domain.api.answers import IncidentList, ShownIncident
from domain.contract.field_problem import FieldProblem, pointer_token
from domain.drift.acknowledgement import KINDS, Acknowledgement, Kind, check_note
from domain.drift.alert_state import AlertState
from domain.drift.drift import Outcome
from domain.drift.retraining import Decision
from domain.errors import BadRecord
from domain.plural import write_count
from lambdas.dashboard.stored import objects

DECISIONS = 100
"""How many of the guard's latest decisions are read."""
FIELDS = ("kind", "opened_at", "note")


@dataclass(frozen=True, slots=True)
class Incidents:
    """The reports bucket, and how the operator's command line is called."""

    reports: Bucket
    operator_command: str
    clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000

    def list_all(self) -> IncidentList:
        """Open incidents first, then past ones, the latest first; raises BadRecord."""
        state = self._read()
        shown = [
            self._show(kind, incident.opened_at, None, incident.outcome, incident.drifted)
            for kind, incident in state.open_incidents
            if incident.opened_at is not None
        ]
        shown += [
            self._show(past.kind, past.opened_at, past.closed_at, past.outcome, past.drifted)
            for past in state.past
        ]
        return IncidentList(
            incidents=tuple(shown),
            decisions=tuple(self._list_decisions()),
            acknowledge_command=f"{self.operator_command} acknowledge",
        )

    def acknowledge(self, body: Any, *, actor: str) -> Acknowledgement:
        """Record who knows of an open incident; returns the record that counts.

        Raises Problem: 400 for a bad body, 404 if that incident isn't open.
        """
        problems = _find_problems(body)
        if problems:
            detail = f"{write_count(len(problems), 'field')} can't be used."
            raise Problem(HTTPStatus.BAD_REQUEST, "Bad acknowledgement", detail, problems)
        kind, opened_at = cast(Kind, body["kind"]), int(body["opened_at"])
        known = [(k, incident.opened_at) for k, incident in self._read().open_incidents]
        if (kind, opened_at) not in known:
            detail = "That incident isn't open; GET /monitoring/incidents lists them."
            raise Problem(HTTPStatus.NOT_FOUND, "Not found", detail)
        return Acknowledgements(self.reports).add(
            Acknowledgement(
                kind=kind,
                opened_at=opened_at,
                acknowledged_at=self.clock(),
                actor=actor,
                note=body.get("note", ""),
            )
        )

    def _show(
        self,
        kind: Kind,
        opened_at: int,
        closed_at: int | None,
        outcome: Outcome,
        drifted: Iterable[str],
    ) -> ShownIncident:
        return ShownIncident(
            kind=kind,
            opened_at=opened_at,
            closed_at=closed_at,
            outcome=outcome,
            drifted=tuple(drifted),
            acknowledgement=Acknowledgements(self.reports).read(kind, opened_at),
        )

    def _read(self) -> AlertState:
        return self.reports.read(keys.ALERT_STATE, AlertState.from_json) or AlertState()

    def _list_decisions(self) -> Iterator[Decision]:
        """The guard's decisions, the latest first; a damaged one is left out."""
        listed = sorted(
            self.reports.list(keys.RETRAINING), key=lambda entry: entry.modified, reverse=True
        )
        for data in objects(self.reports, [entry.key for entry in listed[:DECISIONS]]):
            with suppress(BadRecord):
                if data is not None:
                    yield Decision.from_json(data)


def _find_problems(body: Any) -> list[FieldProblem]:
    if not isinstance(body, Mapping):
        return [FieldProblem("#", "must be an object with kind, opened_at and optionally note")]
    problems = [
        FieldProblem(f"#/{pointer_token(name)}", "is not a field")
        for name in body
        if name not in FIELDS
    ]
    if body.get("kind") not in KINDS:
        problems.append(FieldProblem("#/kind", f"must be one of: {', '.join(KINDS)}"))
    if type(body.get("opened_at")) is not int:
        problems.append(FieldProblem("#/opened_at", "must be a time in UTC milliseconds"))
    note = check_note(body.get("note", ""))
    return [*problems, *([FieldProblem("#/note", note)] if note else [])]
