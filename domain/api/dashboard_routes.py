"""The dashboard's routes as data, for the gateway and for the OpenAPI document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from domain import keys
from domain.api.answers import (
    ExecutionList,
    IncidentList,
    LatestPredictions,
    ModelList,
    Overview,
    RunDetails,
    RunList,
    Traffic,
    Trends,
)
from domain.api.monitor_health import MonitorHealth
from domain.api.people import Permission
from domain.api.schemas import Schema
from domain.drift.acknowledgement import KINDS, LONGEST_NOTE, PRINTABLE, Acknowledgement
from domain.drift.drift_request import RequestRecord
from domain.drift.window import MAXIMUM_ROWS
from domain.model.card import ModelCard

TEXT: Schema = {"type": "string"}
DAY: Schema = {"type": "string", "format": "date"}
TIME: Schema = {"type": "string", "description": "ISO 8601; UTC when no offset is given."}
VERSION: Schema = {"type": "string", "pattern": "^[1-9][0-9]{0,8}-[0-9a-f]{8}$"}
WINDOW: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "day": DAY,
        "start": TIME,
        "end": TIME,
        "last_rows": {"type": "integer", "minimum": 1, "maximum": MAXIMUM_ROWS},
        "mail": {"type": "boolean", "description": "Whether to send a mail if drift is found."},
    },
    "oneOf": [{"required": ["day"]}, {"required": ["start", "end"]}, {"required": ["last_rows"]}],
}


Tag = Literal["predictions", "models", "monitoring", "service"]
TAGS: Mapping[Tag, str] = {
    "predictions": "Scores, labels, and what was logged.",
    "models": "The champion, and every version.",
    "monitoring": "Drift runs, reports and the open incident.",
    "service": "The dashboard, this document, and whether a model serves.",
}
"""The groups of operations in their order, each with a sentence."""

ACKNOWLEDGEMENT: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["kind", "opened_at"],
    "properties": {
        "kind": {"enum": list(KINDS)},
        "opened_at": {"type": "integer", "description": "Of the incident, UTC milliseconds."},
        "note": {"type": "string", "maxLength": LONGEST_NOTE, "pattern": PRINTABLE},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation.

    `tag`: the group that documentation shows it in. `path_fields`, `query_fields`: the schema of
    each field by its name. `problems`: the statuses of its errors. `answer`: what it answers as
    JSON. A route that redirects answers with a `Location` instead of content. `keyless`: anybody
    may call it. `needs`: what a caller who signed in must be allowed to do.
    """

    method: str
    path: str
    name: str
    summary: str
    tag: Tag = "monitoring"
    answer: type | None = None
    problems: tuple[str, ...] = ("403", "429", "503")
    path_fields: Mapping[str, Schema] = field(default_factory=dict)
    query_fields: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    keyless: bool = False
    needs: Permission = "read"
    status: str = "200"
    media_type: str = "application/json"

    @property
    def redirects(self) -> bool:
        """Whether it redirects."""
        return self.status.startswith("3")


_FOUND = ("403", "404", "429", "503")

ROUTES = (
    Route(
        method="get",
        path="/",
        name="dashboard",
        tag="service",
        summary="The dashboard, for a browser. It asks the user for the key.",
        problems=("429",),
        keyless=True,  # it contains no data; its scripts call the API with the key
        media_type="text/html",
    ),
    Route(
        method="get",
        path="/assets/{file}",
        name="asset",
        tag="service",
        summary="A file of the dashboard.",
        problems=("404", "429"),
        path_fields={"file": TEXT},
        keyless=True,
        media_type="*/*",
    ),
    Route(
        method="get",
        path="/reports/{run_id}/{report}",
        name="report",
        summary="A drift report, valid for a few minutes. The link with its token comes by mail.",
        problems=("404", "429", "503"),
        path_fields={"run_id": TEXT, "report": {"enum": list(keys.REPORTS)}},
        query_fields={"t": TEXT},
        keyless=True,  # a mail client has no key; the token in the link opens this one report
        status="302",
    ),
    Route(
        method="get",
        path="/monitoring/overview",
        name="overview",
        answer=Overview,
        summary="The champion, the open incident, a timeline and the latest drift runs.",
    ),
    Route(
        method="get",
        path="/monitoring/health",
        name="monitor_health",
        answer=MonitorHealth,
        summary="Whether the monitor itself works: schedules, notifications, fallbacks.",
    ),
    Route(
        method="get",
        path="/monitoring/trends",
        name="trends",
        answer=Trends,
        summary="Performance, label coverage and columns of the latest 90 runs, with promotions.",
    ),
    Route(
        method="get",
        path="/monitoring/incidents",
        name="incidents",
        answer=IncidentList,
        summary="Open and past incidents, who knows of them, and the retrain guard's decisions.",
    ),
    Route(
        method="post",
        path="/monitoring/acknowledgements",
        name="acknowledge",
        answer=Acknowledgement,
        summary="Say that somebody knows of an open incident. The first record of one stays.",
        problems=("400", "403", "404", "413", "415", "429", "503"),
        body=ACKNOWLEDGEMENT,
        needs="operate",
    ),
    Route(
        method="get",
        path="/monitoring/traffic",
        name="traffic",
        answer=Traffic,
        summary="Predictions, and positive predictions, on each of the last 30 UTC days.",
    ),
    Route(
        method="get",
        path="/monitoring/runs",
        name="runs",
        answer=RunList,
        summary="Drift runs, newest window first. `next` is the cursor of the next page.",
        problems=("400", "403", "429", "503"),
        query_fields={"cursor": TEXT},
    ),
    Route(
        method="post",
        path="/monitoring/runs",
        name="run_now",
        answer=RequestRecord,
        summary="Start a drift run now. `follow` is the path of its status.",
        problems=("400", "403", "413", "415", "429", "503"),
        body=WINDOW,
        needs="operate",
        status="202",
    ),
    Route(
        method="get",
        path="/monitoring/runs/{run_id}",
        name="run",
        answer=RunDetails,
        summary="A run's summary, links to its reports, and recent effect sizes of its columns.",
        problems=_FOUND,
        path_fields={"run_id": TEXT},
    ),
    Route(
        method="get",
        path="/monitoring/requests/{id}",
        name="request",
        answer=RequestRecord,
        summary="A requested run: its status and, once it is done, its run_ids.",
        problems=_FOUND,
        path_fields={"id": {"type": "string", "format": "uuid"}},
    ),
    Route(
        method="get",
        path="/predictions",
        name="predictions",
        tag="predictions",
        answer=LatestPredictions,
        summary="The latest records of the log, without features.",
        problems=("400", "403", "429", "503"),
        query_fields={"day": DAY, "version": VERSION},
    ),
    Route(
        method="get",
        path="/executions",
        name="executions",
        tag="models",
        answer=ExecutionList,
        summary="The latest trainings, scorings and rollbacks with their verdicts.",
    ),
    Route(
        method="get",
        path="/models",
        name="models",
        tag="models",
        answer=ModelList,
        summary="The champion, the ledger of promotions and rollbacks, every version.",
    ),
    Route(
        method="get",
        path="/models/{version}",
        name="card",
        tag="models",
        answer=ModelCard,
        summary="A version's model card.",
        problems=_FOUND,
        path_fields={"version": VERSION},
    ),
)
