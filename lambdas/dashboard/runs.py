"""Drift runs for the dashboard: the overview, the list of runs, one run with its history."""

import json
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from adapters.acknowledgements import Acknowledgements
from adapters.api.rest import Problem
from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys
from domain.api.answers import EffectPoint, Overview, RunDetails, RunList, TimelineRun
from domain.drift.acknowledgement import Acknowledgement
from domain.drift.alert_state import AlertState
from domain.drift.incident import Incident
from domain.drift.retraining import Decision
from domain.drift.run_index import IndexEntry, RunIndex
from domain.drift.summary import Summary
from domain.errors import BadKey, BadRecord
from lambdas.dashboard.report import SecretCache, say_expired
from lambdas.dashboard.schedules import DriftSchedules
from lambdas.dashboard.stored import decode_newest, objects

PAGE = 50
LATEST = 8
HISTORY = 20
"""How many of a version's runs a column's line shows."""

UNKNOWN_INCIDENT = (
    "The alert state can't be decoded, so it is unknown whether an incident is open. The next "
    "scheduled drift run writes a new one."
)


@dataclass(frozen=True, slots=True)
class Runs:
    """The reports and models buckets, the secret that signs links, and when runs are due.

    `kept_days`: after how many days a run expires; None: never.
    """

    reports: Bucket
    models: Bucket
    secrets: SecretCache
    schedules: DriftSchedules
    kept_days: int | None = None

    def overview(self, *, now: datetime) -> Overview:
        """Champion and card, the open incident, the timeline (oldest first), the latest runs."""
        index = self._read_index()
        store = ModelStore(self.models)
        champion = store.read_champion()
        card = store.read_card(champion.version) if champion else None
        incident, acknowledgement, problems = self._read_incident()
        since = champion.promoted_at if champion else None
        jobs = self.schedules.judge(index, exists_since=since, now=now)
        return Overview(
            champion=champion,
            card=card,
            incident=incident if incident.is_open else None,
            acknowledgement=acknowledgement,
            opened_by=_find_opening_run(index, incident),
            retraining=self._read_last_decision(),
            problems=problems,
            overdue=tuple(f"{job.name}: {job.says}" for job in jobs if job.state == "overdue"),
            runs_total=len(index.entries),
            timeline=tuple(_summarise(entry) for entry in reversed(index.entries)),
            latest=index.entries[:LATEST],
        )

    def _read_incident(self) -> tuple[Incident, Acknowledgement | None, tuple[str, ...]]:
        """The incident to show, who knows of it, and a sentence when the state is damaged."""
        try:
            state = self.reports.read(keys.ALERT_STATE, AlertState.from_json) or AlertState()
        except BadRecord:
            return Incident(), None, (UNKNOWN_INCIDENT,)
        shown = state.worst
        kind = next((kind for kind, incident in state.open_incidents if incident is shown), None)
        return shown, kind and Acknowledgements(self.reports).find(kind, shown), ()

    def _read_last_decision(self) -> Decision | None:
        """What the retrain guard decided last; a damaged decision shows nothing."""
        try:
            return decode_newest(self.reports, keys.RETRAINING, Decision.from_json)
        except BadRecord:
            return None

    def page(self, cursor: str | None) -> RunList:
        """PAGE runs after the one named by `cursor`; raises Problem for a cursor of no run."""
        entries = self._read_index().entries
        start = 0
        if cursor is not None:
            found = [i for i, entry in enumerate(entries) if entry.run_id == cursor]
            if not found:
                detail = "This cursor names no run; start again without one."
                raise Problem(HTTPStatus.BAD_REQUEST, "Bad cursor", detail)
            start = found[0] + 1
        shown = entries[start : start + PAGE]
        more = start + PAGE < len(entries)
        return RunList(runs=shown, next=shown[-1].run_id if more else None)

    def run(self, run_id: str) -> RunDetails:
        """A run's summary, the links to its reports, its columns' history.

        Raises Problem (404) without one, BadRecord for a damaged one.
        """
        try:
            stored = self.reports.get(keys.summary(keys.RunId.parse(run_id)))
        except BadKey as error:
            raise Problem(HTTPStatus.NOT_FOUND, "Not found", str(error)) from None
        if stored is None:
            detail = "There is no such run; GET /monitoring/runs lists them."
            if any(entry.run_id == run_id for entry in self._read_index().entries):
                detail = say_expired("run", self.kept_days)
            raise Problem(HTTPStatus.NOT_FOUND, "Not found", detail)
        summary = Summary.from_json(stored.data)
        links = {
            name: f"/reports/{run_id}/{name}?t={self.secrets.sign(run_id, name)}"
            for name in summary.reports
        }
        return RunDetails(
            summary=json.loads(summary.to_json()),  # an old summary gets the fields of today
            rows=summary.rows.distinct,
            links=links,
            history=self._collect_history(summary),
            importance=self._read_importance(summary.version),
        )

    def _read_importance(self, version: str | None) -> dict[str, float]:
        card = ModelStore(self.models).read_card(version) if version else None
        return card.curves.shares if card and card.curves else {}

    def _collect_history(self, summary: Summary) -> dict[str, tuple[EffectPoint, ...]]:
        """Collect each column's distance in the version's runs up to this one."""
        before = [
            keys.summary(keys.RunId.parse(entry.run_id))
            for entry in self._read_index().entries
            if entry.version == summary.version
            and entry.end <= summary.end
            and entry.run_id != summary.run_id
        ]
        found = objects(self.reports, reversed(before[: HISTORY - 1]))
        history: dict[str, tuple[EffectPoint, ...]] = {}
        for run in (*filter(None, map(_decode, found)), summary):
            for column in (*run.compared, *filter(None, (run.target,))):
                distance = column.distance
                if distance is not None:
                    point = EffectPoint(run_id=run.run_id, effect=distance, drifted=column.drifted)
                    history[column.column] = (*history.get(column.column, ()), point)
        return history

    def _read_index(self) -> RunIndex:
        return self.reports.read(keys.RUN_INDEX, RunIndex.from_json) or RunIndex()


def _decode(data: bytes | None) -> Summary | None:
    """Decode another run's summary; a damaged one only leaves a gap in the lines."""
    try:
        return Summary.from_json(data) if data else None
    except BadRecord:
        return None


def _find_opening_run(index: RunIndex, incident: Incident) -> str | None:
    """The most serious scheduled run of the window that opened the incident."""
    opening = [
        entry
        for entry in index.entries
        if entry.end == incident.opened_at and entry.scheduled and entry.outcome.is_drift
    ]
    worst = max(opening, key=lambda entry: entry.outcome.severity, default=None)
    return worst.run_id if worst else None


def _summarise(entry: IndexEntry) -> TimelineRun:
    return TimelineRun(
        run_id=entry.run_id,
        end=entry.end,
        outcome=entry.outcome,
        rows=entry.rows,
        drifted=len(entry.drifted),
    )
