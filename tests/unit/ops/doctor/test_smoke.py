"""When `smoke` refuses, and what it says about each station that fails."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.drift.drift import Outcome
from domain.drift.run_result import RunResult
from domain.model.champion import Champion, ModelRef
from ops.commands.account import smoke
from ops.commands.data.simulate import Sent
from ops.errors import OpsError
from ops.loop import Batch
from ops.target import Target
from tests.unit.ops.doctor.recorded import record

OURS = "arn:aws:states:eu-west-1:123456789012:execution:circle-dev-training:smoke-20260101T000000-1"
THEIRS = OURS.replace("smoke-", "train-")
FOUND = RunResult(
    run_id="run",
    outcome=Outcome.DATA_DRIFT,
    version="1-0a1b2c3d",
    rows=300,
    drifted=("glucose",),
    mail="sent",
    reports={},
    problems=(),
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _champion(execution: str) -> Champion:
    model = ModelRef.of(1, "0" * 64)
    return Champion(
        seq=1,
        version=model.version,
        bundle_key=model.bundle_key,
        sha256=model.sha256,
        previous=None,
        action="promote",
        execution=execution,
        promoted_at=0,
    )


@pytest.mark.parametrize(("execution", "refused"), [(None, False), (OURS, False), (THEIRS, True)])
def test_a_stage_with_a_champion_of_somebodys_own_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, execution: str | None, refused: bool
) -> None:
    champion = None if execution is None else _champion(execution)
    monkeypatch.setattr(Target, "champion", lambda _: champion)
    if not refused:
        smoke.require_own_champion(record())
        return
    with pytest.raises(OpsError, match="made-up predictions would count") as error:
        smoke.require_own_champion(record())
    assert "make smoke NAME=smoke STAGE=dev" in error.value.next_step


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ((), "no run"),
        ((replace(FOUND, outcome=Outcome.STABLE, drifted=()),), "stable"),
        ((replace(FOUND, outcome=Outcome.NO_DATA, drifted=()),), "no_data"),
    ],
)
def test_a_shift_that_is_not_found_fails(
    monkeypatch: pytest.MonkeyPatch, runs: tuple[RunResult, ...], words: str
) -> None:
    monkeypatch.setattr(smoke, "watch_drift", lambda *_: runs)
    target = record()
    target.__dict__["deployment"] = target.read_deployment()
    with pytest.raises(OpsError, match=f"did not find the shift: {words}"):
        smoke.find_drift(target, Batch(Sent(), NOW, NOW))


def test_the_drift_run_is_asked_to_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    def drift(_: Target, request: Mapping[str, Any]) -> tuple[RunResult, ...]:
        return (FOUND,) if request["mail"] is True else ()

    monkeypatch.setattr(smoke, "watch_drift", drift)
    assert FOUND == smoke.find_drift(record(), Batch(Sent(), NOW, NOW))


def test_a_refused_mail_fails_with_its_reason() -> None:
    refused = replace(FOUND, mail="failed", problems=("The address is not verified.",))
    with pytest.raises(OpsError, match=r"not sent \(failed\)\. The address is not verified\."):
        smoke.read_mail(record(), refused)


def test_records_that_never_come_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "ACCOUNT_WAIT", (0.02, 0.01))
    with pytest.raises(OpsError, match="The log lacks some after"):
        smoke.await_records(record(), lambda: False, "The log lacks some")
    smoke.await_records(record(), lambda: True, "The log lacks some")
