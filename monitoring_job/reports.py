"""Evidently's pages: the picture beside the truth of `summary.json`."""

import html
from collections.abc import Mapping
from typing import Any

from domain.contract import Contract
from domain.drift import EFFECT_THRESHOLD
from domain.summary import ColumnDrift, Summary
from monitoring_job import wording
from monitoring_job.profiles import PROBABILITY, Column
from monitoring_job.safe_html import harden
from monitoring_job.statistics import METHODS


def data_drift(
    *,
    summary: Summary,
    contract: Contract,
    reference: Mapping[str, Column],
    current: Mapping[str, Column],
) -> str:
    """The page about the features whose values could be compared."""
    from evidently.presets import DataDriftPreset

    drawn = [c.column for c in summary.columns if _is_drawable(c)]
    preset = DataDriftPreset(
        columns=drawn,
        num_method=METHODS["number"],
        cat_method=METHODS["category"],
        num_threshold=EFFECT_THRESHOLD,
        cat_threshold=EFFECT_THRESHOLD,
        drift_share=1 / max(len(drawn), 1),  # our rule: one drifted column is drift
    )
    features = [f for f in contract.features if f.column in drawn]
    page = _page(
        preset, [current[f.column] for f in features], [reference[f.column] for f in features]
    )
    return harden(page, title=_title("data_drift", summary), header=_header("data_drift", summary))


def prediction_drift(
    *, summary: Summary, reference: Mapping[str, Column], current: Mapping[str, Column]
) -> str:
    """The page about the predicted probability."""
    from evidently.metrics import ValueDrift

    column = PROBABILITY.column
    metric = ValueDrift(column=column, method=METHODS["number"], threshold=EFFECT_THRESHOLD)
    page = _page(metric, [current[column]], [reference[column]])
    name = "prediction_drift"
    return harden(page, title=_title(name, summary), header=_header(name, summary))


def _is_drawable(column: ColumnDrift) -> bool:
    return any(test.aspect == "values" for test in column.tests)


def _page(metric: Any, current: list[Column], reference: list[Column]) -> str:
    from evidently import DataDefinition, Dataset, Report

    numbers = [c.feature.column for c in current if c.feature.kind == "number"]
    categories = [c.feature.column for c in current if c.feature.kind != "number"]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
    snapshot = Report([metric], include_tests=False).run(
        Dataset.from_pandas(_frame(current), data_definition=definition),
        Dataset.from_pandas(_frame(reference), data_definition=definition),
    )
    return str(snapshot.get_html_str(as_iframe=False))


def _frame(columns: list[Column]) -> Any:
    import pandas as pd

    return pd.DataFrame({column.feature.column: column.values for column in columns})


def _title(name: str, summary: Summary) -> str:
    return html.escape(f"{wording.REPORT_TITLES[name]}, {wording.window(summary)}")


def _header(name: str, summary: Summary) -> str:
    """The verdict, above Evidently's own words, which know only the effect sizes."""
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td style='padding:2px 16px 2px 0'>{html.escape(text)}</td>"
            for text in (
                change.name,
                change.measure,
                f"{change.before} → {change.after}",
                f"effect {change.effect}",
                f"q {change.q_value}",
            )
        )
        + "</tr>"
        for change in wording.changes(summary)
    )
    note = (
        f"A column has drifted when its effect size is at least {EFFECT_THRESHOLD}, its q-value "
        "below 0.05 and it has enough rows. The picture below marks the effect size alone."
    )
    return (
        "<header style='font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:24px auto 0;"
        "padding:0 24px'>"
        f"<h1 style='font-size:22px;margin:0'>{html.escape(wording.headline(summary))}</h1>"
        f"<p style='margin:4px 0'>{html.escape(wording.REPORT_TITLES[name])} · "
        f"{html.escape(wording.window(summary))} · "
        f"model {html.escape(summary.version or 'none')} · "
        f"{html.escape(wording.counts(summary))}</p>"
        f"<table style='border-collapse:collapse'>{rows}</table>"
        f"<p style='margin:4px 0;color:#555'>{html.escape(note)}</p></header>"
    )
