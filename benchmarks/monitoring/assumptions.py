"""Measure the estimates of performance, and what people who are scored repeatedly do to alarms.

`before` is the rule that was replaced, on the same windows. It had one estimate, and its interval
only allowed for sampling. It reported a drop at 99 % as if the test figure were exact, looked at F1
alone, and counted each row as a different person.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from benchmarks.harness import Figure
from benchmarks.monitoring.worlds import World, drawn, world
from domain.drift.performance import MARGIN
from monitoring_job.statistics.calibration import fit_line
from monitoring_job.statistics.comparison import Rows, compare
from monitoring_job.statistics.expectation import Z99, estimate_f1, estimate_performance
from monitoring_job.statistics.performance import measure_performance
from monitoring_job.statistics.repeats import select_independent
from tabular.classification import Z95, Floats, bootstrap_figures

WORLDS, WINDOWS = 5, 20
NO_PARAMETERS: npt.NDArray[np.float64] = np.zeros((0, 0))


def _draw(of: World, rows: int, positives: float, window: int) -> pd.DataFrame:
    """A window in which positives are so many times as frequent."""
    weights = np.where(of.pool["label"], positives, 1.0)
    random = np.random.default_rng([rows, window])
    chosen = random.choice(len(of.pool), rows, replace=False, p=weights / weights.sum())
    return of.pool.iloc[chosen].reset_index(drop=True)


def _f1(labels: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_]) -> float:
    return float(2 * np.sum(labels & predicted) / (labels.sum() + predicted.sum()))


def _ignore_step(chances: Floats, _: Floats) -> Floats:
    return chances


def estimate(source: str, positives: float, rows: int, number: int) -> tuple[float, ...]:
    """``(error, held, dropped)`` of the label-shift estimate, and of the one before."""
    of = world(source, number % WORLDS)
    frame = _draw(of, rows, positives, number)
    scores, old = frame["probability"].to_numpy(), of.reference["probability"].to_numpy()
    labels = of.reference["label"].to_numpy()
    realised = _f1(frame["label"].to_numpy(), scores >= of.threshold)
    expected = estimate_performance(
        probabilities=scores, reference=old, reference_labels=labels, threshold=of.threshold
    )
    line = fit_line(labels, old)
    assert expected is not None
    assert expected.label_shift is not None
    assert line is not None
    found = expected.label_shift.f1
    single, before = (
        estimate_f1(partial(_ignore_step, line.apply(side)), side >= of.threshold, NO_PARAMETERS)
        for side in (scores, old)
    )
    assert single is not None
    assert before is not None
    was_held = abs(single.value - realised) <= Z95 * single.sampling
    lower = single.value <= before.value - MARGIN
    had_dropped = lower and single.value + Z99 * single.sampling < before.value
    now = found.value - realised, found.low <= realised <= found.high, expected.dropped
    return tuple(map(float, (*now, single.value - realised, was_held, had_dropped)))


def measure_labels(source: str, rows: int, shuffled: bool, number: int) -> tuple[float, ...]:
    """Whether a labelled window has dropped, and whether it had by the rule before.

    `shuffled`: among the rows that are called negative, probabilities belong to other rows. F1
    stays, ROC AUC falls.
    """
    of = world(source, number % WORLDS)
    frame = drawn(of, rows, np.random.default_rng([rows, number]))
    scores, labels = frame["probability"].to_numpy().copy(), frame["label"].to_numpy()
    if shuffled:
        low = np.flatnonzero(scores < of.threshold)
        scores[low] = scores[np.random.default_rng(number).permutation(low)]
    measured = measure_performance(
        labels=labels.astype(np.int8),
        probabilities=scores,
        threshold=of.threshold,
        test=of.test,
        sampled=rows,
        calibration=fit_line(
            of.reference["label"].to_numpy(), of.reference["probability"].to_numpy()
        ),
    )
    f1, test = bootstrap_figures(labels, scores >= of.threshold, seed=0)["f1"], of.test["f1"].value
    had_dropped = f1.value <= test - MARGIN and f1.percentile(99.5) < test
    return float(measured.dropped), float(measured.has_enough_labels and had_dropped)


def score_thrice(source: str, rows: int, number: int) -> tuple[float, float]:
    """Whether a quiet window in which everyone was scored three times has an alarm."""
    of = world(source, number % WORLDS)
    once = drawn(of, rows // 3, np.random.default_rng([rows, number]))
    table = pa.Table.from_pandas(pd.concat([once] * 3, ignore_index=True), preserve_index=False)
    reference = Rows.of(of.contract, pa.Table.from_pandas(of.reference))
    independent = select_independent(of.contract, reference.columns, table).table
    found = [
        compare(
            contract=of.contract,
            reference=reference,
            current=Rows.of(of.contract, rows),
            threshold=of.threshold,
            minimum_rows=min(300, rows.num_rows),
        )
        for rows in (independent, table)
    ]
    return float(found[0].has_drift), float(found[1].has_drift)


def measure(pool: ProcessPoolExecutor, name: str, source: str) -> Iterator[Figure]:
    """All of it."""
    windows = range(WORLDS * WINDOWS)
    for positives, of in ((1.0, "nothing changed"), (0.46, "half as many positives")):
        for rows in (1_000, 10_000):
            results = np.array(list(pool.map(partial(estimate, source, positives, rows), windows)))
            error, held, dropped, *before = results.mean(axis=0)
            where = f"{name}, n={rows}, {of}"
            yield Figure(f"{where}: bias of expected F1", abs(error), "", "<= 0.008")
            yield Figure(f"{where}: the same, before", abs(before[0]), "")
            yield Figure(f"{where}: intervals that hold F1", 100 * held, "%", ">= 93")
            yield Figure(f"{where}: the same, before", 100 * before[1], "%")
            yield Figure(f"{where}: expected drops", 100 * dropped, "%", "<= 5")
            yield Figure(f"{where}: the same, before", 100 * before[2], "%")
    for rows in (1_000, 10_000):
        for shuffled, of, target in (
            (False, "nothing changed", "<= 1"),
            (True, "ROC AUC falls, F1 stays", ">= 95"),
        ):
            judge = partial(measure_labels, source, rows, shuffled)
            now, before = 100 * np.mean(list(pool.map(judge, windows)), axis=0)
            yield Figure(f"{name}, n={rows}, {of}: measured drops", now, "%", target)
            yield Figure(f"{name}, n={rows}, {of}: the same, before", before, "%")
    for rows in (1_000, 10_000):
        thrice = partial(score_thrice, source, rows)
        now, before = 100 * np.mean(list(pool.map(thrice, windows)), axis=0)
        yield Figure(f"{name}, n={rows}, everyone thrice: quiet alarms", now, "%", "<= 2")
        yield Figure(f"{name}, n={rows}, everyone thrice: the same, before", before, "%")
