"""What the dashboard's routes answer: each field is a name in the JSON that the page reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from domain.drift.acknowledgement import Acknowledgement, Kind
from domain.drift.drift import Outcome
from domain.drift.incident import Incident
from domain.drift.retraining import Decision
from domain.drift.run_index import IndexEntry
from domain.interval import Interval
from domain.model.card import ModelCard
from domain.model.champion import Action, Champion, LedgerEntry
from domain.typed_json import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineRun:
    """One bar of the timeline; `drifted` counts columns, `end` is in UTC milliseconds."""

    run_id: str
    end: int
    outcome: Outcome
    rows: int
    drifted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """GET /monitoring/overview; `timeline` has the oldest run first, `latest` the newest.

    `acknowledgement`: who knows of the incident. `opened_by`: the run that opened it, if the list
    of runs still has it. `retraining`: what the retrain guard decided last. `overdue`: a sentence
    for each job whose run is missing.
    """

    champion: Champion | None
    card: ModelCard | None
    incident: Incident | None
    acknowledgement: Acknowledgement | None
    opened_by: str | None
    retraining: Decision | None
    problems: tuple[str, ...]
    overdue: tuple[str, ...]
    runs_total: int
    timeline: tuple[TimelineRun, ...]
    latest: tuple[IndexEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownIncident:
    """An incident; open without `closed_at`. Times are UTC milliseconds: ends of windows.

    `drifted`: columns, or the model versions that perform worse for the look-back over weeks.
    """

    kind: Kind
    opened_at: int
    closed_at: int | None
    outcome: Outcome
    drifted: tuple[str, ...]
    acknowledgement: Acknowledgement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentList:
    """GET /monitoring/incidents: open ones first, then past ones; the guard's latest decisions."""

    incidents: tuple[ShownIncident, ...]
    decisions: tuple[Decision, ...]
    acknowledge_command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPoint:
    """A column's figures in one run; None where they would describe fewer than eleven rows."""

    column: str
    title: str
    unit: str
    missing: float | None
    mean: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendPoint:
    """One run over predictions; `end` of its window in UTC milliseconds.

    `coverage`: the share of its sample that has a label. `f1`: measured by them. `expected_f1`: if
    only the inputs have changed.
    """

    run_id: str
    end: int
    version: str
    coverage: float | None
    f1: Interval | None
    expected_f1: float | None
    columns: tuple[ColumnPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionMarker:
    """A change of what serves, in UTC milliseconds."""

    promoted_at: int
    version: str
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """GET /monitoring/trends, the oldest run first.

    `latest_segments`: the latest run that measured segments by labels.
    """

    points: tuple[TrendPoint, ...]
    promotions: tuple[PromotionMarker, ...]
    latest_segments: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunList:
    """GET /monitoring/runs; `next` is the cursor of the next page."""

    runs: tuple[IndexEntry, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectPoint:
    """A column's distance from the reference in one run, and whether any test found drift."""

    run_id: str
    effect: float
    drifted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails:
    """GET /monitoring/runs/{run_id}.

    `summary`: as `domain.drift.summary.Summary` encodes itself. `rows`: distinct predictions of
    its window. `links`: report → path. `history`: column → its points, the oldest run first.
    `importance`: feature → its share of what the version's answers rest on, by mean absolute SHAP
    value; empty where the model card does not say.
    """

    summary: Mapping[str, Json]
    rows: int
    links: Mapping[str, str]
    history: Mapping[str, tuple[EffectPoint, ...]]
    importance: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingModel:
    """A version that waits for an operator's approval until then (UTC milliseconds)."""

    version: str
    expires_at: int
    approve_command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelList:
    """GET /models; `ledger` has the newest entry first."""

    champion: Champion | None
    ledger: tuple[LedgerEntry, ...]
    entries_total: int
    versions: tuple[str, ...]
    waiting: tuple[WaitingModel, ...]
    rollback_command: str
    train_command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownExecution:
    """A training, a scoring or another execution; times in UTC milliseconds.

    `version`: the model that it made, scored with or promoted. `promoted`: the verdict on it, None
    where none was reached. `sentences`: reasons, figures, or why it failed and what to do.
    """

    name: str
    kind: str
    status: str
    started_at: int
    ended_at: int | None
    started_by: str | None
    version: str | None
    promoted: bool | None
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionList:
    """GET /executions: the latest `limit`, the newest first; AWS keeps ended ones for 90 days."""

    executions: tuple[ShownExecution, ...]
    limit: int
    waiting: tuple[WaitingModel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """Predictions of one UTC day, and how many of them are positive."""

    day: str
    predictions: int
    positives: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """GET /monitoring/traffic, the earliest day first."""

    days: tuple[DayCount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedPrediction:
    """One record of the log; None where an old record lacks a column that was added later."""

    prediction_id: str | None
    predicted_at: int | None
    model_version: str | None
    probability: float | None
    threshold: float | None
    predicted: bool | None
    source: str | None
    reference: str | None


LatestPredictions = TypedDict(
    "LatestPredictions", {"from": str, "limit": int, "predictions": list[dict[str, Json]]}
)
"""GET /predictions: encoded `LoggedPrediction`s, the newest first. `from` is a word of Python, so
no dataclass can have it as a field.
"""
