"""What a run adds to the metrics: the monitor is monitored, too."""

from collections.abc import Sequence

from adapters.telemetry import Observation
from domain import metrics
from domain.drift.summary import Summary


def observe(
    summaries: Sequence[Summary], *, scheduled: bool, last: int | None, now: int
) -> Observation:
    """Count runs, rows and refused mails.

    `last`: end of the latest window of a scheduled run; `now`: both UTC milliseconds.
    """
    observation = Observation()
    for summary in summaries:
        rows = summary.rows
        observation.count(metrics.RUNS)
        observation.count(metrics.SCHEDULED_RUNS, scheduled)
        observation.count(metrics.DRIFTED_RUNS, summary.outcome.is_drift)
        observation.count(metrics.UNDECIDED_RUNS, not summary.outcome.is_verdict)
        observation.count(metrics.ROWS, rows.distinct)
        observation.count(metrics.REFUSED_MAILS, summary.mail == "failed")
    if summaries:
        # Counted for the window's partitions, so it is the same for each version.
        skipped = sum(summaries[0].rows.malformed.values()) + summaries[0].rows.unreadable_objects
        observation.count(metrics.SKIPPED_ROWS, skipped)
        observation.properties["outcomes"] = [summary.outcome.value for summary in summaries]
        observation.properties["run_ids"] = [summary.run_id for summary in summaries]
    if last is not None:
        observation.count(metrics.LAST_RUN_AGE, max(0, now - last) / 1000)
    return observation
