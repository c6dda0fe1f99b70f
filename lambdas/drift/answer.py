"""Describe runs in what the function returns."""

from collections.abc import Sequence
from typing import Any

from domain.drift.summary import Summary
from monitoring_job.alerts.links import Links


def describe_runs(summaries: Sequence[Summary], links: Links) -> dict[str, Any]:
    """Return one entry per run, with links to its reports, as plain data."""
    return {
        "runs": [
            {
                "run_id": summary.run_id,
                "outcome": summary.outcome.value,
                "version": summary.version,
                "rows": summary.rows.distinct,
                "drifted": [column.column for column in summary.drifted],
                "mail": summary.mail,
                "reports": {name: links.report(summary.run_id, name) for name in summary.reports},
                "problems": list(summary.problems),
            }
            for summary in summaries
        ]
    }
