"""`ledger`: which versions came to serve, when, and why."""

import argparse

from domain import keys, times
from domain.errors import BadRecord
from domain.model.champion import LedgerEntry
from ops.console import table
from ops.target import Target


def arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(_: argparse.Namespace, target: Target) -> str:
    """The command."""
    listed, damaged = entries(target)
    if not listed and not damaged:
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
    for line in damaged:
        print(line)
    return target.command("status --check" if damaged else "rollback [--to VERSION]")


def entries(target: Target) -> tuple[list[LedgerEntry], list[str]]:
    """All that can be read, oldest first, and a line for each that can't."""
    models = target.models
    found, damaged = [], []
    for listed in models.bucket.list(keys.LEDGER):
        try:
            found.append(models.read_entry(listed.key))
        except BadRecord as error:
            damaged.append(f"{listed.key}: {error}")
    return found, damaged
