"""The result of comparing champion pointer, ledger and registry."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from domain import typed_json
from domain.errors import BadRecord
from domain.model.champion import Champion, LedgerEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """The problems found at `checked_at` (UTC milliseconds), a sentence each."""

    checked_at: int
    version: str | None
    seq: int
    problems: tuple[str, ...]

    def to_json(self) -> bytes:
        """The object's content."""
        return json.dumps(asdict(self), indent=2, sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Consistency":
        """The inverse of `to_json`; raises BadRecord."""
        try:
            return typed_json.from_json(cls, data)
        except BadRecord as error:
            raise BadRecord(f"The outcome of the last check can't be decoded: {error}") from None


def find_ledger_problems(
    champion: Champion | None, entries: Sequence[LedgerEntry], *, operator: str
) -> list[str]:
    """Find gaps and contradictions between the champion and the ledger, which is in key order.

    `operator`: how the operator's command line is called for the deployment.
    """
    if champion is None:
        gone = "The ledger has entries, but there is no champion pointer. Restore it:"
        return [f"{gone} {operator} repair pointer"] if entries else []
    problems = []
    found = [entry.seq for entry in entries]
    missing = sorted(set(range(1, champion.seq + 1)) - set(found))
    if missing:
        listed = ", ".join(map(str, missing))
        repair = " The next promotion writes it." if missing == [champion.seq] else ""
        problems.append(f"The ledger lacks seq {listed}.{repair}")
    if len(found) != len(set(found)):
        problems.append("The ledger has two entries of one seq.")
    if any(seq > champion.seq for seq in found):
        problems.append(f"The ledger goes beyond the pointer's seq {champion.seq}.")
    for before, entry in itertools.pairwise(entries):
        follows = entry.seq == before.seq + 1 and entry.action != "repair"
        if follows and entry.previous_version != before.version:
            problems.append(f"Ledger seq {entry.seq} doesn't follow on seq {before.seq}.")
    last = next((entry for entry in entries if entry.seq == champion.seq), None)
    if last is not None and last != LedgerEntry.of(champion, last.reasons):
        problems.append(f"Ledger seq {last.seq} is not the promotion that the pointer names.")
    return problems
