"""A single prediction as the group *inspect* sees it, and the record of who looked at it."""

from dataclasses import dataclass
from typing import Self

from domain import typed_json
from domain.api.dashboard_routes import Route
from domain.contract.context import ContextKind
from domain.contract.feature import Value
from domain.contract.records import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedValue:
    """A logged value. `unit` may be empty; `value` is null where it was not known.

    `kind`: as the contract has it; ``text`` where no contract says more.

    `points`: percentage points that it added to the probability, or took from it; null for what the
    model doesn't score.
    """

    name: str
    title: str
    kind: ContextKind
    unit: str
    value: Value
    points: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedPrediction:
    """GET /people/predictions/{id}; times are UTC milliseconds.

    `target`: what the model predicts; `baseline`: the probability when nothing is known, from which
    the points of all features lead to the prediction's. Where the version's bundle can't explain
    the record, both are null and `problem` says why. `label`: what turned out to be true, if it is
    known.
    """

    prediction_id: str
    predicted_at: int
    model_version: str
    contract_version: str
    target: str | None
    probability: float
    threshold: float
    predicted: bool
    source: Source
    reference: str | None
    features: tuple[LoggedValue, ...]
    context: tuple[LoggedValue, ...]
    baseline: float | None
    problem: str
    label: bool | None
    label_observed_at: int | None


ROUTES = (
    Route(
        method="get",
        path="/people/predictions/{id}",
        name="inspect_prediction",
        tag="predictions",
        answer=InspectedPrediction,
        summary="A prediction with its features and its explanation; the view is recorded.",
        problems=("401", "403", "404", "410", "429", "503"),
        path_fields={"id": {"type": "string", "format": "uuid"}},
        needs="inspect",
    ),
)
"""The routes of the inspection function, where a stage has a login."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionView:
    """That somebody looked at a prediction: an immutable record, written before the answer.

    `viewer`: the mail address of whoever signed in. `viewed_at`: UTC milliseconds. `prediction`:
    the id, whose place an erasure fills with the word erased; `prediction_sha256`: its hash, by
    which the record can be found even then. No field is called prediction_id, because an erasure
    takes a record with such a field away as a whole.
    """

    viewer: str
    viewed_at: int
    prediction: str
    prediction_sha256: str
    model_version: str

    def to_json(self) -> bytes:
        """The object's content."""
        return typed_json.to_json(self)

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The inverse of `to_json`; raises BadRecord."""
        return typed_json.from_json(cls, data)
