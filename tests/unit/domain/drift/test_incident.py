"""The alert life cycle as a state: how an incident moves, and what its file may hold."""

import json
from dataclasses import replace

import pytest

from domain.drift.alert_state import (
    AlertState,
    Announcement,
)
from domain.drift.drift import Outcome
from domain.drift.incident import ESCALATION_PAUSE_MS, RECOVERY_MS, Incident, Transition
from domain.errors import BadRecord
from domain.times import DAY_MS

VERSION = "1-0a1b2c3d"
OPEN = Incident(
    last_window_end=10, outcome=Outcome.DATA_DRIFT, drifted=("age",), opened_at=10, notified_at=10
)
CALMER = replace(OPEN, last_window_end=20, quiet_since=20)


@pytest.mark.parametrize(
    ("incident", "outcome", "drifted", "end", "transition"),
    [
        (Incident(), Outcome.DATA_DRIFT, ["age"], 20, Transition.OPEN),
        (Incident(), Outcome.STABLE, [], 20, Transition.SILENT),
        (Incident(), Outcome.NO_DATA, [], 20, Transition.NONE),
        (OPEN, Outcome.DATA_DRIFT, ["age"], 20, Transition.SILENT),
        (OPEN, Outcome.DATA_DRIFT, ["bmi"], 10 + ESCALATION_PAUSE_MS, Transition.ESCALATE),
        (OPEN, Outcome.DATA_DRIFT, ["bmi"], 9 + ESCALATION_PAUSE_MS, Transition.SILENT),
        (OPEN, Outcome.DATA_DRIFT, ["age"], 10 + ESCALATION_PAUSE_MS, Transition.SILENT),
        (OPEN, Outcome.PREDICTION_DRIFT, ["age"], 20, Transition.ESCALATE),
        (OPEN, Outcome.STABLE, [], 20, Transition.SILENT),
        (CALMER, Outcome.STABLE, [], 20 + RECOVERY_MS, Transition.RECOVER),
        (CALMER, Outcome.STABLE, [], 19 + RECOVERY_MS, Transition.SILENT),
        (CALMER, Outcome.DATA_DRIFT, ["age"], 20 + RECOVERY_MS, Transition.SILENT),
        (OPEN, Outcome.INSUFFICIENT_DATA, [], 20, Transition.NONE),
        (OPEN, Outcome.PERFORMANCE_DROP, ["bmi"], 10, Transition.NONE),
        (OPEN, Outcome.STABLE, [], 9, Transition.NONE),
    ],
)
def test_a_scheduled_window_moves_the_incident(
    incident: Incident, outcome: Outcome, drifted: list[str], end: int, transition: Transition
) -> None:
    moved, after = incident.advance(outcome=outcome, drifted=drifted, end=end)
    assert moved is transition
    assert after.last_window_end == (
        incident.last_window_end if transition is Transition.NONE else end
    )
    assert after.is_open is (
        outcome.is_drift or (incident.is_open and transition is not Transition.RECOVER)
    )


def test_an_escalation_remembers_the_worst_that_was_told() -> None:
    _, after = OPEN.advance(outcome=Outcome.PREDICTION_DRIFT, drifted=["bmi"], end=20)
    expected = Incident(
        last_window_end=20,
        outcome=Outcome.PREDICTION_DRIFT,
        drifted=("age", "bmi"),
        opened_at=10,
        notified_at=20,
    )
    assert expected == after


def test_a_column_that_came_too_soon_is_told_when_it_stays() -> None:
    _, silent = OPEN.advance(outcome=Outcome.DATA_DRIFT, drifted=["bmi"], end=20)
    moved, told = silent.advance(
        outcome=Outcome.DATA_DRIFT, drifted=["bmi"], end=10 + ESCALATION_PAUSE_MS
    )
    assert (("age",), Transition.ESCALATE, ("age", "bmi")) == (silent.drifted, moved, told.drifted)


