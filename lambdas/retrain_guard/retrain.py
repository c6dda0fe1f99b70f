"""Decide whether detected drift starts a training, start it, and publish the decision."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from adapters import executions, partitions
from adapters.events import EventBus
from adapters.identity import sign_identity
from adapters.s3 import Bucket, Conflict
from domain import keys, times
from domain.drift.retraining import (
    MONTH_MS,
    Decision,
    DetectedDrift,
    Rules,
    Situation,
    decide,
)
from domain.errors import BadRecord
from domain.model.actor import Caller
from domain.model.probation import Probation
from domain.training.execution_kinds import kind_of
from domain.training.steps import Promoted
from domain.typed_json import encode

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


LOOKED_AT = 200
"""How many of the latest executions are searched for trainings; others are checks and scorings."""
MOST_UNHELPFUL = 5
"""Trainings in a row that did not help are counted up to this number."""
LABEL_DAYS = 90
"""Labels of so many days count where no training has seen any."""


@dataclass(frozen=True, slots=True)
class Found:
    """A training. `helped`: it led to a new champion, which no probation has found worse."""

    execution: executions.Execution
    helped: bool

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self.execution.status == "SUCCEEDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The state machine, the data that it reads, and who asks.

    `reports`: where decisions and probations lie. `label_maturity_days`: None if the training uses
    no labels of production.
    """

    states: "SFNClient"
    sts: Any
    machine_arn: str
    data: Bucket
    predictions: Bucket
    reports: Bucket
    label_maturity_days: int | None

    def situation(self, now: int) -> Situation:
        """Describe the trainings, and the age of the newest data; `now` in UTC milliseconds."""
        looked_at, found = self._list_trainings()
        seen = next((t.execution.started_at for t in found if t.succeeded), None)
        modified = (times.to_millis(listed.modified) for listed in self.data.list(keys.RAW))
        ended = [training for training in found if training.succeeded]
        unhelpful = next((n for n, training in enumerate(ended) if training.helped), len(ended))
        newest = [training.execution for training in found]
        return Situation(
            # Without a training, the oldest execution that was looked at stands for it.
            last_training=(newest or looked_at[-1:] or [_NONE])[0].arn,
            is_training=any(training.status == "RUNNING" for training in newest),
            last_training_at=max((training.started_at for training in newest), default=None),
            seen_until=seen,
            newest_data_at=max(modified, default=None),
            newest_label_at=self._find_newest_label(seen, now),
            unhelpful=unhelpful,
        )

    def start(self, name: str) -> None:
        """Start a training under that name, unless there is one."""
        caller = Caller(proof=sign_identity(self.sts, name), acts_as="guard")
        document = {"caller": caller.to_dict()}
        executions.start(self.states, self.machine_arn, name=name, document=document)

    def _list_trainings(self) -> tuple[list[executions.Execution], list[Found]]:
        """The executions that were looked at, and the trainings among them, the newest first.

        The search ends with the last training that helped.
        """
        looked_at: list[executions.Execution] = []
        trainings: list[Found] = []
        for found in executions.newest_first(self.states, self.machine_arn, limit=LOOKED_AT):
            looked_at.append(found)
            described = executions.describe(self.states, found.arn)
            if kind_of(described.input) != "train":
                continue
            trainings.append(Found(found, self._has_helped(described.output)))
            ended = [training for training in trainings if training.succeeded]
            if ended and (ended[-1].helped or len(ended) == MOST_UNHELPFUL):
                break
        return looked_at, trainings

    def _has_helped(self, output: object) -> bool:
        """Whether a training with this output led to a champion that has not proved worse.

        What can't be read counts as help, so that it lengthens no pause.
        """
        try:
            promoted = Promoted.of(output) if isinstance(output, Mapping) else None
            if promoted is None or not promoted.promoted:
                return promoted is None
            found = self.reports.read(keys.probation(promoted.seq), Probation.from_json)
        except BadRecord:
            return True
        return found is None or found.verdict != "worse"

    def _find_newest_label(self, seen: int | None, now: int) -> int | None:
        """When the newest labels arrived that a training would see as mature for the first time.

        A label is younger than its prediction, so labels that are as old as the maturity belong to
        mature predictions. Those that were younger when the last training started are new to it,
        or may be.
        """
        if self.label_maturity_days is None:
            return None
        maturity = self.label_maturity_days * times.DAY_MS
        since = (now - LABEL_DAYS * times.DAY_MS) if seen is None else seen - maturity
        until = now - maturity
        # An object is filed under the day of its oldest record.
        first = times.from_millis(max(since, 0)).date() - times.DAY
        newest = None
        for day in partitions.list_days(self.predictions, "labels"):
            if day < first:
                break
            for prefix in (keys.stream("labels", day), keys.fallback_day("labels", day)):
                for listed in self.predictions.list(prefix):
                    stored_at = keys.parse_compacted(listed.key)
                    if stored_at is None:
                        stored_at = times.to_millis(listed.modified)
                    if since < stored_at <= until:
                        newest = max(newest or 0, stored_at)
        return newest


_NONE = executions.Execution("", "", 0)


def retrain(
    *,
    drift: DetectedDrift,
    training: Training,
    bus: EventBus,
    now: int,
    rules: Rules,
) -> Decision:
    """Decide each detection once, and start at most one training for all that come at once.

    The decision is stored before it is carried out. A repeated event finds it, and completes what
    an earlier delivery left undone.
    """
    decisions = training.reports
    decision = _read(decisions, drift)
    if decision is None:
        asked = read_recent(decisions, now=now)
        last = max((decision.decided_at for decision in asked), default=None)
        names = {decision.execution or decision.suggestion for decision in asked}
        situation = replace(training.situation(now), asked=len(names), last_asked_at=last)
        decision = decide(drift, situation, now=now, rules=rules)
        decision = _store(decisions, drift, decision)
    if decision.execution:
        training.start(decision.execution)
    bus.publish("RetrainingDecided", {"start": decision.start, **encode(decision)})
    return decision


def read_recent(decisions: Bucket, *, now: int) -> list[Decision]:
    """The decisions of the last 30 days that started or suggested a training."""
    found = []
    for listed in decisions.list(keys.RETRAINING):
        if times.to_millis(listed.modified) < now - MONTH_MS:
            continue
        with suppress(BadRecord):
            stored = decisions.read(listed.key, Decision.from_json)
            if stored and (stored.execution or stored.suggestion):
                found.append(stored)
    return found


def _read(decisions: Bucket, drift: DetectedDrift) -> Decision | None:
    return decisions.read(keys.retraining(drift.id), Decision.from_json)


def _store(decisions: Bucket, drift: DetectedDrift, decision: Decision) -> Decision:
    """Store the decision, or return the one that a parallel delivery has stored."""
    try:
        decisions.put_if(keys.retraining(drift.id), decision.to_json(), etag=None)
    except Conflict:
        return _read(decisions, drift) or decision
    return decision
