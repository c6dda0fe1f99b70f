"""Evidently's pages: the picture beside the truth of `summary.json`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from domain.contract import Contract
from domain.drift import EFFECT_THRESHOLD, SMALLEST_GROUP
from domain.summary import ColumnDrift, Summary
from monitoring_job.aggregates import is_showable, only_aggregates, shown
from monitoring_job.outcome import Side
from monitoring_job.page_header import header, title
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

    drawn = [
        c.column
        for c in summary.columns
        if _is_drawable(c) and is_showable(current[c.column]) and is_showable(reference[c.column])
    ]
    preset = DataDriftPreset(
        columns=drawn,
        num_method=METHODS["number"],
        cat_method=METHODS["category"],
        num_threshold=EFFECT_THRESHOLD,
        cat_threshold=EFFECT_THRESHOLD,
        drift_share=1 / max(len(drawn), 1),  # our rule: one drifted column is drift
    )
    features = [f for f in contract.features if f.column in drawn]
    return _finished(
        "data_drift",
        summary,
        preset,
        current=[current[f.column] for f in features],
        reference=[reference[f.column] for f in features],
    )


def prediction_drift(
    *, summary: Summary, reference: Mapping[str, Column], current: Mapping[str, Column]
) -> str:
    """The page about the predicted probability."""
    from evidently.metrics import ValueDrift

    column = PROBABILITY.column
    metric = ValueDrift(column=column, method=METHODS["number"], threshold=EFFECT_THRESHOLD)
    return _finished(
        "prediction_drift",
        summary,
        metric,
        current=[current[column]],
        reference=[reference[column]],
    )


def target_drift(*, summary: Summary, reference: Column, current: Column) -> str:
    """The page about the labels that came."""
    from evidently.metrics import ValueDrift

    metric = ValueDrift(
        column=reference.feature.column, method=METHODS["flag"], threshold=EFFECT_THRESHOLD
    )
    return _finished("target_drift", summary, metric, current=[current], reference=[reference])


def performance(*, summary: Summary, reference: Side, current: Side) -> str:
    """The page about decisions and labels: figures, and the confusion matrix when no cell of it
    is too small to be shown.
    """
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
        Dataset.from_pandas(_decisions(current), data_definition=definition),
        Dataset.from_pandas(_decisions(reference), data_definition=definition),
    )
    page = only_aggregates(str(snapshot.get_html_str(as_iframe=False)), {})
    return _hardened("performance", summary, page)


def _smallest_cell(side: Side) -> int:
    return int(np.bincount(2 * side.truth + side.predicted, minlength=4).min())


def _decisions(side: Side) -> Any:
    import pandas as pd

    texts = {"truth": side.truth, "predicted": side.predicted}
    return pd.DataFrame({name: np.where(of, "1", "0") for name, of in texts.items()})


def _finished(
    name: str, summary: Summary, metric: Any, *, current: list[Column], reference: list[Column]
) -> str:
    sizes = {
        new.feature.column: (len(old.present), len(new.present))
        for old, new in zip(reference, current, strict=True)
    }
    return _hardened(name, summary, only_aggregates(_page(metric, current, reference), sizes))


def _hardened(name: str, summary: Summary, page: str) -> str:
    return harden(page, title=title(name, summary), header=header(name, summary))


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

    return pd.DataFrame({column.feature.column: shown(column) for column in columns})
