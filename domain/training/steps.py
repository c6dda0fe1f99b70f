"""The results of the training's steps, as they hand them to the state machine and to later steps.

The state of an execution is ``{"input": ..., "prepare": ..., "tune": ..., "evaluate": ...}``.
Each result class knows its step's name, and so where in that state its fields lie
(`path`). Step functions, the state machine and `ops` take the names from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, Literal, Self, get_args

from domain import typed_json
from domain.model.actor import UNPROVEN, Caller
from domain.model.gate.evidence import Rule
from domain.typed_json import Json

StepName = Literal["prepare", "tune", "evaluate", "promote", "check", "score", "erase", "compact"]
STEP_NAMES: tuple[StepName, ...] = get_args(StepName)

Registry = Literal["done", "pending", "unknown_version", "untouched"]
"""Whether the registry's alias follows the champion pointer after a promotion.

``pending``: MLflow couldn't be reached. ``unknown_version``: the registry has another model under
that number, or none. ``untouched``: nothing was promoted.
"""


class StepResult:
    """Base of the results: each is a frozen dataclass with the name of its step."""

    step: ClassVar[StepName | Literal["approve"]]

    @classmethod
    def path(cls, field: str) -> str:
        """The JSONPath of a field in the execution's state; raises ValueError without the field."""
        if field not in {f.name for f in fields(cls)}:  # type: ignore[arg-type]  # subclasses are dataclasses
            raise ValueError(f"{cls.__name__} has no field {field}.")
        return f"$.{cls.step}.{field}"

    def to_dict(self) -> dict[str, Json]:
        """Plain JSON values."""
        return typed_json.encode(self)  # type: ignore[arg-type]  # subclasses are dataclasses

    @classmethod
    def from_dict(cls, document: object) -> Self:
        """The inverse of `to_dict`; raises BadRecord."""
        return typed_json.decode(cls, document)  # type: ignore[type-var]  # subclasses are dataclasses

    @classmethod
    def of(cls, state: Mapping[str, object]) -> Self | None:
        """The result in an execution's state; None when the step didn't run; raises BadRecord."""
        return cls.from_dict(state[cls.step]) if state.get(cls.step) is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared(StepResult):
    """A dataset. `rows`: by side of the split.

    `rows_repeated`: rows that were left out because their id and values came before. `left_out`:
    sentences about what of the raw files is missing in the dataset. `started_by`: who started the
    training (see `domain.model.actor`).
    """

    step = "prepare"

    dataset_id: str
    rows: Mapping[str, int]
    rows_read: int
    rows_quarantined: int
    rows_repeated: int
    left_out: tuple[str, ...]
    started_by: str = UNPROVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned(StepResult):
    """The best parameters of a search. `trials`: those that ended; `pruned`: stopped early.

    `run_id`: the execution's MLflow run. `timed_out`: whether trials are missing because the
    search's time was over.
    """

    step = "tune"

    trials: int
    pruned: int
    best_trial: int
    valid_log_loss: float
    params: Mapping[str, float]
    run_id: str
    timed_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated(StepResult):
    """A registered version and the gate's verdict.

    `metrics` and `f1_interval` (95 %): on the test rows. `champion_metric`: None unless the
    champion was scored on the same rows. `champion_etag`: of the pointer that the verdict compared
    with; a promotion replaces no other.
    """

    step = "evaluate"

    promote: bool
    rule: Rule
    reasons: tuple[str, ...]
    version: str
    sha256: str
    metrics: Mapping[str, float]
    f1_interval: tuple[float, float]
    champion_version: str | None = None
    champion_metric: float | None = None
    champion_etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval(StepResult):
    """What an operator answered to the state that waits before a promotion.

    `reason`: a sentence, which a rejection has. `caller`: who answered, with a proof.
    """

    step = "approve"

    approved: bool
    reason: str = ""
    caller: Caller | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted(StepResult):
    """Whether `version` became the champion, and why.

    Where the gate keeps the champion, the state machine itself writes `promoted`, `version` and
    `reasons`; the other fields have their defaults. `seq`: of the champion pointer, 0 when there
    is none.
    """

    step = "promote"

    promoted: bool
    version: str
    reasons: tuple[str, ...]
    seq: int = 0
    champion_version: str | None = None
    registry: Registry = "untouched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked(StepResult):
    """The problems found between champion pointer, bundles, ledger and registry."""

    step = "check"

    consistent: bool
    problems: tuple[str, ...]
    checked_at: int
    version: str | None
    seq: int


@dataclass(frozen=True, slots=True)
class RefusedRows:
    """Why rows of a file were refused, and how many."""

    reason: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored(StepResult):
    """Scored files. `rows` counts refused ones too; `output`: the folder with the scores."""

    step = "score"

    model_version: str
    threshold: float
    output: str
    logged: bool
    rows: int
    refused: int
    positives: int
    top_reasons: tuple[RefusedRows, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased(StepResult):
    """A finished erasure; its certificate has every object.

    `rows` were taken from `objects` objects. `versions`: how many were deleted as a whole, most of
    them old ones. `unfinished`: objects that may still hold a row.
    """

    step = "erase"

    erasure: str
    dry_run: bool
    subjects: int
    predictions: int
    rows: int
    objects: int
    versions: int
    unfinished: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted(StepResult):
    """Small objects of the logs that were merged, and copies of their rows that were deleted.

    `merged` small objects became `objects`, with `rows` (0 in a dry run, which reads none).
    `deleted`: small objects that were merged by an earlier execution. `withdrawn`: merged objects
    that were deleted, because an object that they were made of has changed. `left`: objects that
    can't be read, or whose sources can't be deleted yet, with `reasons` for the first of them.
    """

    step = "compact"

    dry_run: bool
    merged: int = 0
    objects: int = 0
    rows: int = 0
    deleted: int = 0
    withdrawn: int = 0
    left: int = 0
    reasons: tuple[str, ...] = ()


RESULTS = (Prepared, Tuned, Evaluated, Promoted, Checked, Scored, Erased, Compacted)
