"""Promotion by name, rollback, check and lock, through the deployed state machine."""

import json
from typing import Any

import pytest

from domain import keys
from domain.model.champion import Champion, ModelRef
from ops import executions
from ops.commands.models import ledger, train
from ops.errors import OpsError
from ops.local.processes import wait_until
from tests.e2e.conftest import Circle, ops


def _champion(circle: Circle) -> Champion:
    champion = circle.target.champion()
    assert champion is not None
    return champion


def test_a_named_version_serves_and_a_rollback_brings_the_champion_back(
    circle: Circle, another: ModelRef
) -> None:
    before = _champion(circle)
    folder = circle.target.folder
    named = ops(folder, "rollback", "--to", another.version)
    assert 0 == named.returncode, named.stderr + named.stdout
    assert another == _champion(circle).model
    back = ops(folder, "rollback")
    assert 0 == back.returncode, back.stderr + back.stdout
    after = _champion(circle)
    assert (before.model, another, before.seq + 2) == (after.model, after.previous, after.seq)
    entries, damaged = ledger.read_entries(circle.target)
    assert [] == damaged
    assert ["promote", "rollback"] == [entry.action for entry in entries[-2:]]
    assert list(range(1, after.seq + 1)) == [entry.seq for entry in entries]
    arn = circle.target.client("sts").get_caller_identity()["Arn"]
    assert [arn] * 2 == [entry.actor for entry in entries[-2:]]


def test_the_check_finds_champion_ledger_and_registry_in_agreement(circle: Circle) -> None:
    done = ops(circle.target.folder, "status", "--check")
    assert 0 == done.returncode, done.stderr
    seq = _champion(circle).seq
    assert f"champion, ledger and registry agree, seq {seq}" in done.stdout


def test_of_two_trainings_at_once_the_second_is_refused(circle: Circle) -> None:
    target = circle.target
    states: Any = target.client("stepfunctions")
    first = executions.start(target, {"trials": 3})

    def holds_the_lock() -> bool:
        stored = target.bucket("models").get(keys.LOCK)
        return stored is not None and first == json.loads(stored.data)["execution"]

    try:
        assert wait_until(holds_the_lock, seconds=60)
        second = ops(target.folder, "train", "--trials", "1")
        # One that starts all the same, as of two commands at once: the lock refuses it.
        with pytest.raises(OpsError, match=f"TrainingInProgress: {first} is training"):
            train.follow(target, executions.start(target, {"trials": 1}))
        status = states.describe_execution(executionArn=first)["status"]
    finally:
        states.stop_execution(executionArn=first)
    assert "RUNNING" == status
    assert 1 == second.returncode
    name = first.rsplit(":", 1)[-1]
    assert f"{name} is training, and only one training runs at a time." in second.stderr
    assert f"stop {name} ends it." in second.stderr
