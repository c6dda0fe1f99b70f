"""`ops repair`, and the commands that notice what it repairs."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys
from domain.drift.drift import Outcome
from domain.drift.run_index import IndexEntry, RunIndex
from domain.model.champion import Champion, LedgerEntry, ModelRef
from domain.training.steps import Promoted
from ops import executions
from ops.commands.data import score, simulate
from ops.commands.machine import status
from ops.commands.models import repair, rollback
from ops.errors import OpsError
from ops.executions import Result
from ops.target import Target
from tests.unit.monitoring import drift_summary

POINTER = "python -m ops repair pointer"


@pytest.fixture
def target(moto_bucket: Bucket) -> Any:
    """A stage with one entry in its ledger and no pointer."""
    model = ModelRef.of(1, "1" * 64)
    champion = Champion.successor(None, model, action="promote", execution="e", now=1)
    entry = LedgerEntry.of(champion, ("First.",))
    moto_bucket.put(entry.key, entry.to_json())
    place: Any = SimpleNamespace(models=ModelStore(moto_bucket))
    return SimpleNamespace(
        laptop=None,
        models=place.models,
        name="circle",
        stage="dev",
        champion=lambda: Target.champion(place),
        bucket=lambda _: moto_bucket,
        read_deployment=object,
    )


@pytest.fixture(params=["gone", "damaged"])
def lost(request: pytest.FixtureRequest, target: Any) -> Any:
    if request.param == "damaged":
        target.bucket("models").put(keys.CHAMPION, b"{")
    return target


@pytest.mark.parametrize("command", ["rollback", "simulate", "score"])
def test_a_command_that_notices_a_lost_pointer_offers_its_repair(lost: Any, command: str) -> None:
    lost.bucket("data").put("raw/a.csv", b"age\n40\n")
    lost.deployment, lost.api_key = SimpleNamespace(api_url="http://127.0.0.1:1"), lambda: "key"
    calls = {
        "rollback": lambda: rollback.run(lost),
        "simulate": lambda: simulate.run(lost),
        "score": lambda: score.run(lost, input="raw/a.csv"),
    }
    with pytest.raises(OpsError, match="pointer") as raised:
        calls[command]()
    assert POINTER == raised.value.next_step


@pytest.mark.parametrize(("check", "expected"), [(True, 1), (False, 0)])
def test_the_status_offers_the_repair_of_a_lost_pointer(
    lost: Any, monkeypatch: pytest.MonkeyPatch, check: bool, expected: int
) -> None:
    monkeypatch.setattr(status, "list_links", lambda _: [])
    lost.count_dead_letters = lambda: 0
    monkeypatch.setattr(status, "list_last_executions", lambda _: [])
    monkeypatch.setattr(executions, "start", lambda *_: "arn")
    monkeypatch.setattr(executions, "follow_quietly", lambda *_: None)
    answer = status.run(lost, check=check)
    assert (POINTER, expected) == (answer.next_step, answer.status)


def test_the_pointer_is_repaired_by_an_execution(
    target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    promoted = Promoted(promoted=True, version="1-11111111", reasons=("Restored.",), seq=2)
    result = Result("arn", {"promote": promoted.to_dict()})
    monkeypatch.setattr(executions, "start", lambda _, document: asked.append(document))
    monkeypatch.setattr(executions, "follow_quietly", lambda *_: result)
    answer = repair.run(target, repair.Lost.POINTER)
    assert [{"repair": True}] == asked
    assert (True, "1-11111111") == (answer.data["promoted"], answer.data["version"])


@pytest.mark.parametrize(
    "index",
    [None, b"garbage", b'{"runs": [{"end": null}]}'],
    ids=["missing", "garbage", "an entry without its end"],
)
def test_the_index_of_runs_is_rebuilt_from_their_folders(target: Any, index: bytes | None) -> None:
    reports = target.bucket("reports")
    runs = [drift_summary(Outcome.STABLE, day=day) for day in (0, 1)]
    for run in runs:
        reports.put(f"{keys.RUNS}{run.run_id}/summary.json", run.to_json())
    if index is not None:
        reports.put(keys.RUN_INDEX, index)
    answer = repair.run(target, repair.Lost.RUNS)
    assert ({"runs": 2, "damaged": []}, 0) == (answer.data, answer.status)
    stored = reports.get(keys.RUN_INDEX)
    assert (IndexEntry.of(runs[1]), IndexEntry.of(runs[0])) == (
        RunIndex.from_json(stored.data).entries
    )


def test_a_run_that_cannot_be_read_is_named_and_the_others_are_listed(target: Any) -> None:
    reports = target.bucket("reports")
    run = drift_summary(Outcome.STABLE)
    reports.put(f"{keys.RUNS}{run.run_id}/summary.json", run.to_json())
    reports.put(f"{keys.RUNS}torn/summary.json", json.dumps({"run_id": 1}).encode())
    answer = repair.run(target, repair.Lost.RUNS)
    assert (1, 1) == (answer.data["runs"], answer.status)
    assert answer.data["damaged"][0].startswith("runs/torn/summary.json: ")
