"""The retrain guard against the emulator's Step Functions, S3 and EventBridge."""

import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from threading import Barrier
from typing import Any

import pytest

from adapters import executions
from adapters.events import EventBus
from adapters.identity import identify
from adapters.s3 import Bucket
from domain import keys, times
from domain.drift.incident import Transition
from domain.drift.retraining import START, Decision, DetectedDrift, Rules, Situation
from domain.model.probation import Probation
from lambdas.retrain_guard.retrain import Training, retrain
from ops.local.processes import wait_until
from training_job.inputs import ExecutionInput

MACHINE = {
    "StartAt": "How?",
    "States": {
        "How?": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.seed", "NumericEquals": 3, "Next": "Kept"},
                {"Variable": "$.seed", "NumericEquals": 4, "Next": "Promoted"},
                {"Variable": "$.seed", "NumericEquals": 1, "Next": "Failed"},
                {"Variable": "$.seed", "NumericEquals": 2, "Next": "Working"},
                {"Variable": "$.score.input", "IsPresent": True, "Next": "Working"},
            ],
            "Default": "Done",
        },
        "Done": {"Type": "Succeed"},
        "Kept": {
            "Type": "Pass",
            "Result": {"promoted": False, "version": "1-0a1b2c3d", "reasons": []},
            "ResultPath": "$.promote",
            "End": True,
        },
        "Promoted": {
            "Type": "Pass",
            "Result": {"promoted": True, "version": "2-0a1b2c3d", "reasons": [], "seq": 2},
            "ResultPath": "$.promote",
            "End": True,
        },
        "Failed": {"Type": "Fail", "Error": "BadData"},
        "Working": {"Type": "Wait", "Seconds": 600, "End": True},
    },
}
"""Trains at once; fails with seed 1, goes on with seed 2, as does a scoring.

It keeps the champion with seed 3, and promotes with seed 4.
"""
ALWAYS = Rules(mode="auto", cool_down_ms=0, monthly_limit=100)
FAILING, RUNNING = {"seed": 1}, {"seed": 2}
SCORING = {"score": {"input": "raw/a.csv", "output": "scoring/a/"}}
NEW_DATA = "no data newer than the last successful training"


@pytest.fixture
def training(aws: Callable[[str], Any], bucket: Bucket) -> Training:
    """A state machine that has never run, over an empty data bucket."""
    machine = aws("stepfunctions").create_state_machine(
        name=f"training-{uuid.uuid4().hex[:8]}",
        definition=json.dumps(MACHINE),
        roleArn="arn:aws:iam::000000000000:role/any",
    )
    return Training(
        states=aws("stepfunctions"),
        sts=aws("sts"),
        machine_arn=machine["stateMachineArn"],
        data=bucket,
        predictions=bucket,
        reports=bucket,
        label_maturity_days=0,
    )


def _now() -> int:
    return time.time_ns() // 1_000_000


def _retrain(
    training: Training,
    aws: Callable[[str], Any],
    run_id: str,
    bus: EventBus | None = None,
    rules: Rules = ALWAYS,
) -> Decision:
    return retrain(
        drift=DetectedDrift(Transition.OPEN, (run_id,)),
        training=training,
        bus=bus or EventBus(aws("events"), "default"),
        now=_now(),
        rules=rules,
    )


def _started(training: Training) -> int:
    listed = training.states.list_executions(stateMachineArn=training.machine_arn)
    return len(listed["executions"])


def test_drift_without_data_starts_nothing(training: Training, aws: Callable[[str], Any]) -> None:
    assert not _retrain(training, aws, "a").start
    assert 0 == _started(training)


def test_one_detection_starts_one_training_however_often_its_event_comes(
    training: Training, aws: Callable[[str], Any]
) -> None:
    training.data.put(f"{keys.RAW}new.csv", b"rows")
    decisions = [_retrain(training, aws, "a") for _ in range(3)]
    assert START == decisions[0].reason
    assert [decisions[0]] * 3 == decisions
    assert 1 == _started(training)


def test_five_detections_at_once_start_one_training(
    training: Training, aws: Callable[[str], Any]
) -> None:
    training.data.put(f"{keys.RAW}new.csv", b"rows")
    together = Barrier(5)
    situation = Training.situation

    class Together(Training):
        """All five look before any of them starts a training."""

        def situation(self, now: int) -> Situation:
            found = situation(self, now)
            together.wait(timeout=30)
            return found

    same = Together(**{f.name: getattr(training, f.name) for f in fields(training)})
    with ThreadPoolExecutor(5) as pool:
        decisions = list(pool.map(lambda run_id: _retrain(same, aws, run_id), "abcde"))
    assert [True] * 5 == [decision.start for decision in decisions]
    assert 1 == _started(training)
    stored = [training.data.get(entry.key) for entry in training.data.list(keys.RETRAINING)]
    found = {Decision.from_json(entry.data) for entry in stored if entry}
    assert set(decisions) == found


def _execute(training: Training, document: dict[str, Any]) -> None:
    """Start an execution, and see it end unless it goes on."""
    arn = training.states.start_execution(
        stateMachineArn=training.machine_arn, input=json.dumps(document)
    )["executionArn"]
    if document not in (RUNNING, SCORING):
        assert wait_until(lambda: not executions.is_running(training.states, arn), seconds=20)


