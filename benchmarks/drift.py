"""What the monitoring finds, what it doesn't, and what it costs.

A small model is fitted; windows are drawn from rows that neither the model nor the
reference has seen. Measured on the sample data, and on the Kaggle file that DIABETES_CSV names.
The baseline, in the same run on the same windows, is Evidently's default preset.
"""

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.harness import Figure, main
from benchmarks.monitoring import assumptions, rare, years
from benchmarks.monitoring.peers import find_by_evidently
from benchmarks.monitoring.worlds import World, drawn, world
from domain.drift.performance import Expectation, Performance
from monitoring_job.statistics import performance, profiles
from monitoring_job.statistics.calibration import fit_line
from monitoring_job.statistics.domain_classifier import classify_domains
from monitoring_job.statistics.expectation import estimate_performance
from monitoring_job.statistics.segments import compare_segments
from monitoring_job.statistics.statistics import compare_columns
from ops.commands.data import sample_data

WINDOWS, SHIFTED, PROCESSES = 200, 100, 2
LOGS = {"small": 100_000, "large": 10_000_000}


@dataclass(frozen=True)
class Verdict:
    """The columns found drifted, and whether there is an alarm without labels and with all."""

    columns: set[str]
    alarm: bool
    alarm_with_labels: bool


def judged(of: World, window: pd.DataFrame) -> Verdict:
    """As a run judges: measured performance, where it can be judged, overrules the expected."""
    current = profiles.profile_columns(
        of.contract, pa.Table.from_pandas(window, preserve_index=False)
    )
    old = of.old
    columns, prediction = compare_columns(
        contract=of.contract,
        reference=old,
        current=current,
        threshold=of.threshold,
        minimum_rows=300,
    )
    segments = compare_segments(contract=of.contract, reference=old, current=current)
    found = {column.column for column in (*columns, prediction) if column.drifted}
    joint = classify_domains(old, current)
    together = joint is not None and joint.drifted
    drifted = bool(found) or together or any(segment.drifted for segment in segments)
    expected, measured = _performance(of, window)
    dropped = expected is not None and expected.dropped
    labelled = measured.dropped if measured.has_enough_labels else dropped
    return Verdict(found, drifted or dropped, drifted or labelled)


def _performance(of: World, window: pd.DataFrame) -> tuple[Expectation | None, Performance]:
    probabilities = window["probability"].to_numpy()
    expected = estimate_performance(
        probabilities=probabilities,
        reference=of.reference["probability"].to_numpy(),
        reference_labels=of.reference["label"].to_numpy(),
        threshold=of.threshold,
    )
    measured = performance.measure_performance(
        labels=window["label"].to_numpy(np.int8),
        probabilities=probabilities,
        threshold=of.threshold,
        test=of.test,
        sampled=len(window),
        calibration=fit_line(
            of.reference["label"].to_numpy(), of.reference["probability"].to_numpy()
        ),
    )
    return expected, measured


def quiet(source: str, seed: int, rows: int, window: int) -> tuple[bool, bool]:
    """Whether an undrifted window raises an alarm, without labels and with all of them."""
    of = world(source, seed)
    verdict = judged(of, drawn(of, rows, np.random.default_rng([seed, rows, window])))
    return verdict.alarm, verdict.alarm_with_labels


def default(source: str, seed: int, rows: int, window: int) -> bool:
    """Whether Evidently's default preset finds any column of the same window drifted."""
    of = world(source, seed)
    return find_by_evidently(of, drawn(of, rows, np.random.default_rng([seed, rows, window])))


def _age(frame: pd.DataFrame, _: np.random.Generator) -> None:
    frame["age"] = (frame["age"] + 8).clip(0, 120)


def _glucose(frame: pd.DataFrame, _: np.random.Generator) -> None:
    frame["blood_glucose_level"] += 15


def _bmi(frame: pd.DataFrame, _: np.random.Generator) -> None:
    frame["bmi"] = (frame["bmi"] * 1.1).clip(10, 100)


def _smoking(frame: pd.DataFrame, random: np.random.Generator) -> None:
    known = np.flatnonzero(frame["smoking_history"] != "No Info")
    more = round(0.5 * (len(frame) - len(known)))
    frame.loc[random.choice(known, more, replace=False), "smoking_history"] = "No Info"


def _missing(frame: pd.DataFrame, random: np.random.Generator) -> None:
    frame.loc[random.random(len(frame)) < 0.15, "hba1c_level"] = np.nan


def _category(frame: pd.DataFrame, random: np.random.Generator) -> None:
    frame.loc[random.random(len(frame)) < 0.05, "gender"] = "Unknown"


SHIFTS: dict[str, tuple[str, Callable[[pd.DataFrame, np.random.Generator], None]]] = {
    "age + 8 years": ("age", _age),
    "glucose + 15 mg/dl": ("blood_glucose_level", _glucose),
    "BMI x 1.1": ("bmi", _bmi),
    "smoking No Info x 1.5": ("smoking_history", _smoking),
    "HbA1c missing in 15 %": ("hba1c_level", _missing),
    "new category at 5 %": ("gender", _category),
}


