"""The retraining rule: whether detected drift starts another training, and why.

Training again helps only if there is data that no successful training has seen. The rule therefore
requires new data, no training in progress, and a pause since the last one. Whether the new model
then serves is decided by the gate.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from domain import typed_json
from domain.drift.incident import Transition
from domain.errors import BadRecord
from domain.times import HOUR_MS

WORSE = (Transition.OPEN, Transition.ESCALATE)
INSTEAD = ("rollback", "promote_version", "repair", "check", "score")
"""Fields of an execution's input that request something other than a training."""


def is_training_input(document: object) -> bool:
    """Whether the state machine treats an execution with this input as a training."""
    if not isinstance(document, Mapping):
        return True
    return all(document.get(name, False) is False for name in INSTEAD)


@dataclass(frozen=True, slots=True)
class DetectedDrift:
    """A `DriftDetected` event: the incident's transition, and the runs that caused it."""

    transition: Transition
    run_ids: tuple[str, ...]

    @classmethod
    def from_detail(cls, detail: Mapping[str, Any]) -> Self:
        """Decode an event's detail; raises BadRecord."""
        try:
            run_ids = tuple(str(run["run_id"]) for run in detail["runs"])
            return cls(Transition(detail["transition"]), run_ids)
        except (KeyError, TypeError, ValueError):
            raise BadRecord("This is not the detail of a DriftDetected event.") from None

    @property
    def id(self) -> str:
        """16 hexadecimal digits that name this detection, however often its event arrives."""
        return _digest(self.transition, *sorted(self.run_ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The state of training and data. Times are UTC milliseconds, None if it never happened.

    `last_training`: name of the execution that trained last. `last_training_at`: when it started,
    however it ended. `seen_until`: when the last successful training started; it saw all data
    uploaded by then.
    """

    last_training: str
    is_training: bool
    last_training_at: int | None
    seen_until: int | None
    newest_data_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the guard did about a detection, and a sentence that says why.

    `execution`: name of the training to start, or None. `decided_at` in UTC milliseconds.
    """

    reason: str
    execution: str | None
    transition: Transition
    run_ids: tuple[str, ...]
    decided_at: int

    @property
    def start(self) -> bool:
        """Whether a training is started."""
        return self.execution is not None

    def to_json(self) -> bytes:
        """The stored document."""
        return typed_json.to_json(self)

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The inverse of `to_json`; raises BadRecord."""
        return typed_json.from_json(cls, data)


START = "Drift was found, and there is data that no training has seen."


def decide(drift: DetectedDrift, situation: Situation, *, now: int, cool_down_ms: int) -> Decision:
    """Apply the rule; `now` in UTC milliseconds."""
    refusal = _find_refusal(drift, situation, now=now, cool_down_ms=cool_down_ms)
    return Decision(
        reason=refusal or START,
        execution=None if refusal else name_next_training(situation),
        transition=drift.transition,
        run_ids=drift.run_ids,
        decided_at=now,
    )


def name_next_training(situation: Situation) -> str:
    """Name of the execution that may follow the last training.

    Step Functions starts one execution of a name. Detections that are decided at the same time see
    the same last training, so they ask for the same name, and one training starts.
    """
    return f"drift-{_digest(situation.last_training)}"


def _find_refusal(
    drift: DetectedDrift, situation: Situation, *, now: int, cool_down_ms: int
) -> str | None:
    """The first rule that forbids a training, as a sentence."""
    last, seen = situation.last_training_at, situation.seen_until
    newest = situation.newest_data_at
    if drift.transition not in WORSE:
        return "Only a scheduled run that opens or escalates an incident starts a training."
    if situation.is_training:
        return "A training is already running."
    if newest is None:
        return "There is no training data; upload some first."
    if seen is not None and newest <= seen:
        return (
            "There is no data newer than the last successful training: upload recent labelled data "
            "first."
        )
    if last is not None and now - last < cool_down_ms:
        return f"The last training started less than {cool_down_ms / HOUR_MS:g} hours ago."
    return None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