def _upload(training: Training) -> None:
    """New data, a second after whatever came before: S3 dates by seconds."""
    newest = max((e.modified for e in training.data.list(keys.RAW)), default=None)
    began = training.situation(_now()).last_training_at or 0

    def is_newer() -> bool:
        training.data.put(f"{keys.RAW}new.csv", b"rows")
        (modified,) = (entry.modified for entry in training.data.list(keys.RAW))
        return modified != newest and times.to_millis(modified) > began

    assert wait_until(is_newer, seconds=20)


@pytest.mark.parametrize("document", [{"check": True}, {"rollback": True}, SCORING, FAILING])
def test_only_a_training_that_succeeded_has_seen_the_data(
    training: Training, aws: Callable[[str], Any], document: dict[str, Any]
) -> None:
    _execute(training, {})
    _upload(training)
    _execute(training, document)
    assert _retrain(training, aws, "a").start


def test_a_training_that_succeeded_has_seen_the_data_whatever_came_after(
    training: Training, aws: Callable[[str], Any]
) -> None:
    _upload(training)
    seen = training.situation(_now()).newest_data_at
    assert seen is not None
    assert wait_until(lambda: time.time() * 1000 > seen + 1000, seconds=20)
    _execute(training, {})
    for document in ({"check": True}, FAILING):
        _execute(training, document)
    decision = _retrain(training, aws, "a")
    assert not decision.start
    assert NEW_DATA in decision.reason


def test_a_running_training_is_seen_behind_a_check_that_ended_since(
    training: Training, aws: Callable[[str], Any]
) -> None:
    _upload(training)
    _execute(training, RUNNING)
    _execute(training, {"check": True})
    assert "already running" in _retrain(training, aws, "a").reason


class DeafBus(EventBus):
    """A bus that takes no event."""

    def publish(self, *_: Any, **__: Any) -> None:
        raise ConnectionError


def test_an_event_that_failed_after_its_start_is_decided_and_told_again(
    training: Training, aws: Callable[[str], Any]
) -> None:
    _upload(training)
    with pytest.raises(ConnectionError):
        _retrain(training, aws, "a", bus=DeafBus(aws("events"), "default"))
    assert 1 == _started(training)
    assert START == _retrain(training, aws, "a").reason
    assert 1 == _started(training)


def test_labels_that_mature_after_a_training_are_data_for_the_next(
    training: Training, aws: Callable[[str], Any]
) -> None:
    _upload(training)
    _execute(training, {})
    assert NEW_DATA in _retrain(training, aws, "a").reason
    began = training.situation(_now()).last_training_at or 0

    def is_newer() -> bool:
        day = times.from_millis(_now()).date()
        training.data.put(f"{keys.stream('labels', day)}a.parquet", b"labels")
        newest = training.situation(_now()).newest_label_at
        return newest is not None and newest > began

    assert wait_until(is_newer, seconds=20)
    young = Training(
        **{f.name: getattr(training, f.name) for f in fields(training)} | {"label_maturity_days": 7}
    )
    assert young.situation(_now()).newest_label_at is None
    assert young.situation(_now() + 8 * times.DAY_MS).newest_label_at is not None
    assert _retrain(training, aws, "b").start


def test_a_suggestion_starts_nothing_and_is_made_once_in_a_cool_down(
    training: Training, aws: Callable[[str], Any]
) -> None:
    _upload(training)
    rules = replace(ALWAYS, mode="suggest", cool_down_ms=times.DAY_MS)
    first, again, second = (_retrain(training, aws, run, rules=rules) for run in "aab")
    assert first == again
    assert first.suggestion is not None
    assert second.suggestion is None
    assert "was suggested" in second.reason
    assert 0 == _started(training)


def test_trainings_that_kept_the_champion_lengthen_the_pause(
    training: Training, aws: Callable[[str], Any]
) -> None:
    _upload(training)
    for _ in range(2):
        _execute(training, {"seed": 3})
    assert 2 == training.situation(_now()).unhelpful
    _upload(training)
    decision = _retrain(training, aws, "a", rules=replace(ALWAYS, cool_down_ms=times.HOUR_MS))
    assert "The last 2 trainings did not help: the next one waits 4 hours" in decision.reason


@pytest.mark.parametrize(
    ("verdict", "unhelpful"), [("worse", 2), ("open", 1), ("damaged", 1), (None, 1)]
)
def test_a_promotion_that_proved_wrong_counts_as_a_training_that_did_not_help(
    training: Training, aws: Callable[[str], Any], verdict: Any, unhelpful: int
) -> None:
    probation = Probation(
        seq=2,
        version="2-0a1b2c3d",
        predecessor="1-0a1b2c3d",
        promoted_at=1,
        ends_at=3,
        looked_at=2,
        verdict=verdict,
    )
    if verdict is not None:
        stored = b"{}" if verdict == "damaged" else probation.to_json()
        training.reports.put(keys.probation(2), stored)
    for seed in (4, 3):
        _execute(training, {"seed": seed})
    assert unhelpful == training.situation(_now()).unhelpful


def test_the_guard_signs_for_the_training_that_it_starts(
    training: Training, aws: Callable[[str], Any]
) -> None:
    _upload(training)
    decision = _retrain(training, aws, "a")
    assert decision.execution is not None
    arn = training.machine_arn.replace(":stateMachine:", ":execution:")
    document = executions.input_of(training.states, f"{arn}:{decision.execution}")
    caller = ExecutionInput.parse(document).caller
    assert caller is not None
    assert "guard" == caller.acts_as
    assert identify(aws("sts"), caller.proof, decision.execution) is not None
