"""`ledger`: which versions have served, when, and why."""

from collections.abc import Sequence
from dataclasses import asdict

from domain import keys, times
from domain.errors import BadRecord
from domain.model.champion import LedgerEntry
from ops.console import Answer, table
from ops.target import Target


def run(target: Target) -> Answer:
    """Show which versions have served, and why."""
    entries, damaged = read_entries(target)
    data = {"entries": [asdict(entry) for entry in entries], "damaged": damaged}
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
        shown=[table(header, rows), *damaged],
        next_step=_next_step(entries, damaged),
    )


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
