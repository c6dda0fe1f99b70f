"""The retraining rule: whether drift shall start one more training.

Training again helps only where there is data that no training has seen to its end, so the rule
asks for that, for an end of the running training, and for a pause between two tries. Whether the
new model then serves is the gate's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from domain.drift.incident import Transition
from domain.errors import BadRecord
from domain.times import HOUR_MS

WORSE = (Transition.OPEN, Transition.ESCALATE)
INSTEAD = ("rollback", "promote_version", "check", "score")
"""Fields of an execution's input that ask for something else than a training."""


def trains(document: object) -> bool:
    """Whether an execution of that input is a training, as its state machine sees it."""
    if not isinstance(document, Mapping):
        return True
    return all(document.get(name, False) is False for name in INSTEAD)


@dataclass(frozen=True, slots=True)
class DetectedDrift:
    """What a `DriftDetected` event says: the incident's transition, and the runs behind it."""

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
    """Where the training stands. Times in UTC milliseconds; None: there never was one.

    `last_training_at`: when the last one started, however it ended. `seen_until`: when the last
    one started that succeeded; it has seen all data that was there by then.
    """

    is_training: bool
    last_training_at: int | None
    seen_until: int | None
    newest_data_at: int | None


@dataclass(frozen=True, slots=True)
class Decision:
    """Start a training or not, and why, as a sentence."""

    start: bool
    reason: str


STARTED = Decision(True, "Drift was found, and there is data that no training has seen.")


def decide(drift: DetectedDrift, situation: Situation, *, now: int, cool_down_ms: int) -> Decision:
    """Apply the rule; `now` in UTC milliseconds."""
    last, seen = situation.last_training_at, situation.seen_until
    newest = situation.newest_data_at
    if drift.transition not in WORSE:
        return Decision(False, "Only a scheduled run that finds something new starts a training.")
    if situation.is_training:
        return Decision(False, "A training is running already.")
    if newest is None:
        return Decision(False, "There is no training data; upload some first.")
    if seen is not None and newest <= seen:
        return Decision(
            False,
            "There is no data newer than the last training that succeeded: upload recent labelled "
            "data first.",
        )
    if last is not None and now - last < cool_down_ms:
        hours = cool_down_ms / HOUR_MS
        return Decision(False, f"The last training started less than {hours:g} hours ago.")
    return STARTED
