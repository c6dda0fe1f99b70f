"""Models that wait at the state Approve, and the operator's answer to one."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from domain import keys, times
from domain.errors import BadRecord
from domain.model.proposal import Proposal
from domain.training.steps import Approval
from ops import executions
from ops.console import Answer
from ops.errors import OpsError
from ops.target import Target

OUTCOMES = {"AnnounceApproved": "approved", "Rejected": "rejected", "Expired": "expired"}
"""State that follows each answer → what became of the proposal."""
WAITING = "Approve"
"""The state in which an execution waits for an answer."""
PATIENCE_SECONDS = 10.0
"""How long a proposal's record, or an answer in the execution's history, may take to show."""


def list_proposals(target: Target) -> list[Proposal]:
    """All proposals that can be read, the newest first."""
    reports, found = target.bucket("reports"), []
    for listed in reports.list(keys.PROPOSALS):
        stored = reports.get(listed.key)
        with suppress(BadRecord):
            if stored is not None:
                found.append(Proposal.from_json(stored.data))
    return sorted(found, key=lambda proposal: proposal.proposed_at, reverse=True)


def list_waiting(target: Target) -> list[Proposal]:
    """The proposals that still wait for an answer, by the history of their executions."""
    now = time.time_ns() // 1_000_000
    unanswered = [proposal for proposal in list_proposals(target) if proposal.waits(now)]
    if not unanswered:
        return []
    client = target.client("stepfunctions")
    return [
        proposal
        for proposal in unanswered
        if find_outcome(client, proposal.execution) is None
        and client.describe_execution(executionArn=proposal.execution)["status"] == "RUNNING"
    ]


def await_proposal(target: Target, execution: str) -> Proposal | None:
    """The record of an execution's proposal, which an event writes; None if it takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = (p for p in list_proposals(target) if p.execution == execution)
        proposal = next(found, None)
        if proposal is not None or time.monotonic() > deadline:
            return proposal
        time.sleep(0.5)


def describe(proposal: Proposal) -> str:
    """One line about a proposal that waits."""
    until = times.from_millis(proposal.expires_at).strftime("%Y-%m-%d %H:%M UTC")
    return f"version {proposal.version} waits for an approval until {until}"


def choose(target: Target, name: str | None) -> Proposal:
    """The proposal of that version or execution, or the only one that waits; raises OpsError."""
    if name is None:
        waiting = list_waiting(target)
        if not waiting:
            raise OpsError("No model waits for an approval.", "python -m ops status")
        if len(waiting) > 1:
            versions = ", ".join(proposal.version for proposal in waiting)
            raise OpsError(f"{len(waiting)} models wait: {versions}.", "Name one of them.")
        return waiting[0]
    found = [p for p in list_proposals(target) if name in (p.version, p.execution, p.name)]
    if not found:
        raise OpsError(f"{name} has never waited for an approval.", "python -m ops status")
    return found[0]


def answer(target: Target, proposal: Proposal, *, approved: bool, reason: str = "") -> bool:
    """Answer the state that waits; False if it had the same answer before.

    Raises OpsError when the other answer came first, or the time ran out.
    """
    from adapters.task_token import TaskToken, TokenClosed

    client = target.client("stepfunctions")
    outcome = find_outcome(client, proposal.execution)
    if outcome is None and proposal.token:
        caller = executions.prove_caller(target, proposal.name)
        result = Approval(approved=approved, reason=reason, caller=caller)
        with suppress(TokenClosed):  # the history says which answer closed it
            TaskToken(client, proposal.token).succeed(result.to_dict())
            return True
        outcome = _await_outcome(client, proposal.execution)
    wanted = "approved" if approved else "rejected"
    if outcome == wanted:
        return False
    if outcome is None:
        raise OpsError(
            f"Version {proposal.version} no longer waits: its execution was stopped.",
            "python -m ops train",
        )
    raise OpsError(
        f"Version {proposal.version} was {outcome} before."
        if outcome != "expired"
        else f"The time to answer for version {proposal.version} ran out, so nothing changed.",
        f"python -m ops rollback {proposal.version}" if approved else "python -m ops rollback",
    )


def find_outcome(client: Any, execution: str) -> str | None:
    """What became of an execution's proposal, by its history; None while it waits."""
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=execution, reverseOrder=True, includeExecutionData=False
    )
    for page in pages:
        for event in page["events"]:
            state = event.get("stateEnteredEventDetails", {}).get("name")
            if state in OUTCOMES:
                return OUTCOMES[state]
            if state == WAITING:
                return None
    return None


def _await_outcome(client: Any, execution: str) -> str | None:
    """The outcome of a proposal whose token is closed; the history follows with a delay."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (outcome := find_outcome(client, execution)) is None and time.monotonic() < deadline:
        if client.describe_execution(executionArn=execution)["status"] != "RUNNING":
            return find_outcome(client, execution)
        time.sleep(0.5)
    return outcome


def finish(target: Target, proposal: Proposal, *, was_first: bool, shown: Sequence[Any]) -> Answer:
    """Follow the execution to its end, and describe what became of it."""
    from ops.commands.models.train import describe_verdict

    result = executions.follow_quietly(target, proposal.execution, "approval")
    verdict = describe_verdict(result)
    before = [] if was_first else ["It had this answer before; nothing was sent."]
    return Answer(
        data={**verdict.data, "answered_before": not was_first},
        shown=[*before, *shown, *verdict.shown],
        next_step="python -m ops ledger",
    )