@cache
def shifted(source: str, seed: int, shift: str) -> World:
    """The world after the shift: what windows are drawn from has it, the reference has not."""
    of = world(source, seed)
    column, apply = SHIFTS[shift]
    pool = of.pool.copy()
    apply(pool, np.random.default_rng([seed, len(shift)]))
    if column != "gender":  # the API refuses an unknown category: such rows bring their own score
        named = pool.rename(columns={f.column: f.name for f in of.contract.features})
        pool["probability"] = of.score(named[[f.name for f in of.contract.features]])
    return replace(of, pool=pool)


def found(source: str, seed: int, shift: str, window: int) -> bool:
    """Whether the shifted column is named."""
    of = shifted(source, seed, shift)
    frame = drawn(of, 1_000, np.random.default_rng([seed, window, len(shift)]))
    return SHIFTS[shift][0] in judged(of, frame).columns


def estimate(source: str, seed: int, window: int) -> bool:
    """Whether expected F1 is within 0.03 of the realised."""
    of = world(source, seed)
    frame = drawn(of, 10_000, np.random.default_rng([seed, 7, window]))
    expected, measured = _performance(of, frame)
    realised = measured.figures["f1"]
    assert expected is not None
    assert realised is not None
    return abs(expected.f1.value - realised.value) <= 0.03


def share(pool: ProcessPoolExecutor, of: Callable[[int], Any], windows: int) -> Any:
    """Percentage of the windows for which it holds, of each where it is a tuple."""
    return 100 * np.mean(list(pool.map(of, range(windows), chunksize=10)), axis=0)


def measure(seed: int) -> Iterator[Figure]:
    """Everything, on both sources."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        sample = Path(folder) / "sample.csv"
        sample_data.write(rows=100_000, seed=seed, path=sample)
        sources = {"sample": str(sample)}
        real = os.environ.get("DIABETES_CSV")
        if real:
            sources["real CSV"] = real
        else:
            yield Figure("real CSV: NOT MEASURED, set DIABETES_CSV to it", 0, "files", ">= 1")
        with ProcessPoolExecutor(PROCESSES) as pool:
            for name, source in sources.items():
                yield from _found_and_not(pool, name, source, seed)
                yield from rare.measure(pool, name, source, seed)
                yield from assumptions.measure(pool, name, source)
            yield from years.measure_years(pool, seed)
        yield from _cost(Path(folder), seed)


def _found_and_not(
    pool: ProcessPoolExecutor, name: str, source: str, seed: int
) -> Iterator[Figure]:
    for rows in (300, 1_000, 10_000):
        without, labelled = share(pool, partial(quiet, source, seed, rows), WINDOWS)
        yield Figure(f"{name}, n={rows}: alarms of quiet windows", without, "%", "<= 2")
        yield Figure(f"{name}, n={rows}: the same, all labelled", labelled, "%", "<= 2")
        baseline = share(pool, partial(default, source, seed, rows), WINDOWS)
        yield Figure(f"{name}, n={rows}: Evidently's default preset", baseline, "%")
    for shift in SHIFTS:
        value = share(pool, partial(found, source, seed, shift), SHIFTED)
        yield Figure(f"{name}, n=1000, {shift}: column named", value, "%", ">= 95")
    value = share(pool, partial(estimate, source, seed), WINDOWS)
    yield Figure(f"{name}: expected F1 within 0.03 of realised", value, "%", ">= 95")


def _cost(folder: Path, seed: int) -> Iterator[Figure]:
    """In processes of their own, so that each has a peak of its own."""
    peaks, runs, speed = {}, {}, 0.0
    for name, rows in LOGS.items():
        _in_a_process("make", folder / name, rows, seed)
        figures = _in_a_process("read", folder / name, rows, seed)
        peaks[name], speed = figures["peak"], figures["speed"]
        runs[name] = _in_a_process("run", folder / name, rows, seed)
    yield Figure("reading and sampling, rows per CPU second", speed, "", ">= 1e6")
    ratio = peaks["large"] / peaks["small"]
    yield Figure("peak memory of reading, 10 million / 100,000 rows", ratio, "", "<= 1.3")
    ratio = runs["large"]["peak"] / runs["small"]["peak"]
    yield Figure("peak memory of a whole run, the same", ratio, "", "<= 1.3")
    seconds = runs["small"]["seconds"]
    yield Figure("100,000 rows with labels end to end, 2 cores", seconds, "s", "<= 15")
    for name, rows in LOGS.items():
        page = runs[name]["page"] / 1e6
        yield Figure(f"largest report of {rows:,} rows", page, "MB", "<= 5")


def _in_a_process(step: str, folder: Path, rows: int, seed: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.monitoring.cost", step, str(folder), str(rows)]
    output = subprocess.run([*command, str(seed)], stdout=subprocess.PIPE, check=True).stdout
    pairs = (word.split("=") for word in output.decode().split() if "=" in word)
    return {name: float(value) for name, value in pairs}


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # two processes share two cores
    warnings.simplefilter("ignore")
    main("drift", measure)
