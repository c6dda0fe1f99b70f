"""One drift run: evaluate the rows of one model version in one window, and draw its reports."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import pyarrow as pa

from adapters.aws import UNREACHABLE
from domain import keys
from domain.contract.contract import Contract
from domain.drift.disclosure import round_significant
from domain.drift.drift import Outcome, worst
from domain.drift.performance import read_test_figures
from domain.drift.summary import RowCounts, Summary
from monitoring_job.history import History, Past
from monitoring_job.reports import reports
from monitoring_job.reports.aggregates import is_showable
from monitoring_job.reports.findings import sentences
from monitoring_job.selective_labels import keep_representative
from monitoring_job.statistics.comparison import Comparison, Rows, compare, explain_by_rhythm
from monitoring_job.statistics.fairness import LabelledRows
from monitoring_job.statistics.ground_truth import evaluate_labels, pair_labels
from monitoring_job.statistics.profiles import PROBABILITY
from monitoring_job.statistics.repeats import select_independent
from tabular.labels import Labels
from tabular.log_objects import Damage
from tabular.models import Models, NoReference
from tabular.sample import SampledRows

log = logging.getLogger(__name__)

REPEATED = (
    "People were scored repeatedly in this window, and without the repetitions there are too few "
    "predictions for a verdict."
)


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
    history: History | None = None,
) -> Run:
    """Evaluate the rows of one version.

    `empty`: a summary that holds the window, the version, the row counts and what drawn labels say.
    `labels`: one for each row of `table`. `history`: the log before the window, if that is a day.

    If the version can't be evaluated, its summary says so and other versions are not affected; only
    errors that a retry may cure are raised.
    """
    if table.num_rows < minimum_rows:
        return _give_no_verdict(empty)
    try:
        return _evaluate(
            empty=empty,
            models=models,
            table=table,
            labels=labels,
            minimum_rows=minimum_rows,
            history=history,
        )
    except NoReference as error:
        return _give_no_verdict(empty, str(error))
    except UNREACHABLE:
        raise  # the bucket may be reachable again at the next attempt
    except Exception as error:
        kind = type(error).__name__  # its text may quote values
        log.error("%s could not be evaluated (%s)", empty.run_id, kind)
        return _give_no_verdict(empty, f"This version could not be evaluated ({kind}).")


def _give_no_verdict(empty: Summary, *problems: str) -> Run:
    """Without a verdict on the window's rows; drawn labels give theirs all the same."""
    findings = _list_findings(empty)
    outcome = worst(findings or (Outcome.INSUFFICIENT_DATA,))
    summary = replace(empty, findings=findings, outcome=outcome, problems=problems)
    return Run(replace(summary, sentences=sentences(summary)))


def _evaluate(
    *,
    empty: Summary,
    models: Models,
    table: pa.Table,
    labels: Labels,
    minimum_rows: int,
    history: History | None,
) -> Run:
    version = empty.version or ""
    reference_table, bundle = models.reference(version), models.bundle(version)
    test = read_test_figures(models.card(version))
    contract = models.contract(version)
    old = Rows.of(contract, reference_table)
    reference = old.columns
    window = select_independent(contract, reference, table)
    table, labels = window.table, labels[window.positions]
    rows = replace(empty.rows, design_effect=round_significant(window.design_effect))
    empty = replace(empty, rows=rows)
    if table.num_rows < minimum_rows:
        return _give_no_verdict(empty, REPEATED)
    labels, about_labels = keep_representative(table, labels, contract, threshold=bundle.threshold)
    new = Rows.of(contract, table)
    current = new.columns
    compared = _compare(
        contract=contract,
        reference=old,
        current=new,
        threshold=bundle.threshold,
        minimum_rows=minimum_rows,
        labelled=pair_labels(
            reference=reference_table, table=table, labels=labels, threshold=bundle.threshold
        ),
        find_past=lambda: history.find(version, minimum_rows=minimum_rows) if history else None,
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
        problems=about_labels,
        reference_rows=reference_table.num_rows,
        columns=compared.columns,
        prediction=compared.prediction,
        joint=compared.joint,
        segments=compared.segments,
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
        target_before, target_now = found.target
        draw["target_drift"] = lambda: reports.target_drift(
            summary=summary, reference=target_before, current=target_now
        )
    if found.sides:
        in_reference, in_window = found.sides
        draw["performance"] = lambda: reports.performance(
            summary=summary, reference=in_reference, current=in_window
        )
    return _draw(summary, draw)


def _compare(
    *,
    contract: Contract,
    reference: Rows,
    current: Rows,
    threshold: float,
    minimum_rows: int,
    labelled: tuple[LabelledRows, LabelledRows] | None,
    find_past: Callable[[], Past | None],
) -> Comparison:
    """Compare a window with the reference, and where it differs, with the weeks before.

    `labelled`: what is known of both sides' outcomes. `find_past`: reads them, which takes time.
    """
    compare_with = partial(
        compare, contract=contract, threshold=threshold, minimum_rows=minimum_rows
    )
    found = compare_with(reference=reference, current=current, labelled=labelled)
    past = find_past() if found.has_drift else None
    if past is None:
        return found
    weekday, week = (
        Rows.of(contract, select_independent(contract, reference.columns, rows).table)
        for rows in past
    )
    return explain_by_rhythm(
        found,
        weekday=compare_with(reference=weekday, current=current, jointly=found.finds_joint),
        week=compare_with(reference=reference, current=week, jointly=found.finds_joint),
    )


def _list_findings(summary: Summary) -> tuple[Outcome, ...]:
    in_segments = [column.column for segment in summary.segments for column in segment.drifted]
    found = {
        Outcome.DATA_DRIFT: any(c.drifted for c in summary.columns)
        or summary.joint_drift is not None
        or any(name != PROBABILITY.column for name in in_segments),
        Outcome.PREDICTION_DRIFT: bool(summary.prediction and summary.prediction.drifted)
        or PROBABILITY.column in in_segments
        or any("selection_rate" in segment.changed_figures for segment in summary.segments),
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
