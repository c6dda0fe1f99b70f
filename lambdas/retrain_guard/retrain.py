"""Decide whether detected drift starts a training, start it, and publish the decision."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters import executions
from adapters.events import EventBus
from adapters.s3 import Bucket
from domain import keys, times
from domain.drift.retraining import (
    STARTED,
    Decision,
    DetectedDrift,
    Situation,
    decide,
    is_training_input,
)

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
        found = list(self._trainings())
        succeeded = (training.started_at for training in found if training.status == "SUCCEEDED")
        modified = (times.to_millis(listed.modified) for listed in self.data.list(keys.RAW))
        return Situation(
            is_training=any(training.status == "RUNNING" for training in found),
            last_training_at=max((training.started_at for training in found), default=None),
            seen_until=next(succeeded, None),
            newest_data_at=max(modified, default=None),
        )

    def _trainings(self) -> Iterator[executions.Execution]:
        for found in executions.newest_first(self.states, self.machine_arn, limit=LOOKED_AT):
            if is_training_input(executions.input_of(self.states, found.arn)):
                yield found
                if found.status == "SUCCEEDED":
                    return


def retrain(
    *, drift: DetectedDrift, training: Training, bus: EventBus, now: int, cool_down_ms: int
) -> Decision:
    """Start at most one training per detection, however often its event arrives.

    The execution is named after the runs that found the drift, and Step Functions refuses a name
    that exists. A repeated event repeats the same decision.
    """
    digest = hashlib.sha256("\n".join(sorted(drift.run_ids)).encode()).hexdigest()
    name = f"drift-{digest[:16]}"
    if executions.exists(training.states, training.machine_arn, name):
        decision = STARTED
    else:
        decision = decide(drift, training.situation(), now=now, cool_down_ms=cool_down_ms)
        if decision.start:
            executions.start(training.states, training.machine_arn, name=name, document={})
    bus.publish(
        "RetrainingDecided",
        {"start": decision.start, "reason": decision.reason, "run_ids": list(drift.run_ids)},
    )
    return decision
