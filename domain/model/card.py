"""The model card: what a person should know before trusting a version, as typed data.

It is written once, beside the version's bundle, as ``card.json``. A card that can't be decoded
counts as a missing one for every reader: no model is served, kept or compared by its card alone.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from domain import typed_json
from domain.contract.objective import F1, Objective
from domain.drift.disclosure import (
    SMALLEST_GROUP,
    choose_suppressed_by_all,
    round_significant,
)
from domain.model.curves import Curves
from domain.model.erased_rows import ErasedRows
from domain.model.gate.evidence import Role, Rule
from domain.model.left_out import LeftOut
from domain.model.missing_effect import MissingEffect
from domain.model.production import Production
from domain.model.replay import Replay
from domain.model.typical import TypicalValue
from domain.typed_json import Json

Bounds = tuple[float, float]
"""Lower and upper bound of a 95 % confidence interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFigures:
    """Quality on the test rows of one segment.

    A figure is None where it is undefined or would describe fewer than eleven rows, and a count
    where it would reveal so few. Recall is the true positive rate, and the calibration error is the
    relative one. Cards of earlier trainings lack the last three figures.
    """

    segment: str
    rows: int | None
    positives: int | None
    f1: float | None
    f1_interval: Bounds | None
    precision: float | None
    precision_interval: Bounds | None
    recall: float | None
    recall_interval: Bounds | None
    selection_rate: float | None = None
    selection_rate_interval: Bounds | None = None
    false_positive_rate: float | None = None
    false_positive_rate_interval: Bounds | None = None
    calibration_error: float | None = None
    calibration_error_interval: Bounds | None = None


FIGURES = (
    "f1",
    "precision",
    "recall",
    "selection_rate",
    "false_positive_rate",
    "calibration_error",
)
_GROUP = re.compile(r"(?P<column>.+?)(=.*| under \S+| \S+ to under \S+| \S+ and over)")


def suppress_small_segments(
    segments: Iterable[SegmentFigures], *, rows: int
) -> tuple[SegmentFigures, ...]:
    """Suppress what would describe fewer than eleven of the test rows, and round the figures.

    `rows`: of the whole test set, because what is left over after all segments of one column, the
    rows without a valid value, is a group, too. Segments that are suppressed already stay so.
    """
    segments = tuple(segments)
    columns: dict[str, list[SegmentFigures]] = {}
    for segment in segments:
        columns.setdefault(_name_column(segment.segment), []).append(segment)
    suppressed = {name for groups in columns.values() for name in _find_small(groups, rows)}
    return tuple(_suppress(each, hide_counts=each.segment in suppressed) for each in segments)


def _name_column(segment: str) -> str:
    """The column that defines a segment: gender of ``gender=Female``, age of ``age under 30``."""
    found = _GROUP.fullmatch(segment)
    return found["column"] if found else segment


def _count(segment: SegmentFigures) -> tuple[int, ...]:
    """The rows, the positive and the negative ones, and those that are called either."""
    rows, positives = segment.rows or 0, segment.positives or 0
    called = round((segment.selection_rate or 0) * rows)
    return rows, positives, rows - positives, called, rows - called


def _find_small(segments: Iterable[SegmentFigures], rows: int) -> frozenset[str | None]:
    counts = {each.segment: _count(each) for each in segments if each.rows is not None}
    rest = rows - sum(count[0] for count in counts.values())
    wholes = [
        {
            None: max(rest, 0) if place == 0 else 0,
            **{n: count[place] for n, count in counts.items()},
        }
        for place in range(5)
    ]
    return choose_suppressed_by_all(wholes, last={None})


def _suppress(segment: SegmentFigures, *, hide_counts: bool) -> SegmentFigures:
    small = any(0 < count < SMALLEST_GROUP for count in _count(segment))
    changes: dict[str, Json] = {"rows": None, "positives": None} if hide_counts else {}
    for name in FIGURES:
        value, bounds = getattr(segment, name), getattr(segment, f"{name}_interval")
        shown = value is not None and not small
        changes[name] = round_significant(value) if shown else None
        changes[f"{name}_interval"] = (
            [*map(round_significant, bounds)] if shown and bounds else None
        )
    return typed_json.decode(SegmentFigures, typed_json.encode(segment) | changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardVerdict:
    """The gate's verdict on the version; `champion_version` is the champion of that time."""

    promote: bool
    rule: Rule
    reasons: tuple[str, ...]
    champion_version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The part of a card that the evaluation on the test rows fills."""

    metrics: Mapping[str, float]
    intervals: Mapping[str, Bounds]
    segments: tuple[SegmentFigures, ...]
    verdict: CardVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentFigures:
    """What the newest labelled production rows said; predicted in ``[start, end)`` (UTC ms).

    `role`: what they may do in the verdict. `effective_rows`: as many rows of equal weight are as
    informative. `metrics` and `intervals`: the challenger's; `gain`: in the contract's metric over
    the champion's own logged answers, None where there are none. `detectable_gain`: what these rows
    prove in 80 of 100 cases.
    """

    role: Role
    start: int
    end: int
    labels: int
    positives: int
    effective_rows: float
    metrics: Mapping[str, float]
    intervals: Mapping[str, Bounds]
    gain: float | None = None
    gain_interval: Bounds | None = None
    detectable_gain: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard(Quality):
    """One version's card.

    `registered_at` in UTC milliseconds. `rows`: by side of the split. `prevalence`: share of
    positives among the training rows. `trees`: their number. `threshold`: a probability from it
    on is a positive answer. `objective`: what the threshold was chosen by. `code_version`: of the
    training's sources; empty for a version that is older than this field.
    `erased`: what erasures have taken from its reference since.

    `test_rows_id` names the uploaded test rows. `production`: the production rows of the dataset,
    `recent`: what the newest of them said, `replay`: what changes for logged requests; each is None
    where there was none. `typical`: values for examples and forms. `effective_test_rows`: so many
    rows of equal weight are as informative as the test rows; None where each counts once.
    `curves`: what the plots are drawn from; None for a version that is older than this field.
    """

    version: str
    registered_at: int
    execution: str
    mlflow_run_id: str
    dataset_id: str
    contract_version: str
    target: str
    threshold: float
    objective: Objective = F1
    trees: int
    params: Mapping[str, float]
    rows: Mapping[str, int]
    prevalence: float
    left_out: LeftOut
    missing: tuple[MissingEffect, ...]
    reference_rows: int
    code_version: str = ""
    erased: tuple[ErasedRows, ...] = ()
    test_rows_id: str = ""
    production: Production | None = None
    recent: RecentFigures | None = None
    replay: Replay | None = None
    typical: tuple[TypicalValue, ...] = ()
    effective_test_rows: float | None = None
    curves: Curves | None = None

    @property
    def recent_role(self) -> Role:
        """What production rows were allowed to do in the verdict."""
        return self.recent.role if self.recent else "none"

    def to_dict(self) -> dict[str, Json]:
        """Plain JSON values, as GET /model answers with them."""
        return typed_json.encode(self)

    def to_json(self) -> bytes:
        """The content of ``card.json``."""
        return typed_json.to_json(self)

    @classmethod
    def from_json(cls, data: bytes) -> "ModelCard":
        """The inverse of `to_json`; raises BadRecord.

        Cards that were written before small segments were suppressed are read as if they had been.
        """
        card = typed_json.from_json(cls, data)
        segments = suppress_small_segments(card.segments, rows=card.rows.get("test", 0))
        return replace(card, segments=segments)
