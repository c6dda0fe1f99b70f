"""What labels and probabilities say about a window, beside its columns."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domain.drift.disclosure import SMALLEST_GROUP
from domain.drift.performance import Expectation, Performance, read_test_figures
from domain.drift.summary import ColumnDrift
from domain.model.bundle import Bundle
from monitoring_job.statistics import performance, profiles
from monitoring_job.statistics.profiles import Column
from monitoring_job.statistics.statistics import compare_column, mark_drifted
from tabular.labels import UNKNOWN, Labels
from tabular.models import Models

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Side:
    """Truth and decision of the labelled rows of one side: what the performance page draws."""

    truth: Bools
    predicted: Bools

    @property
    def may_be_shown(self) -> bool:
        """Whether no figure rests on fewer than eleven rows."""
        return performance.may_be_shown(self.truth, self.predicted)


@dataclass(frozen=True, slots=True)
class LabelFindings:
    """`target`: the labels of reference and window as columns, None without labels there.

    `sides`: reference and window, None likewise, or where a figure would rest on too few rows.
    """

    expectation: Expectation | None = None
    performance: Performance | None = None
    drift: ColumnDrift | None = None
    target: tuple[Column, Column] | None = None
    sides: tuple[Side, Side] | None = None


def evaluate_labels(
    *,
    models: Models,
    version: str,
    bundle: Bundle,
    reference: pa.Table,
    table: pa.Table,
    labels: Labels,
    minimum_rows: int,
) -> LabelFindings:
    """`labels`: of each row of `table`."""
    probabilities, old = _numbers(table), _numbers(reference)
    truth = _truth(reference)
    expectation = performance.estimate_performance(
        probabilities=probabilities,
        reference=old,
        reference_labels=truth,
        threshold=bundle.threshold,
    )
    known = labels != UNKNOWN
    if np.count_nonzero(known) < SMALLEST_GROUP:
        return LabelFindings(expectation)
    here = Side(labels[known] == 1, probabilities[known] >= bundle.threshold)
    measured = performance.measure_performance(
        labels=labels[known],
        probabilities=probabilities[known],
        threshold=bundle.threshold,
        test=read_test_figures(models.card(version)),
        sampled=len(labels),
    )
    if truth is None:
        return LabelFindings(expectation, measured)
    there = Side(truth, old >= bundle.threshold)
    target = tuple(profiles.target(bundle.contract.target, side.truth) for side in (there, here))
    [drift] = mark_drifted([compare_column(*target)], minimum_rows)
    return LabelFindings(
        expectation,
        measured,
        drift.without_rows(reference=False, current=measured.labelled is None),
        (target[0], target[1]),
        (there, here) if there.may_be_shown and here.may_be_shown else None,
    )


def _numbers(table: pa.Table) -> npt.NDArray[np.float64]:
    return np.asarray(table["probability"].to_numpy(), dtype=np.float64)


def _truth(reference: pa.Table) -> Bools | None:
    if "label" not in reference.column_names or reference["label"].null_count:
        return None
    return np.asarray(reference["label"].to_numpy(), dtype=bool)
