"""Drift runs for people: the overview, pages of the index, one run with its columns' history."""

from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from adapters.rest import Problem
from adapters.s3 import Bucket
from domain import keys
from domain.champion import Champion
from domain.errors import BadKey
from domain.incident import AlertState
from domain.run_index import IndexEntry, RunIndex
from lambdas.dashboard.report import SecretCache
from lambdas.dashboard.stored import document, documents

PAGE = 50
LATEST = 8
HISTORY = 20
"""How many runs of a version a column's sparkline shows."""


@dataclass(frozen=True, slots=True)
class Runs:
    """What the buckets of reports and models say about drift."""

    reports: Bucket
    models: Bucket
    secrets: SecretCache

    def overview(self) -> dict[str, Any]:
        """Champion and card, the open incident, the timeline (oldest first), the latest runs."""
        index = self._index()
        pointer = self.models.get(keys.CHAMPION)
        champion = Champion.from_json(pointer.data) if pointer else None
        alerts = self.reports.get(keys.ALERT_STATE)
        incident = AlertState.from_json(alerts.data).incident if alerts else None
        return {
            "champion": asdict(champion) if champion else None,
            "card": document(self.models, keys.card(champion.version)) if champion else None,
            "incident": asdict(incident) if incident and incident.is_open else None,
            "runs_total": len(index.entries),
            "timeline": [_moment(entry) for entry in reversed(index.entries)],
            "latest": [asdict(entry) for entry in index.entries[:LATEST]],
        }

    def page(self, cursor: str | None) -> dict[str, Any]:
        """PAGE runs after the one named by `cursor`; raises Problem for a cursor of no run."""
        entries = self._index().entries
        start = 0
        if cursor is not None:
            found = [i for i, entry in enumerate(entries) if entry.run_id == cursor]
            if not found:
                detail = "This cursor names no run; start again without one."
                raise Problem(HTTPStatus.BAD_REQUEST, "Bad cursor", detail)
            start = found[0] + 1
        shown = entries[start : start + PAGE]
        more = start + PAGE < len(entries)
        return {
            "runs": [asdict(entry) for entry in shown],
            "next": shown[-1].run_id if more else None,
        }

    def run(self, run_id: str) -> dict[str, Any]:
        """A run's summary, the links to its reports, its columns' history; Problem (404)."""
        try:
            summary = document(self.reports, keys.summary(keys.RunId.parse(run_id)))
        except BadKey as error:
            raise Problem(HTTPStatus.NOT_FOUND, "Not found", str(error)) from None
        if summary is None:
            detail = "There is no such run; GET /monitoring/runs lists them."
            raise Problem(HTTPStatus.NOT_FOUND, "Not found", detail)
        links = {
            name: f"/reports/{run_id}/{name}?t={self.secrets.sign(run_id, name)}"
            for name in summary["reports"]
        }
        return {"summary": summary, "links": links, "history": self._history(summary)}

    def _history(self, summary: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
        """Column → its strongest effect in the runs of this version up to this one."""
        version, end = summary["version"], summary["end"]
        before = [
            entry.run_id
            for entry in self._index().entries
            if entry.version == version and entry.end <= end and entry.run_id != summary["run_id"]
        ]
        names = reversed(before[: HISTORY - 1])
        found = documents(self.reports, [keys.summary(keys.RunId.parse(name)) for name in names])
        history: dict[str, list[dict[str, Any]]] = {}
        for run in (*filter(None, found), summary):
            for column in _compared(run):
                tests = column["tests"]
                if tests:
                    point = {
                        "run_id": run["run_id"],
                        "effect": max(test["effect"] for test in tests),
                        "drifted": any(test["drifted"] for test in tests),
                    }
                    history.setdefault(column["column"], []).append(point)
        return history

    def _index(self) -> RunIndex:
        stored = self.reports.get(keys.RUN_INDEX)
        return RunIndex.from_json(stored.data) if stored else RunIndex()


def _compared(summary: dict[str, Any]) -> list[dict[str, Any]]:
    single = (summary.get(name) for name in ("prediction", "target"))  # the target needs labels
    return [*summary["columns"], *filter(None, single)]


def _moment(entry: IndexEntry) -> dict[str, Any]:
    return {
        "run_id": entry.run_id,
        "end": entry.end,
        "outcome": entry.outcome,
        "rows": entry.rows,
        "drifted": len(entry.drifted),
    }
