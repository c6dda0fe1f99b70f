"""An erasure waits for executions that may hold rows, and for no other; requests are checked."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from domain import keys
from training_job.erasure.writers import list_erasures, wait_for_executions
from training_job.errors import BadInput
from training_job.inputs import ExecutionInput

PREFIX = "arn:aws:states:eu-central-1:1:execution:circle-dev-training:"
OWN = f"{PREFIX}erase-1"
SUBJECTS = keys.erasure_subjects("20260131T140000-0a1b2c3d")
DRY_SUBJECTS = keys.erasure_subjects("20260131T150000-0a1b2c3d", dry_run=True)


@dataclass
class Machine:
    """Step Functions with executions that pass through these states, one at each look."""

    states: dict[str, list[str]]
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    operation: str = ""

    def get_paginator(self, operation: str) -> "Machine":
        self.operation = operation
        return self

    def paginate(self, **named: Any) -> list[dict[str, Any]]:
        if self.operation == "list_executions":
            self.asked.append(named["stateMachineArn"])
            assert "RUNNING" == named["statusFilter"]
            return [{"executions": [{"executionArn": arn} for arn in (OWN, *self.states)]}]
        state = self.states[named["executionArn"]].pop(0)
        entered = [{"stateEnteredEventDetails": {"name": state}}] if state else []
        return [{"events": [{"type": "TaskScheduled"}, *entered]}]

    def describe_execution(self, *, executionArn: str) -> dict[str, str]:
        assert executionArn != OWN
        given = json.dumps(self.inputs.get(executionArn))
        return {"status": "RUNNING" if self.states[executionArn] else "SUCCEEDED", "input": given}


def test_it_waits_until_no_execution_is_in_a_state_that_stores_rows() -> None:
    machine = Machine(
        {
            f"{PREFIX}a": ["", "Prepare", "Prepare", "Tune", "Evaluate"],
            f"{PREFIX}b": ["Tune"],
            f"{PREFIX}c": ["Score"],
            f"{PREFIX}d": ["Promote"],
        }
    )
    pauses: list[float] = []
    client: Any = machine
    wait_for_executions(client, OWN, say=lambda _: None, sleep=pauses.append)
    assert 3 == len(pauses)
    assert ["arn:aws:states:eu-central-1:1:stateMachine:circle-dev-training"] == machine.asked
    assert [["Evaluate"], [], [], []] == list(machine.states.values())


def test_nothing_is_waited_for_where_nothing_else_runs() -> None:
    client: Any = Machine({})
    said: list[str] = []
    wait_for_executions(client, OWN, say=said.append, sleep=lambda _: pytest.fail("It waits."))
    assert [] == said


def test_erasures_that_run_are_known_by_their_input() -> None:
    inputs: dict[str, dict[str, Any]] = {
        f"{PREFIX}a": {"erase": {"subjects": SUBJECTS}},
        f"{PREFIX}b": {"trials": 3},
        f"{PREFIX}c": {"erase": {"subjects": DRY_SUBJECTS, "dry_run": True}},
        f"{PREFIX}d": {"erase": "anybody"},
    }
    client: Any = Machine({name: [] for name in inputs}, inputs=inputs)
    assert ["20260131T140000-0a1b2c3d", "20260131T150000-0a1b2c3d"] == list_erasures(client, OWN)


@pytest.mark.parametrize(
    ("subjects", "dry_run", "erasure"),
    [
        (SUBJECTS, False, "20260131T140000-0a1b2c3d"),
        (DRY_SUBJECTS, True, "20260131T150000-0a1b2c3d"),
    ],
)
def test_an_input_names_the_subject_file_by_its_key(
    subjects: str, dry_run: bool, erasure: str
) -> None:
    asked = ExecutionInput.parse({"erase": {"subjects": subjects, "dry_run": dry_run}}).erase
    assert asked is not None
    assert (erasure, dry_run) == (asked.erasure, asked.dry_run)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("people.txt", "must be a JSON object with subjects"),
        ({}, "erase.subjects must be a key erasures/<erasure>/subjects.txt"),
        ({"subjects": "raw/people.txt"}, "erase.subjects must be a key"),
        ({"subjects": SUBJECTS, "dry_run": "yes"}, "erase.dry_run must be true or false"),
        ({"subjects": SUBJECTS, "people": ["p-1"]}, "erase.people is not known"),
        ({"subjects": SUBJECTS, "dry_run": True}, "erase.dry_run contradicts the name of the file"),
        ({"subjects": DRY_SUBJECTS}, "erase.dry_run contradicts the name of the file"),
    ],
)
def test_an_input_that_cannot_be_used_is_refused_by_its_fields(
    document: object, expected: str
) -> None:
    with pytest.raises(BadInput, match=expected) as raised:
        ExecutionInput.parse({"erase": document})
    assert "p-1" not in str(raised.value)


def test_an_erasure_excludes_a_training_step_of_its_own() -> None:
    with pytest.raises(BadInput, match="exclude each other"):
        ExecutionInput.parse({"erase": {"subjects": SUBJECTS}, "check": True})
