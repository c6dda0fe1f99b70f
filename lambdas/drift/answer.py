"""Describe runs in what the function returns."""

from collections.abc import Sequence

from domain.drift.run_result import RunResult, RunResults
from domain.drift.summary import Summary
from monitoring_job.alerts.links import Links


def describe_runs(summaries: Sequence[Summary], links: Links) -> RunResults:
    """Describe each run, with links to its reports."""
    return RunResults(
        tuple(
            RunResult(
                run_id=summary.run_id,
                outcome=summary.outcome,
                version=summary.version,
                rows=summary.rows.distinct,
                drifted=tuple(column.column for column in summary.drifted),
                mail=summary.mail,
                reports={name: links.report(summary.run_id, name) for name in summary.reports},
                problems=summary.problems,
            )
            for summary in summaries
        )
    )
