"""Decide whether detected drift starts a training, start it, and publish the decision."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters import executions
from adapters.events import EventBus
from adapters.s3 import Bucket, Conflict
from domain import keys, times
from domain.drift.retraining import (
    Decision,
    DetectedDrift,
    Situation,
    decide,
    is_training_input,
)
from domain.typed_json import encode

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


LOOKED_AT = 200
"""How many of the latest executions are searched for trainings; others are checks and scorings."""


@dataclass(frozen=True, slots=True)
class Training:
    """The state machine and the data that it reads."""

    states: "SFNClient"
    machine_arn: str
    data: Bucket

    def situation(self) -> Situation:
        """Describe the trainings since the last successful one, and the age of the newest data."""
        looked_at, found = self._list_trainings()
        succeeded = (training.started_at for training in found if training.status == "SUCCEEDED")
        modified = (times.to_millis(listed.modified) for listed in self.data.list(keys.RAW))
        return Situation(
            # Without a training, the oldest execution that was looked at stands for it.
            last_training=(found or looked_at[-1:] or [_NONE])[0].arn,
            is_training=any(training.status == "RUNNING" for training in found),
            last_training_at=max((training.started_at for training in found), default=None),
            seen_until=next(succeeded, None),
            newest_data_at=max(modified, default=None),
        )

    def _list_trainings(self) -> tuple[list[executions.Execution], list[executions.Execution]]:
        """The executions that were looked at, and the trainings among them, the newest first."""
        looked_at, trainings = [], []
        for found in executions.newest_first(self.states, self.machine_arn, limit=LOOKED_AT):
            looked_at.append(found)
            if is_training_input(executions.input_of(self.states, found.arn)):
                trainings.append(found)
                if found.status == "SUCCEEDED":
                    break
        return looked_at, trainings


_NONE = executions.Execution("", "", 0)


def retrain(
    *,
    drift: DetectedDrift,
    training: Training,
    decisions: Bucket,
    bus: EventBus,
    now: int,
    cool_down_ms: int,
) -> Decision:
    """Decide each detection once, and start at most one training for all that come at once.

    The decision is stored before it is carried out. A repeated event finds it, and completes what
    an earlier delivery left undone.
    """
    decision = _read(decisions, drift)
    if decision is None:
        decision = _store(
            decisions,
            drift,
            decide(drift, training.situation(), now=now, cool_down_ms=cool_down_ms),
        )
    if decision.execution:
        executions.start(
            training.states, training.machine_arn, name=decision.execution, document={}
        )
    bus.publish("RetrainingDecided", {"start": decision.start, **encode(decision)})
    return decision


def _read(decisions: Bucket, drift: DetectedDrift) -> Decision | None:
    found = decisions.decode(keys.retraining(drift.id), Decision.from_json)
    return found[0] if found else None


def _store(decisions: Bucket, drift: DetectedDrift, decision: Decision) -> Decision:
    """Store the decision, or return the one that a parallel delivery has stored."""
    try:
        decisions.put_if(keys.retraining(drift.id), decision.to_json(), etag=None)
    except Conflict:
        return _read(decisions, drift) or decision
    return decision
