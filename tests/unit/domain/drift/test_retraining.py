"""When drift starts a training, and when it doesn't."""

from dataclasses import replace

import pytest

from domain.drift.incident import Transition
from domain.drift.retraining import (
    Decision,
    DetectedDrift,
    Rules,
    Situation,
    decide,
)
from domain.errors import BadRecord
from domain.mode import Mode

HOUR = 3_600_000
NOW = 1_000 * HOUR
OPENED = DetectedDrift(Transition.OPEN, ("run",))
IDLE = Situation(
    last_training="arn:last",
    is_training=False,
    last_training_at=NOW - 48 * HOUR,
    seen_until=NOW - 48 * HOUR,
    newest_data_at=NOW - HOUR,
)


RULES = Rules(mode="auto", cool_down_ms=24 * HOUR, monthly_limit=4)


def _decide(drift: DetectedDrift = OPENED, situation: Situation = IDLE) -> tuple[bool, str]:
    decision = decide(drift, situation, now=NOW, rules=RULES)
    return decision.start, decision.reason


@pytest.mark.parametrize("transition", [Transition.OPEN, Transition.ESCALATE])
def test_new_or_worse_drift_with_new_data_trains(transition: Transition) -> None:
    assert _decide(DetectedDrift(transition, ("run",)))[0]


def test_the_first_training_needs_no_earlier_one() -> None:
    assert _decide(situation=replace(IDLE, last_training_at=None, seen_until=None))[0]


def test_data_that_only_a_failed_training_has_seen_is_new() -> None:
    failed = NOW - 30 * HOUR
    assert _decide(situation=replace(IDLE, last_training_at=failed, newest_data_at=failed - HOUR))[
        0
    ]


@pytest.mark.parametrize(
    ("drift", "situation", "reason"),
    [
        (DetectedDrift(Transition.NONE, ("run",)), IDLE, "Only a scheduled run"),
        (DetectedDrift(Transition.SILENT, ("run",)), IDLE, "Only a scheduled run"),
        (OPENED, replace(IDLE, is_training=True), "is already running"),
        (OPENED, replace(IDLE, newest_data_at=None), "no training data"),
        (OPENED, replace(IDLE, newest_data_at=NOW - 49 * HOUR), "no data newer than the last"),
        (OPENED, replace(IDLE, last_training_at=NOW - 2 * HOUR), "less than 24 hours ago"),
        (OPENED, replace(IDLE, last_asked_at=NOW - 2 * HOUR), "less than 24 hours ago"),
        (OPENED, replace(IDLE, unhelpful=2), "2 trainings did not help: the next one waits 96"),
        (OPENED, replace(IDLE, unhelpful=5), "did not help: the next one waits 720 hours"),
        (OPENED, replace(IDLE, asked=4), "asked for 4 trainings in the last 30 days"),
    ],
)
def test_otherwise_nothing_starts_and_a_sentence_says_why(
    drift: DetectedDrift, situation: Situation, reason: str
) -> None:
    start, said = _decide(drift, situation)
    assert not start
    assert reason in said


@pytest.mark.parametrize(
    ("mode", "started", "suggested"),
    [("auto", True, False), ("suggest", False, True), ("off", False, False)],
)
def test_the_mode_says_whether_a_training_starts_or_is_suggested(
    mode: Mode, started: bool, suggested: bool
) -> None:
    decision = decide(OPENED, IDLE, now=NOW, rules=replace(RULES, mode=mode))
    assert (started, suggested) == (decision.start, decision.suggestion is not None)
    assert ("is off" in decision.reason) == (mode == "off")


def test_labels_that_matured_since_are_new_data() -> None:
    old = replace(IDLE, newest_data_at=NOW - 49 * HOUR)
    assert not _decide(situation=old)[0]
    assert _decide(situation=replace(old, newest_label_at=NOW - 2 * HOUR))[0]


def test_a_training_that_did_not_help_doubles_the_pause() -> None:
    assert [24, 48, 96] == [RULES.pause(unhelpful) // HOUR for unhelpful in range(3)]
    assert _decide(situation=replace(IDLE, unhelpful=1))[0]


def test_an_events_detail_is_decoded() -> None:
    detail = {"transition": "open", "runs": [{"run_id": "a"}, {"run_id": "b"}]}
    assert DetectedDrift(Transition.OPEN, ("a", "b")) == DetectedDrift.from_detail(detail)


@pytest.mark.parametrize("detail", [{}, {"transition": "x", "runs": []}, {"transition": "open"}])
def test_another_shape_is_refused(detail: dict[str, object]) -> None:
    with pytest.raises(BadRecord):
        DetectedDrift.from_detail(detail)


def test_parallel_detections_ask_for_one_execution_and_later_ones_for_another() -> None:
    other = DetectedDrift(Transition.ESCALATE, ("other run",))
    names = [decide(d, IDLE, now=NOW, rules=RULES).execution for d in (OPENED, other)]
    later = replace(IDLE, last_training="arn:the next")
    assert names[0] == names[1] != decide(OPENED, later, now=NOW, rules=RULES).execution


def test_a_detection_has_one_id_whatever_the_order_of_its_runs() -> None:
    ids = [DetectedDrift(Transition.OPEN, runs).id for runs in (("a", "b"), ("b", "a"), ("a",))]
    assert ids[0] == ids[1] != ids[2]
    assert ids[2] != DetectedDrift(Transition.NONE, ("a",)).id


def test_a_decision_survives_its_encoding() -> None:
    decision = decide(OPENED, IDLE, now=NOW, rules=RULES)
    assert decision == Decision.from_json(decision.to_json())
