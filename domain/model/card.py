"""The model card: what a person should know before trusting a version, as typed data.

It is written once, beside the version's bundle, as ``card.json``. A card that can't be decoded
counts as a missing one for every reader: no model is served, kept or compared by its card alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from domain import typed_json
from domain.contract.objective import F1, Objective
from domain.model.gate import Rule
from domain.model.left_out import LeftOut
from domain.model.missing_effect import MissingEffect
from domain.typed_json import Json

Bounds = tuple[float, float]
"""Lower and upper bound of a 95 % confidence interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFigures:
    """Quality on the test rows of one segment; a figure that is undefined there is None.

    Cards of earlier trainings lack the last three figures. Recall is the true positive rate.
    """

    segment: str
    rows: int
    positives: int
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
class ModelCard(Quality):
    """One version's card.

    `registered_at` in UTC milliseconds. `rows`: by side of the split. `prevalence`: share of
    positives among the training rows. `trees`: their number. `threshold`: a probability from it
    on is a positive answer. `objective`: what the threshold was chosen by. `code_version`: of the
    training's sources; empty for a version that is older than this field.
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

    def to_dict(self) -> dict[str, Json]:
        """Plain JSON values, as GET /model answers with them."""
        return typed_json.encode(self)

    def to_json(self) -> bytes:
        """The content of ``card.json``."""
        return typed_json.to_json(self)

    @classmethod
    def from_json(cls, data: bytes) -> "ModelCard":
        """The inverse of `to_json`; raises BadRecord."""
        return typed_json.from_json(cls, data)
