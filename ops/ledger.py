"""`ledger`: which versions came to serve, when, and why."""

import argparse

from domain import keys, times
from domain.champion import LedgerEntry
from ops.console import table
from ops.target import Target


def arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(_: argparse.Namespace, target: Target) -> str:
    """The command."""
    listed = entries(target)
    if not listed:
        print("The ledger is empty: nothing was promoted yet.")
        return target.command("train")
    print(
        table(
            ("seq", "when (UTC)", "action", "version", "before", "reasons"),
            [
                (
                    str(entry.seq),
                    times.from_millis(entry.promoted_at).strftime("%Y-%m-%d %H:%M:%S"),
                    entry.action,
                    entry.version,
                    entry.previous_version or "-",
                    " ".join(entry.reasons),
                )
                for entry in listed
            ],
        )
    )
    return target.command("rollback") + " [--to VERSION]"


def entries(target: Target) -> list[LedgerEntry]:
    """All entries, oldest first."""
    models = target.bucket("models")
    stored = (models.get(listed.key) for listed in models.list(keys.LEDGER))
    return [LedgerEntry.from_json(found.data) for found in stored if found is not None]
