"""`repair`: restore the champion pointer from the ledger, or the index of drift runs."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from typer import Argument

from domain import keys
from domain.drift.run_index import IndexEntry, RunIndex
from domain.drift.summary import Summary
from domain.errors import BadRecord
from domain.plural import write_count
from ops import executions
from ops.commands.models.train import describe_verdict
from ops.console import Answer, Progress
from ops.target import Target

if TYPE_CHECKING:
    from adapters.s3 import Bucket


class Lost(StrEnum):
    """What can be restored."""

    POINTER = "pointer"
    RUNS = "runs"


def run(
    target: Target,
    lost: Annotated[Lost, Argument(help="The champion pointer, or the index of drift runs.")],
) -> Answer:
    """Restore a lost champion pointer, or rebuild the index of drift runs.

    The pointer is restored by an execution like a rollback: the newest version of the ledger serves
    again. The index is rebuilt from the summaries in the runs' folders.
    """
    if lost is Lost.RUNS:
        return _rebuild_index(target.bucket("reports"))
    execution = executions.start(target, {"repair": True})
    verdict = describe_verdict(executions.follow_quietly(target, execution, "repair"))
    return Answer(data=verdict.data, shown=verdict.shown, next_step="python -m ops status --check")


def _rebuild_index(reports: "Bucket") -> Answer:
    found: list[RunIndex] = []
    damaged: list[str] = []

    def rebuild(_: bytes | None) -> bytes:
        """Read all runs again whenever another one was entered meanwhile."""
        found.clear()
        damaged.clear()
        index = RunIndex()
        for folder in reports.folders(keys.RUNS):
            key = f"{folder}summary.json"
            stored = reports.get(key)
            try:
                if stored is not None:
                    index = index.with_run(IndexEntry.of(Summary.from_json(stored.data)))
            except BadRecord as error:
                damaged.append(f"{key}: {error}")
        found.append(index)
        return index.to_json()

    with Progress("repair") as progress:
        progress.note("reading the summaries of all runs")
        reports.update(keys.RUN_INDEX, rebuild)
    runs = len(found[0].entries)
    return Answer(
        data={"runs": runs, "damaged": damaged},
        shown=[f"The index has {write_count(runs, 'run')}.", *damaged],
        next_step="python -m ops open dashboard",
        status=1 if damaged else 0,
    )
