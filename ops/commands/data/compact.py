"""`compact`: one execution that merges the logs' small objects, watched until it ends."""

from typing import Annotated

from typer import Option

from domain import times
from domain.training.steps import Compacted
from domain.typed_json import encode
from ops import executions
from ops.console import Answer, facts
from ops.target import Target
from training_job.compaction.compact_request import (
    CLOSED_DAYS,
    GRACE_MS,
    MOST_DAYS,
    USUAL_DAYS,
    CompactRequest,
)


def run(
    target: Target,
    *,
    days: Annotated[
        int, Option(help="How many days back to look.", min=CLOSED_DAYS, max=MOST_DAYS)
    ] = USUAL_DAYS,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Only say what would be merged and deleted; change nothing.")
    ] = False,
) -> Answer:
    """Merge the many small objects of the logs into few.

    Today and yesterday are left alone. Small objects stay beside what they were merged into until
    nobody can be reading them: the first call after twelve hours deletes them, whatever its --days.
    """
    request = CompactRequest(days=days, dry_run=dry_run)
    execution = executions.start(target, {"compact": encode(request)})
    result = executions.follow_quietly(target, execution, "compact")
    compacted = Compacted.from_dict(result.output[Compacted.step])
    would = "would be " if dry_run else ""
    pairs = [
        (f"small objects {would}merged", f"{compacted.merged:,}"),
        ("into objects", f"{compacted.objects:,}"),
        (f"small objects {would}deleted, merged before", f"{compacted.deleted:,}"),
        (f"merged objects {would}withdrawn", f"{compacted.withdrawn:,}"),
        ("objects left", f"{compacted.left:,}"),
    ]
    if not dry_run:
        pairs.insert(2, ("with rows", f"{compacted.rows:,}"))
    return Answer(
        data=compacted.to_dict(),
        shown=[facts(pairs), *compacted.reasons],
        next_step=_find_next_step(compacted, f"python -m ops compact --days {days}"),
        status=1 if compacted.left else 0,
    )


def _find_next_step(compacted: Compacted, command: str) -> str:
    if compacted.dry_run:
        return command if compacted.merged or compacted.deleted or compacted.withdrawn else ""
    hours = GRACE_MS // times.HOUR_MS
    return f"Delete the small objects {hours} hours from now: {command}" if compacted.merged else ""
