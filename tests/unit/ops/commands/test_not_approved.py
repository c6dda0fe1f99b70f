"""What `ops ledger` and `ops status` say of versions that an operator did not approve."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys
from domain.model.champion import Champion, LedgerEntry, ModelRef
from domain.model.proposal import Answer, Proposal
from ops import executions, proposals
from ops.commands.machine import status
from ops.commands.models import ledger, train

ARN = "arn:aws:iam::123456789012:user/ada"
SAID = "Kept: an operator rejected the version: too low."


@pytest.fixture
def target(moto_bucket: Bucket) -> Any:
    """A stage with a champion and one entry in its ledger."""
    champion = Champion.successor(
        None, ModelRef.of(1, "1" * 64), action="promote", execution="e", now=1, actor="gate"
    )
    entry = LedgerEntry.of(champion, ("First.",))
    moto_bucket.put(entry.key, entry.to_json())
    return SimpleNamespace(models=ModelStore(moto_bucket), bucket=lambda _: moto_bucket)


def _answer(bucket: Bucket, number: int, answer: Answer, by: str | None, said: str) -> None:
    proposal = Proposal(
        execution=f"arn:aws:states:eu-central-1:123456789012:execution:training:{number}",
        version=f"{number}-0a1b2c3d",
        reasons=("Better.",),
        proposed_at=number,
        expires_at=number + 1,
        token="t",
    )
    answered = proposal.answered(answer, by=by, at=number, said=said)
    bucket.put(keys.proposal(proposal.name), answered.to_json())


def test_the_ledger_lists_who_rejected_what_and_what_nobody_approved(
    target: Any, moto_bucket: Bucket
) -> None:
    assert [] == ledger.run(target).data["not_approved"]
    _answer(moto_bucket, 2, "rejected", ARN, SAID)
    _answer(moto_bucket, 3, "expired", None, "Kept: nobody approved the version within 1 hour.")
    _answer(moto_bucket, 4, "approved", ARN, "")
    answer = ledger.run(target)
    found = [(e["version"], e["answer"], e["actor"]) for e in answer.data["not_approved"]]
    assert [("2-0a1b2c3d", "rejected", ARN), ("3-0a1b2c3d", "expired", None)] == found
    assert ["gate"] == [entry["actor"] for entry in answer.data["entries"]]
    assert "Passed the gate, but not approved:" in answer.shown


def test_a_first_model_that_waits_is_what_the_status_asks_to_answer(
    target: Any, moto_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = SimpleNamespace(version="1-0a1b2c3d", expires_at=1)
    monkeypatch.setattr(proposals, "list_waiting", lambda _: [waiting])
    monkeypatch.setattr(status, "list_links", lambda _: [])
    monkeypatch.setattr(status, "list_last_executions", lambda _: [])
    stage = SimpleNamespace(
        name="circle",
        stage="dev",
        laptop=None,
        count_dead_letters=lambda: 0,
        bucket=target.bucket,
        models=target.models,
        read_deployment=object,
        champion=lambda: None,
    )
    assert "python -m ops approve 1-0a1b2c3d" == status.run(stage).next_step  # type: ignore[arg-type]


def test_the_status_says_who_gave_the_last_answer(target: Any, moto_bucket: Bucket) -> None:
    assert [] == status.describe_last_answer(target)
    _answer(moto_bucket, 2, "approved", ARN, "")
    _answer(moto_bucket, 3, "rejected", ARN, SAID)
    [(name, text)] = status.describe_last_answer(target)
    assert "last approval" == name
    assert f"version 3-0a1b2c3d rejected by {ARN}. {SAID}" in text


def test_a_training_ends_at_the_approval_and_says_what_waits(
    target: Any, moto_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = "arn:aws:states:eu-central-1:123456789012:execution:training:5"
    polls: list[str] = []

    def follow(_: Any, execution: str, *, on_poll: Callable[[Any], None]) -> None:
        polls.append(execution)
        on_poll(_Waits())

    monkeypatch.setattr(train, "find_shortage", lambda *_, **__: None)
    monkeypatch.setattr(executions, "find_running", lambda *_: None)
    monkeypatch.setattr(executions, "start", lambda *_: arn)
    monkeypatch.setattr(executions, "follow", follow)
    monkeypatch.setattr(proposals, "PATIENCE_SECONDS", -1.0)
    early = train.run(target)  # the record is written by an event that may be late
    assert ["The model waits for an approval."] == early.shown
    proposal = Proposal(
        execution=arn,
        version="5-0a1b2c3d",
        reasons=("Better.",),
        proposed_at=1,
        expires_at=2,
        token="t",
    )
    moto_bucket.put(keys.proposal(proposal.name), proposal.to_json())
    answer = train.run(target)
    assert "It passed the gate: version 5-0a1b2c3d waits for an approval" in str(answer.shown[0])
    assert ("5-0a1b2c3d", 0) == (answer.data["version"], answer.status)
    assert answer.next_step.startswith("python -m ops approve")
    assert [arn] * 2 == polls


class _Waits:
    """Step Functions: the execution has entered `Approve`."""

    def get_paginator(self, _: str) -> "_Waits":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"events": [{"stateEnteredEventDetails": {"name": "Approve"}}]}]
