"""The retraining rule: whether detected drift starts another training, and why.

Training again helps only if there is data that no successful training has seen: an upload, or
labels that have matured since. The rule therefore requires new data, no training in progress, a
pause since the last one, which doubles each time that a training did not help, and at most so many
trainings in 30 days. Whether the new model then serves is decided by the gate.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from domain import typed_json
from domain.drift.incident import Transition
from domain.errors import BadRecord
from domain.mode import Mode
from domain.plural import write_count
from domain.times import DAY_MS, HOUR_MS, describe_hours

WORSE = (Transition.OPEN, Transition.ESCALATE)


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
    uploaded by then. `newest_label_at`: when the newest labels arrived of those that have matured
    since, and that it can't have seen. `unhelpful`: trainings in a row that did not help, because
    the champion stayed or probation found the new one worse. `asked`: trainings that the guard
    started or suggested in the last 30 days, and `last_asked_at` the last of these.
    """

    last_training: str
    is_training: bool
    last_training_at: int | None
    seen_until: int | None
    newest_data_at: int | None
    newest_label_at: int | None = None
    unhelpful: int = 0
    asked: int = 0
    last_asked_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a stage lets the guard do. `monthly_limit`: trainings in 30 days."""

    mode: Mode
    cool_down_ms: int
    monthly_limit: int

    def pause(self, unhelpful: int) -> int:
        """The cool-down in milliseconds after so many trainings that did not help."""
        longest = max(self.cool_down_ms, LONGEST_PAUSE_MS)
        return min(self.cool_down_ms << min(unhelpful, 10), longest)


MONTH_MS = 30 * DAY_MS
LONGEST_PAUSE_MS = MONTH_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the guard did about a detection, and a sentence that says why.

    `execution`: name of the training to start, or None. `suggestion`: name that the training which
    is suggested would have; equal for detections that come at once. `decided_at` in UTC
    milliseconds.
    """

    reason: str
    execution: str | None
    suggestion: str | None = None
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


def decide(drift: DetectedDrift, situation: Situation, *, now: int, rules: Rules) -> Decision:
    """Apply the rules; `now` in UTC milliseconds."""
    refusal = _find_refusal(drift, situation, now=now, rules=rules)
    name = None if refusal else name_next_training(situation)
    return Decision(
        reason=refusal or START,
        execution=name if rules.mode == "auto" else None,
        suggestion=name if rules.mode == "suggest" else None,
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
    drift: DetectedDrift, situation: Situation, *, now: int, rules: Rules
) -> str | None:
    """The first rule that forbids a training, as a sentence."""
    if rules.mode == "off":
        return "The retrain guard is off."
    if drift.transition not in WORSE:
        return "Only a scheduled run that opens or escalates an incident asks for a training."
    if situation.is_training:
        return "A training is already running, or its model waits for an approval."
    return _find_nothing_new(situation) or _find_pause(situation, now=now, rules=rules)


def _find_nothing_new(situation: Situation) -> str | None:
    seen, newest = situation.seen_until, situation.newest_data_at
    if newest is None and situation.newest_label_at is None:
        return "There is no training data; upload some first."
    uploaded = seen is None or (newest is not None and newest > seen)
    if not uploaded and situation.newest_label_at is None:
        return (
            "There is no data newer than the last successful training: no upload, and no labels "
            "that have matured since. Upload recent labelled data, or send labels."
        )
    return None


def _find_pause(situation: Situation, *, now: int, rules: Rules) -> str | None:
    """Why it is too early for another training."""
    last = max(situation.last_training_at or 0, situation.last_asked_at or 0)
    pause = rules.pause(situation.unhelpful)
    if last and now - last < pause:
        hours = describe_hours(pause / HOUR_MS)
        if situation.unhelpful:
            times = "training" if situation.unhelpful == 1 else f"{situation.unhelpful} trainings"
            return f"The last {times} did not help: the next one waits {hours} after it."
        return f"The last training started, or was suggested, less than {hours} ago."
    if situation.asked >= rules.monthly_limit:
        return (
            f"The guard has asked for {write_count(situation.asked, 'training')} in the last 30 "
            f"days, and the stage allows {rules.monthly_limit}."
        )
    return None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
