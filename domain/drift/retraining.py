"""The retraining rule: whether detected drift starts another training.

Training again helps only if there is data that no successful training has seen. The rule therefore
requires new data, no training in progress, and a pause since the last one. Whether the new model
then serves is decided by the gate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The state of training and data. Times are UTC milliseconds, None if it never happened.

    `last_training_at`: when the last training started, however it ended. `seen_until`: when the
    last successful training started; it saw all data uploaded by then.
    """

    is_training: bool
    last_training_at: int | None
    seen_until: int | None
    newest_data_at: int | None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to start a training, and a sentence that says why."""

    start: bool
    reason: str


STARTED = Decision(True, "Drift was found, and there is data that no training has seen.")


def decide(drift: DetectedDrift, situation: Situation, *, now: int, cool_down_ms: int) -> Decision:
    """Apply the rule; `now` in UTC milliseconds."""
    last, seen = situation.last_training_at, situation.seen_until
    newest = situation.newest_data_at
    if drift.transition not in WORSE:
        return Decision(
            False, "Only a scheduled run that opens or escalates an incident starts a training."
        )
    if situation.is_training:
        return Decision(False, "A training is already running.")
    if newest is None:
        return Decision(False, "There is no training data; upload some first.")
    if seen is not None and newest <= seen:
        return Decision(
            False,
            "There is no data newer than the last successful training: upload recent labelled data "
            "first.",
        )
    if last is not None and now - last < cool_down_ms:
        hours = cool_down_ms / HOUR_MS
        return Decision(False, f"The last training started less than {hours:g} hours ago.")
    return STARTED
