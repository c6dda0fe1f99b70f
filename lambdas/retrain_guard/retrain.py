"""Decide about one detection of drift, start the training if so, and say what was decided."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters import executions
from adapters.events import EventBus
from adapters.s3 import Bucket
from domain import keys, times
from domain.retraining import Decision, DetectedDrift, Situation, decide

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


@dataclass(frozen=True, slots=True)
class Training:
    """The state machine, the data it reads."""

    states: "SFNClient"
    machine_arn: str
    data: Bucket

    def situation(self) -> Situation:
        """Where it stands now."""
        last = executions.latest(self.states, self.machine_arn)
        modified = (times.to_millis(listed.modified) for listed in self.data.list(keys.RAW))
        return Situation(
            is_training=last is not None and last.running,
            last_training_at=last.started_at if last else None,
            newest_data_at=max(modified, default=None),
        )


def retrain(
    *, drift: DetectedDrift, training: Training, bus: EventBus, now: int, cool_down_millis: int
) -> Decision:
    """Start at most one training per detection, however often its event comes.

    The execution is named after the runs that found the drift, and Step Functions refuses a
    name it knows.
    """
    decision = decide(drift, training.situation(), now=now, cool_down_millis=cool_down_millis)
    if decision.start:
        digest = hashlib.sha256("\n".join(sorted(drift.run_ids)).encode()).hexdigest()
        started = executions.start(
            training.states, training.machine_arn, name=f"drift-{digest[:16]}", document={}
        )
        if not started:
            return Decision(False, "This detection has started its training already.")
    bus.publish(
        "RetrainingDecided",
        {"start": decision.start, "reason": decision.reason, "run_ids": list(drift.run_ids)},
    )
    return decision
