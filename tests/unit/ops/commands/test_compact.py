"""`ops compact`: what an execution is asked, and what its result says."""

from types import SimpleNamespace
from typing import Any

import pytest

from domain.training.steps import Compacted
from ops import executions
from ops.commands.data import compact
from ops.console import render
from ops.executions import Result
from training_job.compaction.compact_request import CompactRequest
from training_job.errors import BadInput
from training_job.inputs import ExecutionInput


@pytest.mark.parametrize(
    ("dry_run", "left", "status"), [(False, 0, 0), (True, 0, 0), (False, 1, 1)]
)
def test_the_execution_is_asked_and_its_result_is_shown(
    monkeypatch: pytest.MonkeyPatch, dry_run: bool, left: int, status: int
) -> None:
    asked: list[Any] = []

    def follow(*_: Any) -> Result:
        request = ExecutionInput.parse(asked[-1]).compact
        assert CompactRequest(days=5, dry_run=dry_run) == request
        done = Compacted(
            dry_run=dry_run,
            merged=1_440,
            objects=1,
            rows=0 if dry_run else 100_800,
            left=left,
            reasons=("log/dt=2026-01-31/a.parquet: it can't be read.",) * left,
        )
        return Result("arn", {"compact": done.to_dict()})

    monkeypatch.setattr(executions, "start", lambda _, document: asked.append(document))
    monkeypatch.setattr(executions, "follow_quietly", follow)
    target: Any = SimpleNamespace()
    answer = compact.run(target, days=5, dry_run=dry_run)
    text = "".join(render(part) for part in answer.shown)
    assert "1,440" in text
    assert dry_run is not ("100,800" in text)
    assert bool(left) is ("a.parquet: it can't be read." in text)
    assert (1_440, status) == (answer.data["merged"], answer.status)
    later = "Delete the small objects 12 hours from now: "
    assert f"{'' if dry_run else later}python -m ops compact --days 5" == answer.next_step


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([], "must be a JSON object with days"),
        ({}, "compact.days must be a whole number from 2 to 3650"),
        ({"days": 1}, "compact.days must be"),
        ({"days": True}, "compact.days must be"),
        ({"days": 7, "dry_run": 1}, "compact.dry_run must be true or false"),
        ({"days": 7, "day": 7}, "compact.day is not known"),
    ],
)
def test_an_input_that_cannot_be_used_is_refused_by_its_fields(
    document: object, expected: str
) -> None:
    with pytest.raises(BadInput, match=expected):
        ExecutionInput.parse({"compact": document})


def test_a_compaction_excludes_an_erasure() -> None:
    with pytest.raises(BadInput, match="exclude each other"):
        ExecutionInput.parse({"compact": {"days": 7}, "check": True})
