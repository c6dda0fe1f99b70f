"""Executions: started once whatever happens to the answer, followed, listed by kind, stopped."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.acknowledgements import Acknowledgements
from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys
from domain.drift.acknowledgement import Acknowledgement
from domain.drift.alert_state import AlertState
from domain.drift.drift import Outcome
from domain.drift.incident import Incident
from domain.failures import explain_failure
from domain.model.card import CardVerdict
from domain.model.champion import Champion, ModelRef
from domain.model.consistency import Consistency
from ops import executions
from ops.commands.machine import status
from ops.commands.models import rollback, stop, train
from ops.errors import OpsError
from ops.explain import explain
from ops.laptop import Laptop
from tests.cards import make_card
from tests.unit.fakes import client_error, make_sts
from training_job.inputs import ExecutionInput

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:circle-dev-training"


class States:
    """Step Functions: the executions that were started, newest first."""

    def __init__(self) -> None:
        self.inputs: dict[str, Any] = {}
        self.statuses: dict[str, str] = {}
        self.state = "Tune"
        """The state that each execution has entered last."""

    def add(self, name: str, document: Any, status: str) -> None:
        arn = MACHINE.replace(":stateMachine:", ":execution:") + f":{name}"
        self.inputs = {arn: document, **self.inputs}
        self.statuses[arn] = status

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> None:
        arn = stateMachineArn.replace(":stateMachine:", ":execution:") + f":{name}"
        if arn in self.inputs:
            raise client_error("ExecutionAlreadyExists", "StartExecution")
        self.add(name, json.loads(input), "RUNNING")

    def describe_execution(self, executionArn: str) -> dict[str, Any]:
        return {
            "status": self.statuses[executionArn],
            "input": json.dumps(self.inputs[executionArn]),
            "error": "BadData",
            "cause": explain_failure("BadData", "a.csv\nis torn."),
        }

    def stop_execution(self, executionArn: str, cause: str) -> None:
        assert cause
        self.statuses[executionArn] = "ABORTED"

    def get_paginator(self, operation: str) -> "States":
        assert operation in ("list_executions", "get_execution_history")
        return self

    def paginate(self, executionArn: str = "", **asked: Any) -> list[dict[str, Any]]:
        if executionArn:
            return [{"events": [{"stateEnteredEventDetails": {"name": self.state}}]}]
        started = datetime(2026, 1, 31, tzinfo=UTC)
        wanted = asked.get("statusFilter")
        found = [
            {"executionArn": arn, "status": self.statuses[arn], "startDate": started}
            for arn in self.inputs
            if wanted in (None, self.statuses[arn])
        ]
        return [{"executions": found}]


class LostAnswer(States):
    """The first answer of StartExecution is lost after the work was done; boto3 repeats it."""

    def start_execution(self, **call: Any) -> None:
        super().start_execution(**call)
        super().start_execution(**call)


def _target(states: States, **more: Any) -> Any:
    deployment = SimpleNamespace(state_machine_arn=MACHINE)
    made = {"laptop": None, "folder": Path(), "deployment": deployment}

    def client(service: str, **_: Any) -> Any:
        return make_sts() if service == "sts" else states

    return SimpleNamespace(client=client, **made, **more)


def test_a_lost_answer_starts_nothing_twice() -> None:
    states = LostAnswer()
    arn = executions.start(_target(states), {"promote_version": "1-0a1b2c3d"})
    assert [arn] == list(states.inputs)
    assert "1-0a1b2c3d" == states.inputs[arn]["promote_version"]
    caller = ExecutionInput.parse(states.inputs[arn]).caller
    assert caller is not None
    assert "X-Amz-Signature=" in caller.proof


def test_two_starts_are_two_executions() -> None:
    states = States()
    assert 2 == len({executions.start(_target(states), {}) for _ in range(2)})


@pytest.mark.parametrize(
    "document", [{"trials": 0}, {"minimum_f1": 2}, {"raw_prefix": "scoring/"}, {"unknown": 1}]
)
def test_an_input_that_cannot_work_starts_nothing(document: dict[str, Any]) -> None:
    states = States()
    with pytest.raises(OpsError, match="input is refused"):
        executions.start(_target(states), document)
    assert {} == states.inputs


def test_what_an_operator_stopped_is_no_defect() -> None:
    class Stopped(States):
        def describe_execution(self, executionArn: str) -> dict[str, Any]:
            return {"status": "ABORTED", "cause": "An operator stopped it."}

    states = Stopped()
    states.add("a", {}, "ABORTED")
    (arn,) = states.inputs
    with pytest.raises(OpsError, match=r"ended as ABORTED: An operator stopped it.") as raised:
        executions.follow(_target(states), arn, on_poll=lambda _: None)
    assert raised.value.next_step.startswith("Start it again, unless it was stopped on purpose.")


def test_a_dead_task_agent_ends_the_wait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(executions, "AGENT_GRACE_SECONDS", -1.0)
    states = States()
    target = _target(states)
    target.laptop, target.folder = Laptop(folder=tmp_path), tmp_path
    arn = executions.start(target, {})
    with pytest.raises(OpsError, match="task agent doesn't run, so nothing works") as raised:
        executions.follow(target, arn, on_poll=lambda _: None)
    assert raised.value.next_step.startswith("python -m ops up ")


@pytest.mark.parametrize(
    ("command", "sentence", "advice"),
    [
        ("train", "The execution itself continues.", "python -m ops stop ends it"),
        ("demo", "The execution itself continues.", "python -m ops stop ends it"),
        ("score", "The execution itself continues.", "python -m ops stop ends it"),
        ("compact", "The execution itself continues.", "python -m ops stop ends it"),
        ("rollback", "The execution itself continues.", "python -m ops status shows it."),
        ("erase", "The erasure itself continues, and can't be stopped.", "The same command then"),
    ],
)
def test_an_interrupted_wait_says_what_goes_on_and_what_ends_it(
    tmp_path: Path, command: str, sentence: str, advice: str
) -> None:
    def interrupt(_: Any) -> None:
        raise KeyboardInterrupt

    states = States()
    states.add("a", {}, "RUNNING")
    (arn,) = states.inputs
    with pytest.raises(KeyboardInterrupt) as raised:
        executions.follow(_target(states), arn, on_poll=interrupt)
    found = explain(raised.value, command=command, stage=None, folder=tmp_path)
    assert (130, f"Interrupted. {sentence}") == (found.status, found.problem)
    assert "python -m ops status" in found.next_step
    assert advice in found.next_step
    assert ("ops stop" in found.next_step) == ("stop ends" in advice)


@pytest.mark.parametrize("stage", [None, "dev"])
def test_an_interrupt_before_the_execution_starts_promises_no_execution(
    tmp_path: Path, stage: str | None
) -> None:
    found = explain(KeyboardInterrupt(), command="score", stage=stage, folder=tmp_path)
    assert (130, "Interrupted.") == (found.status, found.problem)
    assert "python -m ops score runs it again" in found.next_step
    assert ("python -m ops down" in found.next_step) == (stage is None)


def test_the_last_training_is_no_scoring_no_rollback_and_no_check() -> None:
    states = States()
    states.add("a", {}, "SUCCEEDED")
    states.add("b", {"rollback": True}, "SUCCEEDED")
    states.add("c", {"check": True}, "SUCCEEDED")
    states.add("d", {"score": {"input": "raw/", "output": "scoring/out/"}}, "FAILED")
    last = dict(status.list_last_executions(_target(states)))
    started = "started 2026-01-31 00:00:00 UTC"
    assert f"SUCCEEDED, {started}" == last["last training"]
    assert f"FAILED, {started}: BadData: a.csv is torn." == last["last scoring"]
    assert {"last training", "last scoring", "last rollback", "last check"} == set(last)


def test_before_the_first_training_there_is_none() -> None:
    assert [("last training", "none yet")] == status.list_last_executions(_target(States()))


def test_stop_ends_the_running_training_and_leaves_a_rollback_alone() -> None:
    states = States()
    states.add("old", {}, "SUCCEEDED")
    states.add("running", {"trials": 3}, "RUNNING")
    states.add("back", {"promote_version": "1-0a1b2c3d"}, "RUNNING")
    answer = stop.run(_target(states))
    assert ["Stopped the training running."] == answer.shown
    ended = {arn.rsplit(":", 1)[1]: found for arn, found in states.statuses.items()}
    assert {"old": "SUCCEEDED", "running": "ABORTED", "back": "RUNNING"} == ended


@pytest.mark.parametrize("no_wait", [False, True])
@pytest.mark.parametrize(
    ("state", "problem", "advice"),
    [
        ("Prepare", "a is training, and only one", "python -m ops stop a ends it."),
        ("Approve", "The model of a waits for an approval.", "python -m ops reject --reason TEXT"),
    ],
)
def test_a_second_training_is_refused_before_it_starts(
    state: str, problem: str, advice: str, no_wait: bool
) -> None:
    states = States()
    states.state = state
    states.add("a", {"trials": 3}, "RUNNING")
    states.add("back", {"promote_version": "1-0a1b2c3d"}, "RUNNING")
    with pytest.raises(OpsError, match=problem) as refused:
        train.run(_target(states), no_wait=no_wait)
    assert refused.value.next_step.endswith(advice)
    assert 2 == len(states.inputs)


def test_beside_a_scoring_and_after_another_training_a_training_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train, "find_shortage", lambda *_, **__: None)
    states = States()
    states.add("old", {}, "SUCCEEDED")
    states.add("scoring", {"score": {}}, "RUNNING")
    started = train.run(_target(states), no_wait=True).data["execution"]
    assert "RUNNING" == states.statuses[started]


@pytest.mark.parametrize("named", [None, "other"])
def test_without_a_running_training_there_is_nothing_to_stop(named: str | None) -> None:
    states = States()
    states.add("old", {}, "SUCCEEDED")
    with pytest.raises(OpsError, match="so there is nothing to stop"):
        stop.run(_target(states), named)


@pytest.mark.parametrize(("problems", "expected"), [((), 0), (("The ledger lacks seq 1.",), 1)])
def test_a_check_with_problems_exits_with_1(
    moto_bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    problems: tuple[str, ...],
    expected: int,
) -> None:
    model = ModelRef.of(1, "1" * 64)
    champion = Champion.successor(None, model, action="promote", execution="e", now=1)
    found = Consistency(checked_at=0, version=model.version, seq=1, problems=problems)
    moto_bucket.put(keys.CHECK, found.to_json())
    monkeypatch.setattr(executions, "follow_quietly", lambda *_: None)
    target = _deployed(moto_bucket, champion, monkeypatch)
    assert expected == status.run(target, check=True).status
    assert 0 == status.run(target).status


def test_status_shows_an_open_incident_until_it_recovers_and_whom_it_waits_for(
    moto_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = Champion.successor(
        None, ModelRef.of(1, "1" * 64), action="promote", execution="e", now=1
    )
    target = _deployed(moto_bucket, champion, monkeypatch)
    quiet = status.run(target)
    assert ([], "python -m ops simulate") == (quiet.data["incidents"], quiet.next_step)
    opened = Incident(
        last_window_end=9, outcome=Outcome.DATA_DRIFT, drifted=("age", "bmi"), opened_at=86_400_000
    )
    moto_bucket.put(keys.ALERT_STATE, AlertState(opened).to_json())
    waiting = status.run(target)
    said = "data drift since 1970-01-01 (age, bmi)"
    assert f"{said}, not acknowledged" in str(waiting.shown[0])
    assert "python -m ops acknowledge" == waiting.next_step
    by_ann = Acknowledgement(
        kind="daily", opened_at=86_400_000, acknowledged_at=86_400_001, actor="ann"
    )
    Acknowledgements(moto_bucket).add(by_ann)
    known = status.run(target)
    assert f"{said}, acknowledged by ann" in str(known.shown[0])
    assert "python -m ops simulate" == known.next_step
    moto_bucket.put(keys.ALERT_STATE, b"{")
    assert "unknown: The alert state can't be decoded" in str(status.run(target).shown[0])


@pytest.mark.parametrize("stopped", ["MLflow", "task agent"])
def test_what_has_stopped_is_started_before_anything_else(
    moto_bucket: Bucket, monkeypatch: pytest.MonkeyPatch, stopped: str
) -> None:
    target = _deployed(moto_bucket, None, monkeypatch)
    target.laptop = object()
    services = {"emulator": "running", "MLflow": "running", "task agent": "running"}
    monkeypatch.setattr(status, "read_services", lambda _: [*services.items()])
    assert "python -m ops upload FILE, then python -m ops train" == status.run(target).next_step
    moto_bucket.put("raw/a.csv", b"a")
    assert "python -m ops train" == status.run(target).next_step
    services[stopped] = "stopped"
    assert "python -m ops up" == status.run(target).next_step


def test_a_first_model_that_the_gate_refused_may_be_let_serve(
    moto_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = _deployed(moto_bucket, None, monkeypatch)
    for version in ("9-0a1b2c3d", "10-0a1b2c3d"):
        moto_bucket.put(keys.card(version), b"{}")
    proposed = status.run(target).next_step
    assert proposed.startswith("python -m ops promote 10-0a1b2c3d --reason TEXT lets")
    with pytest.raises(OpsError) as raised:
        rollback.run(target)
    assert proposed == raised.value.next_step


def test_without_a_champion_status_gives_the_reasons_of_the_newest_refusal(
    moto_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = _deployed(moto_bucket, None, monkeypatch)
    reasons = ("F1 0.42 is below 0.5.", "The recall is low.")
    verdict = CardVerdict(promote=False, rule="first", reasons=reasons, champion_version=None)
    for version, given in (("1-0a1b2c3d", ("Older.",)), ("2-0a1b2c3d", reasons)):
        card = make_card(version, verdict=replace(verdict, reasons=given))
        moto_bucket.put(keys.card(version), card.to_json())
    found = status.run(target)
    assert [*reasons] == found.data["refusals"]
    assert "2-0a1b2c3d: F1 0.42 is below 0.5." in str(found.shown[0])
    assert "Older." not in str(found.shown[0])
    assert "promote 2-0a1b2c3d --reason TEXT lets the newest model serve although" in (
        found.next_step
    )
    moto_bucket.put(keys.card("2-0a1b2c3d"), make_card("2-0a1b2c3d").to_json())
    passed = status.run(target)
    assert [] == passed.data["refusals"]
    assert "or python -m ops train makes another" in passed.next_step


def test_after_a_first_training_that_failed_status_says_why_and_what_to_do(
    moto_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = States()
    states.add("a", {"trials": 3}, "FAILED")
    found = status.run(_deployed(moto_bucket, None, monkeypatch, states))
    assert "BadData: a.csv is torn." in str(found.shown[0])
    assert "Correct what stopped the last training" in found.next_step


def test_while_the_first_training_runs_nothing_else_is_proposed(
    moto_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = States()
    states.add("a", {"trials": 3}, "RUNNING")
    target = _deployed(moto_bucket, None, monkeypatch, states)
    assert "python -m ops status, when the training has ended." == status.run(target).next_step


def _deployed(
    bucket: Bucket,
    champion: Champion | None,
    monkeypatch: pytest.MonkeyPatch,
    states: States | None = None,
) -> Any:
    monkeypatch.setattr(status, "list_links", lambda _: [])
    return _target(
        states or States(),
        name="circle",
        stage="dev",
        count_dead_letters=lambda: 0,
        bucket=lambda _: bucket,
        models=ModelStore(bucket),
        read_deployment=object,
        champion=lambda: champion,
    )
