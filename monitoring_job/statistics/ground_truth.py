"""Evaluate a window by its labels and its probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from domain.drift.disclosure import SMALLEST_GROUP
from domain.drift.performance import Expectation, Performance
from domain.drift.summary import ColumnDrift
from domain.interval import Interval
from monitoring_job.statistics import performance, profiles
from monitoring_job.statistics.calibration import fit_line
from monitoring_job.statistics.expectation import estimate_performance
from monitoring_job.statistics.fairness import LabelledRows
from monitoring_job.statistics.profiles import Column
from monitoring_job.statistics.statistics import compare_column, mark_drifted
from tabular.classification import Bools, Floats
from tabular.labels import UNKNOWN, Labels


@dataclass(frozen=True, slots=True)
class Side:
    """Label and decision of each labelled row, of the reference or of the window."""

    truth: Bools
    predicted: Bools

    @property
    def may_be_shown(self) -> bool:
        """Whether no figure describes fewer than eleven rows."""
        return performance.may_be_shown(self.truth, self.predicted)


@dataclass(frozen=True, slots=True)
class LabelFindings:
    """What labels and probabilities say. Everything but `expectation` needs labels.

    `target`: the labels of reference and window as columns. `sides`: reference and window for the
    performance report; None also where a figure would describe too few rows.
    """

    expectation: Expectation | None = None
    performance: Performance | None = None
    drift: ColumnDrift | None = None
    target: tuple[Column, Column] | None = None
    sides: tuple[Side, Side] | None = None


def evaluate_labels(
    *,
    target: str,
    threshold: float,
    test: Mapping[str, Interval],
    reference: pa.Table,
    table: pa.Table,
    labels: Labels,
    minimum_rows: int,
) -> LabelFindings:
    """Estimate performance, and measure it and the target drift where there are labels.

    `target`: the target's name. `test`: the version's figures on its test rows. `labels`: one for
    each row of `table`.
    """
    probabilities, reference_probabilities = (
        _read_probabilities(table),
        _read_probabilities(reference),
    )
    reference_truth = _read_truth(reference)
    expectation = estimate_performance(
        probabilities=probabilities,
        reference=reference_probabilities,
        reference_labels=reference_truth,
        threshold=threshold,
    )
    known = labels != UNKNOWN
    if np.count_nonzero(known) < SMALLEST_GROUP:
        return LabelFindings(expectation)
    in_window = Side(labels[known] == 1, probabilities[known] >= threshold)
    measured = performance.measure_performance(
        labels=labels[known],
        probabilities=probabilities[known],
        threshold=threshold,
        test=test,
        sampled=len(labels),
        calibration=fit_line(reference_truth, reference_probabilities),
    )
    if reference_truth is None:
        return LabelFindings(expectation, measured)
    in_reference = Side(reference_truth, reference_probabilities >= threshold)
    old, new = (profiles.target_column(target, side.truth) for side in (in_reference, in_window))
    [drift] = mark_drifted([compare_column(old, new)], minimum_rows)
    may_be_shown = in_reference.may_be_shown and in_window.may_be_shown
    return LabelFindings(
        expectation,
        measured,
        drift.without_rows(reference=False, current=measured.labelled is None),
        (old, new),
        (in_reference, in_window) if may_be_shown else None,
    )


def pair_labels(
    *, reference: pa.Table, table: pa.Table, labels: Labels, threshold: float
) -> tuple[LabelledRows, LabelledRows] | None:
    """The labels and answers of reference and window, row by row, for their segments.

    None without labels in the reference, or with fewer than eleven in the window.
    """
    truth = _read_truth(reference)
    if truth is None or np.count_nonzero(labels != UNKNOWN) < SMALLEST_GROUP:
        return None
    old, new = _read_probabilities(reference), _read_probabilities(table)
    return (
        LabelledRows(truth.astype(np.int8), old, old >= threshold),
        LabelledRows(labels, new, new >= threshold),
    )


def _read_probabilities(table: pa.Table) -> Floats:
    return np.asarray(table["probability"].to_numpy(), dtype=np.float64)


def _read_truth(reference: pa.Table) -> Bools | None:
    """The labels of the reference; None unless every row has one."""
    if "label" not in reference.column_names or reference["label"].null_count:
        return None
    return np.asarray(reference["label"].to_numpy(), dtype=bool)
