"""Draw Evidently's pages, which illustrate `summary.json`."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from domain.drift.disclosure import SMALLEST_GROUP
from domain.drift.drift import EFFECT_THRESHOLD
from domain.drift.summary import ColumnDrift, Summary
from monitoring_job.reports.aggregates import clip_for_display, is_showable, keep_aggregates
from monitoring_job.reports.page_header import header, title
from monitoring_job.reports.safe_html import harden
from monitoring_job.statistics.ground_truth import Side
from monitoring_job.statistics.profiles import PROBABILITY, Column, find_merged_groups
from monitoring_job.statistics.statistics import METHODS

MAXIMUM_BYTES = 5_000_000
"""Larger pages open too slowly on a phone. Most of a page is Evidently's script."""


class PageTooLarge(Exception):
    """Even with the least that a report can draw, the page is too large."""


def data_drift(
    *, summary: Summary, reference: Mapping[str, Column], current: Mapping[str, Column]
) -> str:
    """Draw the features whose values could be compared.

    If they don't all fit, those with the largest effects are drawn.
    """
    able = [
        c.column
        for c in sorted(summary.columns, key=_rank, reverse=True)
        if _is_drawable(c) and is_showable(reference[c.column], current[c.column])
    ]
    for drawn in halve(able):
        page = _data_drift(summary, reference, current, drawn, len(able))
        if len(page.encode()) <= MAXIMUM_BYTES:
            return page
    raise PageTooLarge


def halve(columns: list[str]) -> Iterator[list[str]]:
    """Yield all columns, then the first half of them, and so on down to one."""
    yield columns
    while len(columns) > 1:
        columns = columns[: len(columns) // 2]
        yield columns


def _rank(column: ColumnDrift) -> tuple[bool, float]:
    return column.drifted, column.strongest.strength if column.strongest else 0.0


def _data_drift(
    summary: Summary,
    reference: Mapping[str, Column],
    current: Mapping[str, Column],
    drawn: list[str],
    able: int,
) -> str:
    from evidently.presets import DataDriftPreset

    preset = DataDriftPreset(
        columns=drawn,
        num_method=METHODS["number"],
        cat_method=METHODS["category"],
        num_threshold=EFFECT_THRESHOLD,
        cat_threshold=EFFECT_THRESHOLD,
        drift_share=1 / max(len(drawn), 1),  # our rule: one drifted column is drift
    )
    names = [column.column for column in summary.columns if column.column in drawn]
    page = _draw(
        preset,
        current=[current[name] for name in names],
        reference=[reference[name] for name in names],
    )
    few = (
        f"Drawn: the {len(drawn)} of {able} columns that changed most." if able > len(drawn) else ""
    )
    return _finish("data_drift", summary, page, few)


def prediction_drift(
    *, summary: Summary, reference: Mapping[str, Column], current: Mapping[str, Column]
) -> str:
    """Draw the predicted probability."""
    from evidently.metrics import ValueDrift

    column = PROBABILITY.column
    metric = ValueDrift(column=column, method=METHODS["number"], threshold=EFFECT_THRESHOLD)
    page = _draw(metric, current=[current[column]], reference=[reference[column]])
    return _finish_checked("prediction_drift", summary, page)


def target_drift(*, summary: Summary, reference: Column, current: Column) -> str:
    """Draw the labels that have arrived."""
    from evidently.metrics import ValueDrift

    metric = ValueDrift(
        column=reference.feature.column, method=METHODS["flag"], threshold=EFFECT_THRESHOLD
    )
    page = _draw(metric, current=[current], reference=[reference])
    return _finish_checked("target_drift", summary, page)


def performance(*, summary: Summary, reference: Side, current: Side) -> str:
    """Draw the figures of decisions and labels, with a confusion matrix if no cell is too small."""
    from evidently import BinaryClassification, DataDefinition, Dataset, Report
    from evidently.metrics.classification import Accuracy, F1Score, Precision, Recall

    definition = DataDefinition(
        classification=[
            BinaryClassification(target="truth", prediction_labels="predicted", pos_label="1")
        ],
        categorical_columns=["truth", "predicted"],
    )
    matrix = min(_smallest_cell(reference), _smallest_cell(current)) >= SMALLEST_GROUP
    metrics = [
        F1Score(conf_matrix=matrix),
        Precision(conf_matrix=False),
        Recall(conf_matrix=False),
        Accuracy(conf_matrix=False),
    ]
    snapshot = Report(metrics, include_tests=False).run(
        Dataset.from_pandas(_make_decisions(current), data_definition=definition),
        Dataset.from_pandas(_make_decisions(reference), data_definition=definition),
    )
    page = keep_aggregates(str(snapshot.get_html_str(as_iframe=False)), {})
    return _finish_checked("performance", summary, page)


def _smallest_cell(side: Side) -> int:
    return int(np.bincount(2 * side.truth + side.predicted, minlength=4).min())


def _make_decisions(side: Side) -> Any:
    import pandas as pd

    texts = {"truth": side.truth, "predicted": side.predicted}
    return pd.DataFrame({name: np.where(of, "1", "0") for name, of in texts.items()})


def _finish_checked(name: str, summary: Summary, page: str) -> str:
    headed = _finish(name, summary, page)
    if len(headed.encode()) > MAXIMUM_BYTES:
        raise PageTooLarge
    return headed


def _finish(name: str, summary: Summary, page: str, *notes: str) -> str:
    return harden(page, title=title(name, summary), header=header(name, summary, *notes))


def _is_drawable(column: ColumnDrift) -> bool:
    return any(test.aspect == "values" for test in column.tests)


def _draw(metric: Any, *, current: list[Column], reference: list[Column]) -> str:
    from evidently import DataDefinition, Dataset, Report

    old, new = _make_frames(reference, current)
    numbers = [c.feature.column for c in current if c.feature.kind == "number"]
    categories = [c.feature.column for c in current if c.feature.kind != "number"]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
    snapshot = Report([metric], include_tests=False).run(
        Dataset.from_pandas(new, data_definition=definition),
        Dataset.from_pandas(old, data_definition=definition),
    )
    sizes = {str(name): (int(old[name].count()), int(new[name].count())) for name in new.columns}
    return keep_aggregates(str(snapshot.get_html_str(as_iframe=False)), sizes)


def _make_frames(reference: list[Column], current: list[Column]) -> tuple[Any, Any]:
    import pandas as pd

    old, new = {}, {}
    for before, after in zip(reference, current, strict=True):
        merged_groups, name = find_merged_groups(before, after), after.feature.column
        old[name], new[name] = (
            clip_for_display(before, merged_groups),
            clip_for_display(after, merged_groups),
        )
    return pd.DataFrame(old), pd.DataFrame(new)
