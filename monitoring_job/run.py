"""One drift run: one window of one model version, judged and drawn."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import pyarrow as pa

from adapters.aws import UNREACHABLE
from domain import keys
from domain.drift.drift import Outcome, worst
from domain.drift.summary import RowCounts, Summary
from monitoring_job.reports import reports
from monitoring_job.reports.aggregates import is_showable
from monitoring_job.statistics import profiles
from monitoring_job.statistics.ground_truth import evaluate_labels
from monitoring_job.statistics.profiles import PROBABILITY
from monitoring_job.statistics.segments import compare_segments
from monitoring_job.statistics.statistics import compare_columns
from tabular.labels import Labels
from tabular.log_objects import Damage
from tabular.models import Models, NoReference
from tabular.sample import Taken

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: report name → page."""

    summary: Summary
    pages: dict[str, str]


def evaluate_version(
    *,
    empty: Summary,
    models: Models,
    table: pa.Table,
    labels: Labels,
    minimum_rows: int,
) -> Run:
    """Judge the rows of one version; `labels`: of each row.

    `empty`: the summary with window, version and counts only. A version that can't be judged says
    so and leaves the others alone.
    """
    if table.num_rows < minimum_rows:
        return _undecided(empty)
    try:
        return _judged(empty, models, table, labels, minimum_rows)
    except NoReference as error:
        return _undecided(empty, str(error))
    except UNREACHABLE:
        raise  # the next attempt may find the bucket in a better mood
    except Exception as error:
        kind = type(error).__name__  # its text may quote values
        log.error("%s could not be judged (%s)", empty.run_id, kind)
        return _undecided(empty, f"This version could not be judged ({kind}).")


def _undecided(empty: Summary, *problems: str) -> Run:
    return Run(replace(empty, outcome=Outcome.INSUFFICIENT_DATA, problems=problems), {})


def _judged(
    summary: Summary, models: Models, table: pa.Table, labels: Labels, minimum_rows: int
) -> Run:
    version = summary.version or ""
    reference_table = models.reference(version)
    bundle = models.bundle(version)
    contract = bundle.contract
    reference = profiles.columns(contract, reference_table)
    current = profiles.columns(contract, table)
    columns, prediction = compare_columns(
        contract=contract, reference=reference, current=current, minimum_rows=minimum_rows
    )
    verified = evaluate_labels(
        models=models,
        version=version,
        bundle=bundle,
        reference=reference_table,
        table=table,
        labels=labels,
        minimum_rows=minimum_rows,
    )
    judged = replace(
        summary,
        reference_rows=reference_table.num_rows,
        columns=columns,
        prediction=prediction,
        segments=compare_segments(contract=contract, reference=reference, current=current),
        target=verified.drift,
        performance=verified.performance,
        expectation=verified.expectation,
    )
    findings = _findings(judged)
    judged = replace(
        judged, findings=findings, outcome=worst(findings) if findings else Outcome.STABLE
    )
    draw = {
        "data_drift": lambda: reports.data_drift(
            summary=judged, reference=reference, current=current
        ),
        "prediction_drift": lambda: reports.prediction_drift(
            summary=judged, reference=reference, current=current
        ),
    }
    if verified.target and is_showable(*verified.target):
        old, new = verified.target
        draw["target_drift"] = lambda: reports.target_drift(
            summary=judged, reference=old, current=new
        )
    if verified.sides:
        there, here = verified.sides
        draw["performance"] = lambda: reports.performance(
            summary=judged, reference=there, current=here
        )
    return _drawn(judged, draw)


def _findings(summary: Summary) -> tuple[Outcome, ...]:
    inside = [column.column for segment in summary.segments for column in segment.drifted]
    found = {
        Outcome.DATA_DRIFT: any(c.drifted for c in summary.columns)
        or any(name != PROBABILITY.column for name in inside),
        Outcome.PREDICTION_DRIFT: bool(summary.prediction and summary.prediction.drifted)
        or PROBABILITY.column in inside,
        Outcome.PERFORMANCE_DROP: summary.dropped,
    }
    return tuple(outcome for outcome, holds in found.items() if holds)


def _drawn(summary: Summary, draw: dict[str, Callable[[], str]]) -> Run:
    """Draw each report; one that can't be drawn costs a sentence, not the verdict."""
    pages: dict[str, str] = {}
    problems = list(summary.problems)
    for name, page in draw.items():
        try:
            pages[name] = page()
        except Exception as error:
            kind = type(error).__name__
            log.warning("the report %s of %s could not be drawn (%s)", name, summary.run_id, kind)
            problems.append(f"The report {name} could not be drawn ({kind}).")
    drawn = tuple(name for name in keys.REPORTS if name in pages)
    return Run(replace(summary, reports=drawn, problems=tuple(problems)), pages)


def row_counts(taken: Taken, damage: Damage) -> RowCounts:
    """The counts of a run, with what the window's partitions held that nobody could use."""
    return RowCounts(
        logged=taken.logged,
        sampled=taken.table.num_rows,
        copies=taken.copies,
        sample_share=taken.share,
        malformed=dict(+damage.malformed),
        unreadable_objects=sum(damage.unreadable.values()),
    )