OWED = Announcement(transition=Transition.OPEN, run_ids=("a", "b"), channels=("mail",))
STATE = AlertState(
    OPEN,
    replace(OPEN, quiet_since=30),
    (OWED, replace(OWED, claimed_at=7, claimed_by="run", attempts=2)),
)


@pytest.mark.parametrize("state", [AlertState(), STATE])
def test_the_state_survives_its_encoding(state: AlertState) -> None:
    assert AlertState.from_json(state.to_json()) == state


def test_a_state_of_an_older_kind_keeps_its_incident() -> None:
    fields = {"last_window_end": 10, "outcome": "data_drift", "drifted": ["age"], "opened_at": 10}
    older = {"incident": {**fields, "quiet_since": None}, "claim": None}
    expected = AlertState(replace(OPEN, notified_at=None))
    assert expected == AlertState.from_json(json.dumps(older).encode())


@pytest.mark.parametrize(
    "path",
    ["last_window_end", "opened_at", "notified_at", "quiet_since", "outcome", "drifted"],
)
@pytest.mark.parametrize("which", ["incident", "look_back"])
def test_a_state_with_a_field_of_another_kind_is_refused(which: str, path: str) -> None:
    fields = json.loads(STATE.to_json())
    fields[which][path] = [1.5] if path == "drifted" else "x"
    with pytest.raises(BadRecord):
        AlertState.from_json(json.dumps(fields).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"claimed_at": "7"},
        {"claimed_by": 7},
        {"attempts": None},
        {"channels": ["pigeon"]},
        {"transition": "x"},
        {"run_ids": [1]},
    ],
)
def test_an_announcement_with_a_field_of_another_kind_is_refused(change: dict[str, object]) -> None:
    fields = json.loads(STATE.to_json())
    fields["pending"][0] |= change
    with pytest.raises(BadRecord):
        AlertState.from_json(json.dumps(fields).encode())


@pytest.mark.parametrize("data", [b"", b"{}", b'{"incident": {}, "pending": []}', b"[1]", b'"x"'])
def test_what_is_no_state_is_refused(data: bytes) -> None:
    with pytest.raises(BadRecord):
        AlertState.from_json(data)


def test_the_incident_to_show_is_an_open_one_and_the_more_serious() -> None:
    late = replace(OPEN, outcome=Outcome.PERFORMANCE_DROP)
    assert [AlertState(OPEN).worst, AlertState(OPEN, late).worst] == [OPEN, late]
    assert OPEN == AlertState(OPEN, replace(late, opened_at=None)).worst


def test_an_acknowledged_incident_escalates_only_with_a_more_serious_outcome() -> None:
    _, opened = Incident().advance(outcome=Outcome.DATA_DRIFT, drifted=["age"], end=DAY_MS)
    later = opened.advance(
        outcome=Outcome.DATA_DRIFT, drifted=["bmi"], end=30 * DAY_MS, acknowledged=True
    )
    assert Transition.SILENT is later[0]
    worse = opened.advance(
        outcome=Outcome.PERFORMANCE_DROP, drifted=["bmi"], end=30 * DAY_MS, acknowledged=True
    )
    assert Transition.ESCALATE is worse[0]


def test_an_incident_that_recovers_is_remembered() -> None:
    opened = Incident(
        last_window_end=5, outcome=Outcome.DATA_DRIFT, drifted=("age",), opened_at=5, notified_at=5
    )
    state = AlertState(opened).advance("daily", Incident(last_window_end=9))
    (past,) = state.past
    assert ("daily", 5, 9, Outcome.DATA_DRIFT, ("age",)) == (
        past.kind,
        past.opened_at,
        past.closed_at,
        past.outcome,
        past.drifted,
    )
    assert state == AlertState.from_json(state.to_json())
    for number in range(200):
        state = AlertState(replace(opened, opened_at=number), past=state.past)
        state = state.advance("daily", Incident(last_window_end=number + 1))
    assert (100, 199) == (len(state.past), state.past[0].opened_at)
