"""One drift run: evaluate the rows of one model version in one window, and draw its reports."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pyarrow as pa

from adapters.aws import UNREACHABLE
from domain import keys
from domain.drift.drift import Outcome, worst
from domain.drift.performance import read_test_figures
from domain.drift.summary import RowCounts, Summary
from monitoring_job.reports import reports
from monitoring_job.reports.aggregates import is_showable
from monitoring_job.reports.findings import sentences
from monitoring_job.statistics import profiles
from monitoring_job.statistics.domain_classifier import classify_domains
from monitoring_job.statistics.ground_truth import evaluate_labels
from monitoring_job.statistics.profiles import PROBABILITY
from monitoring_job.statistics.segments import compare_segments
from monitoring_job.statistics.statistics import compare_columns
from tabular.labels import Labels
from tabular.log_objects import Damage
from tabular.models import Models, NoReference
from tabular.sample import SampledRows

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run; `pages`: report name → HTML."""

    summary: Summary
    pages: dict[str, str] = field(default_factory=dict)


def evaluate_version(
    *,
    empty: Summary,
    models: Models,
    table: pa.Table,
    labels: Labels,
    minimum_rows: int,
) -> Run:
    """Evaluate the rows of one version.

    `empty`: a summary that holds the window, the version and the row counts only. `labels`: one for
    each row of `table`. If the version can't be evaluated, its summary says so and other versions
    are not affected; only errors that a retry may cure are raised.
    """
    if table.num_rows < minimum_rows:
        return _give_no_verdict(empty)
    try:
        return _evaluate(empty, models, table, labels, minimum_rows)
    except NoReference as error:
        return _give_no_verdict(empty, str(error))
    except UNREACHABLE:
        raise  # the bucket may be reachable again at the next attempt
    except Exception as error:
        kind = type(error).__name__  # its text may quote values
        log.error("%s could not be evaluated (%s)", empty.run_id, kind)
        return _give_no_verdict(empty, f"This version could not be evaluated ({kind}).")


def _give_no_verdict(empty: Summary, *problems: str) -> Run:
    return Run(replace(empty, outcome=Outcome.INSUFFICIENT_DATA, problems=problems))


def _evaluate(
    empty: Summary, models: Models, table: pa.Table, labels: Labels, minimum_rows: int
) -> Run:
    version = empty.version or ""
    reference_table, bundle = models.reference(version), models.bundle(version)
    test = read_test_figures(models.card(version))
    contract = models.contract(version)
    reference = profiles.profile_columns(contract, reference_table)
    current = profiles.profile_columns(contract, table)
    context = (
        profiles.profile_context(contract, reference_table),
        profiles.profile_context(contract, table),
    )
    columns, prediction = compare_columns(
        contract=contract,
        reference=reference,
        current=current,
        threshold=bundle.threshold,
        minimum_rows=minimum_rows,
    )
    found = evaluate_labels(
        target=contract.target,
        threshold=bundle.threshold,
        test=test,
        reference=reference_table,
        table=table,
        labels=labels,
        minimum_rows=minimum_rows,
    )
    summary = replace(
        empty,
        reference_rows=reference_table.num_rows,
        columns=columns,
        prediction=prediction,
        joint=classify_domains(reference, current),
        segments=compare_segments(
            contract=contract, reference=reference, current=current, context=context
        ),
        target=found.drift,
        performance=found.performance,
        expectation=found.expectation,
    )
    findings = _list_findings(summary)
    summary = replace(summary, findings=findings, outcome=worst(findings or (Outcome.STABLE,)))
    summary = replace(summary, sentences=sentences(summary))
    draw = {
        "data_drift": lambda: reports.data_drift(
            summary=summary, reference=reference, current=current
        ),
        "prediction_drift": lambda: reports.prediction_drift(
            summary=summary, reference=reference, current=current
        ),
    }
    if found.target and is_showable(*found.target):
        old, new = found.target
        draw["target_drift"] = lambda: reports.target_drift(
            summary=summary, reference=old, current=new
        )
    if found.sides:
        in_reference, in_window = found.sides
        draw["performance"] = lambda: reports.performance(
            summary=summary, reference=in_reference, current=in_window
        )
    return _draw(summary, draw)


def _list_findings(summary: Summary) -> tuple[Outcome, ...]:
    in_segments = [column.column for segment in summary.segments for column in segment.drifted]
    found = {
        Outcome.DATA_DRIFT: any(c.drifted for c in summary.columns)
        or summary.joint_drift is not None
        or any(name != PROBABILITY.column for name in in_segments),
        Outcome.PREDICTION_DRIFT: bool(summary.prediction and summary.prediction.drifted)
        or PROBABILITY.column in in_segments,
        Outcome.PERFORMANCE_DROP: summary.dropped,
    }
    return tuple(outcome for outcome, holds in found.items() if holds)


def _draw(summary: Summary, draw: dict[str, Callable[[], str]]) -> Run:
    """Draw each report; one that fails adds a sentence to the problems and changes no verdict."""
    pages: dict[str, str] = {}
    problems = list(summary.problems)
    for name, draw_page in draw.items():
        try:
            pages[name] = draw_page()
        except Exception as error:
            kind = type(error).__name__
            log.warning("the report %s of %s could not be drawn (%s)", name, summary.run_id, kind)
            problems.append(f"The report {name} could not be drawn ({kind}).")
    drawn = tuple(name for name in keys.REPORTS if name in pages)
    return Run(replace(summary, reports=drawn, problems=tuple(problems)), pages)


def count_rows(rows: SampledRows, damage: Damage) -> RowCounts:
    """Count a version's rows, and what could not be used in the window's partitions."""
    return RowCounts(
        logged=rows.logged,
        sampled=rows.table.num_rows,
        copies=rows.copies,
        sample_share=rows.share,
        malformed=dict(+damage.malformed),
        unreadable_objects=sum(damage.unreadable.values()),
    )
