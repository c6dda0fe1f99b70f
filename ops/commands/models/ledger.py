"""`ledger`: which versions have served, when, by whom and why; and which were not approved."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from domain import keys, times
from domain.errors import BadRecord
from domain.model.champion import LedgerEntry
from domain.model.proposal import Proposal
from ops import proposals
from ops.console import Answer, table
from ops.target import Target

if TYPE_CHECKING:
    from rich.console import RenderableType


def run(target: Target) -> Answer:
    """Show which versions have served, and why."""
    entries, damaged = read_entries(target)
    declined = list_declined(target)
    data = {
        "entries": [asdict(entry) for entry in entries],
        "damaged": damaged,
        "not_approved": [
            {
                "version": proposal.version,
                "answer": proposal.answer,
                "actor": proposal.answered_by,
                "answered_at": proposal.answered_at,
                "reason": proposal.said,
            }
            for proposal in declined
        ],
    }
    if not entries and not damaged:
        return Answer(
            data=data,
            shown=["The ledger is empty: nothing has been promoted yet."],
            next_step="python -m ops train",
        )
    rows = [
        (
            str(entry.seq),
            times.from_millis(entry.promoted_at).strftime("%Y-%m-%d %H:%M:%S"),
            entry.action,
            entry.version,
            entry.previous_version or "-",
            entry.actor,
            " ".join(entry.reasons),
        )
        for entry in entries
    ]
    header = ("seq", "when (UTC)", "action", "version", "before", "who", "reasons")
    return Answer(
        data=data,
        shown=[table(header, rows), *damaged, *_tabulate(declined)],
        next_step=_next_step(entries, damaged),
    )


def list_declined(target: Target) -> list[Proposal]:
    """Versions that passed the gate and were rejected or not approved in time, oldest first."""
    found = reversed(proposals.list_proposals(target))
    return [proposal for proposal in found if proposal.answer in ("rejected", "expired")]


def _tabulate(declined: Sequence[Proposal]) -> "list[RenderableType]":
    if not declined:
        return []
    rows = [
        (
            proposal.version,
            times.from_millis(proposal.answered_at or 0).strftime("%Y-%m-%d %H:%M:%S"),
            proposal.answer or "",
            proposal.answered_by or "-",
            proposal.said,
        )
        for proposal in declined
    ]
    header = ("version", "when (UTC)", "answer", "who", "reason")
    return ["Passed the gate, but not approved:", table(header, rows)]


def _next_step(entries: Sequence[LedgerEntry], damaged: Sequence[str]) -> str:
    if damaged:
        return "python -m ops status --check"
    return "python -m ops rollback" if len(entries) > 1 else "python -m ops simulate"


def read_entries(target: Target) -> tuple[list[LedgerEntry], list[str]]:
    """The entries that can be read, oldest first, and a line for each that can't."""
    models = target.models
    found, damaged = [], []
    for listed in models.bucket.list(keys.LEDGER):
        try:
            found.append(models.read_entry(listed.key))
        except BadRecord as error:
            damaged.append(f"{listed.key}: {error}")
    return found, damaged
