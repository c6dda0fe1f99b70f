"""GET /executions: what each training, scoring and other execution did, and its verdict."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain import times
from domain.failures import explain_failure
from domain.training.steps import (
    Checked,
    Compacted,
    Erased,
    Evaluated,
    Prepared,
    Promoted,
    RefusedRows,
    Scored,
    StepResult,
)
from tests.unit.dashboard import FakeStates, World

STARTED = datetime(2026, 1, 31, 4, tzinfo=UTC)
VERSION = "7-0a1b2c3d"
PREPARED = Prepared(
    dataset_id="d",
    rows={"train": 900},
    rows_read=900,
    rows_quarantined=0,
    rows_repeated=0,
    left_out=(),
    started_by="arn:aws:iam::1:role/ada",
)
EVALUATED = Evaluated(
    promote=True,
    rule="first",
    reasons=("F1 is 0.8.",),
    version=VERSION,
    sha256="0a1b2c3d",
    metrics={"f1": 0.8},
    f1_interval=(0.7, 0.9),
)


def promoted(*, promoted: bool) -> Promoted:
    return Promoted(promoted=promoted, version=VERSION, reasons=("F1 is 0.8.",), seq=1)


def execution(
    document: Any, *steps: StepResult, status: str = "SUCCEEDED", **further: Any
) -> dict[str, Any]:
    state = {step.step: step.to_dict() for step in steps}
    ended = {} if status == "RUNNING" else {"stopDate": STARTED + timedelta(minutes=3)}
    output = {"output": json.dumps({"input": document, **state})} if steps else {}
    name = f"arn:aws:states:here:1:execution:training:{status}-{len(steps)}"
    known = {"executionArn": name, "status": status, "startDate": STARTED}
    return known | {"input": json.dumps({"caller": "proof", **document})} | ended | output | further


def show(*executions: dict[str, Any]) -> list[dict[str, Any]]:
    found: dict[str, Any] = World(states=FakeStates(executions)).get("/executions")
    assert "proof" not in json.dumps(found)  # whoever has it could act as the caller
    listed: list[dict[str, Any]] = found["executions"]
    return listed


@pytest.mark.parametrize(("is_champion", "verdict"), [(True, True), (False, False)])
def test_a_training_has_its_verdict_reasons_version_and_who_started_it(
    is_champion: bool, verdict: bool
) -> None:
    (shown,) = show(execution({}, PREPARED, EVALUATED, promoted(promoted=is_champion)))
    expected = {
        "kind": "training",
        "version": VERSION,
        "promoted": verdict,
        "sentences": ["F1 is 0.8."],
        "started_by": "arn:aws:iam::1:role/ada",
        "started_at": times.to_millis(STARTED),
        "ended_at": times.to_millis(STARTED) + 180_000,
    }
    assert expected == {name: shown[name] for name in expected}


@pytest.mark.parametrize(
    ("document", "step", "kind", "sentence"),
    [
        (
            {"score": {"input": "a"}},
            Scored(
                model_version=VERSION,
                threshold=0.4,
                output="o",
                logged=True,
                rows=1_200,
                refused=3,
                positives=100,
                top_reasons=(RefusedRows("age", 3),),
            ),
            "scoring",
            "1,200 rows: 100 positive, 3 refused, logged.",
        ),
        (
            {"check": True},
            Checked(consistent=True, problems=(), checked_at=1, version=VERSION, seq=1),
            "check",
            "Champion, ledger and registry agree.",
        ),
        (
            {"erase": {"subjects": "k"}},
            Erased(
                erasure="e",
                dry_run=True,
                subjects=1,
                predictions=2,
                rows=30,
                objects=4,
                versions=1,
                unfinished=0,
            ),
            "erasure",
            "30 rows would be erased from 4 objects.",
        ),
        (
            {"compact": {"days": 7}},
            Compacted(dry_run=False, merged=1_440, objects=1, rows=9, deleted=96),
            "compaction",
            "1,440 small objects were merged into 1, and 96 that had been merged before were"
            " deleted.",
        ),
    ],
)
def test_a_scoring_a_check_and_an_erasure_say_what_they_found(
    document: Any, step: StepResult, kind: str, sentence: str
) -> None:
    (shown,) = show(execution(document, step))
    assert (kind, None, [sentence]) == (shown["kind"], shown["promoted"], shown["sentences"])


def test_one_that_failed_says_why_and_what_to_do() -> None:
    cause = explain_failure("BadData", "a.csv lacks the column age.")
    (shown,) = show(execution({}, status="FAILED", error="BadData", cause=cause))
    why, advice = shown["sentences"]
    assert "BadData: a.csv lacks the column age." == why
    assert advice.startswith("Correct the files")
    assert shown["promoted"] is None


def test_one_that_was_stopped_is_no_defect() -> None:
    (shown,) = show(execution({}, status="ABORTED", cause="An operator stopped it."))
    again = "Start it again, unless it was stopped on purpose."
    assert ["An operator stopped it.", again] == shown["sentences"]


def test_the_advice_on_a_lost_pointer_names_the_stage() -> None:
    (shown,) = show(execution({}, status="FAILED", error="PointerLost", cause="It is gone."))
    wanted = "Restore the champion pointer from the ledger: ops --stage dev repair pointer"
    assert ["PointerLost: It is gone.", wanted] == shown["sentences"]


def test_the_kind_of_one_is_what_the_machine_took_it_for() -> None:
    (shown,) = show(execution({"score": {}, "rollback": False}, status="FAILED"))
    assert "scoring" == shown["kind"]


def test_one_that_runs_has_no_end_and_one_of_another_release_says_so() -> None:
    running, older = show(
        execution({}, status="RUNNING"),
        execution({}, PREPARED, output=json.dumps({"evaluate": {"promote": "maybe"}})),
    )
    assert (None, []) == (running["ended_at"], running["sentences"])
    assert ["What it ended with can't be read: it was made by another release."] == older[
        "sentences"
    ]


def test_without_any_execution_the_list_is_empty() -> None:
    assert [] == show()
