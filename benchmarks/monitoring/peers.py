"""``python -m benchmarks.monitoring.peers``: other methods on the same windows, as a table.

Writes the table into docs/monitoring.md. DIABETES_CSV names the Kaggle file. NANNYML_PYTHON and
ALIBI_DETECT_PYTHON name the interpreters of environments that have these packages; without one, its
column is left out.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import stats

from benchmarks.monitoring import rare
from benchmarks.monitoring.worlds import World, drawn, world
from monitoring_job.statistics.comparison import Rows, compare
from monitoring_job.statistics.expectation import estimate_performance
from monitoring_job.statistics.repeats import select_independent
from ops.laptop import ROOT

SEED = 1
WINDOWS = {1_000: 20, 10_000: 10}
PAGE = ROOT / "docs" / "monitoring.md"
MARKS = ("<!-- comparison: made by benchmarks.monitoring.peers -->", "<!-- comparison: end -->")
OTHERS = {"NannyML": "nannyml", "alibi-detect": "alibi-detect"}

Cell = str


@dataclass(frozen=True)
class Case:
    """How windows are drawn: source, rows and number of the window."""

    name: str
    draw: Callable[[str, int, int], tuple[World, pd.DataFrame]]


def _plain(source: str, rows: int, window: int) -> tuple[World, pd.DataFrame]:
    of = world(source, SEED)
    return of, drawn(of, rows, np.random.default_rng([SEED, rows, window]))


def _thrice(source: str, rows: int, window: int) -> tuple[World, pd.DataFrame]:
    of, frame = _plain(source, rows, window)
    return of, pd.concat([frame[: rows // 3]] * 3 + [frame[: rows % 3]], ignore_index=True)


def _rarer(source: str, rows: int, window: int) -> tuple[World, pd.DataFrame]:
    of = world(source, SEED)
    weights = np.where(of.pool["label"], 0.46, 1.0)
    random = np.random.default_rng([SEED, rows, window])
    chosen = random.choice(len(of.pool), rows, replace=False, p=weights / weights.sum())
    return of, of.pool.iloc[chosen].reset_index(drop=True)


def _shifted(shift: str) -> Callable[[str, int, int], tuple[World, pd.DataFrame]]:
    def draw(source: str, rows: int, window: int) -> tuple[World, pd.DataFrame]:
        of = rare.shifted(source, SEED, shift)
        return of, drawn(of, rows, np.random.default_rng([SEED, rows, window]))

    return draw


SHIFTS = (
    "HbA1c >= 6.8 read as 6.5",
    "30 % of HbA1c 6.6 read as 6.8",
    "HbA1c permuted",
    "new category at 1 %",
    "BMI x 1.03",
)
CASES = (
    Case("nothing has changed", _plain),
    Case("nothing has changed, each person scored three times", _thrice),
    Case("half as many positives", _rarer),
    *(Case(shift, _shifted(shift)) for shift in SHIFTS),
)


def judge(of: World, frame: pd.DataFrame) -> tuple[bool, bool, tuple[float, float]]:
    """By this project: whether anything drifted, whether a drop is expected, expected F1 twice."""
    reference = Rows.of(of.contract, pa.Table.from_pandas(of.reference))
    selected = select_independent(of.contract, reference.columns, pa.Table.from_pandas(frame))
    found = compare(
        contract=of.contract,
        reference=reference,
        current=Rows.of(of.contract, selected.table),
        threshold=of.threshold,
        minimum_rows=300,
    )
    expected = estimate_performance(
        probabilities=selected.table["probability"].to_numpy(),
        reference=of.reference["probability"].to_numpy(),
        reference_labels=of.reference["label"].to_numpy(),
        threshold=of.threshold,
    )
    assert expected is not None
    assert expected.label_shift is not None
    values = expected.f1.value, expected.label_shift.f1.value
    return found.has_drift, expected.dropped, values


def find_by_index(of: World, frame: pd.DataFrame) -> bool:
    """By a population stability index above 0.2 of any column, in tenths of the reference."""
    return any(
        _stability_index(of.reference[column], frame[column]) > 0.2 for column in _columns(of)
    )


def _stability_index(old: pd.Series, new: pd.Series) -> float:
    if pd.api.types.is_numeric_dtype(old) and old.nunique() > 10:
        edges = np.unique(np.quantile(old, np.linspace(0, 1, 11)))[1:-1]
        old, new = (pd.Series(np.digitize(side, edges)) for side in (old, new))
    shares = pd.concat([side.value_counts(normalize=True) for side in (old, new)], axis=1)
    before, after = shares.fillna(0).to_numpy().T.clip(1e-4)
    return float(np.sum((after - before) * np.log(after / before)))


def find_by_p_value(of: World, frame: pd.DataFrame) -> bool:
    """By any column's Kolmogorov-Smirnov or chi-square test below 0.05."""
    for column in _columns(of):
        old, new = of.reference[column], frame[column]
        if pd.api.types.is_numeric_dtype(old) and old.nunique() > 2:
            p_value = stats.ks_2samp(old, new, method="asymp").pvalue
        else:
            counts = pd.concat([old.value_counts(), new.value_counts()], axis=1).fillna(0)
            p_value = stats.chi2_contingency(counts, correction=False).pvalue
        if p_value < 0.05:
            return True
    return False


def find_by_evidently(of: World, frame: pd.DataFrame) -> bool:
    """By any column of Evidently's preset with its default methods."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    numbers = [f.column for f in of.contract.features if f.kind == "number"] + ["probability"]
    texts = [f.column for f in of.contract.features if f.kind != "number"]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=texts)
    snapshot = Report([DataDriftPreset()], include_tests=False).run(
        Dataset.from_pandas(frame[numbers + texts], data_definition=definition),
        Dataset.from_pandas(of.reference[numbers + texts], data_definition=definition),
    )
    counts = [
        m["value"] for m in snapshot.dict()["metrics"] if "DriftedColumns" in m["metric_name"]
    ]
    return bool(counts[0]["count"] > 0)


def _columns(of: World) -> list[str]:
    return [*(feature.column for feature in of.contract.features), "probability"]


SIMPLE: Mapping[str, Callable[[World, pd.DataFrame], bool]] = {
    "Evidently's preset": find_by_evidently,
    "PSI > 0.2": find_by_index,
    "KS or chi-square, p < 0.05": find_by_p_value,
}


@cache
def _interpreter(method: str) -> str:
    return os.environ.get(f"{method.upper().replace('-', '_')}_PYTHON", "")


def run_other(
    method: str, of: World, frames: list[pd.DataFrame], rows: int
) -> dict[str, list[Any]]:
    """The verdicts of a package in its own environment."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        tables = {"reference": of.reference, "windows": pd.concat(frames, ignore_index=True)}
        for name, table in tables.items():
            predicted = table.assign(predicted=(table["probability"] >= of.threshold).astype(int))
            predicted["label"] = predicted["label"].astype(int)
            predicted.to_csv(Path(folder) / f"{name}.csv", index=False)
        script = Path(__file__).with_name("other_methods.py")
        command = [_interpreter(method), str(script), method, folder, str(rows)]
        output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
    answer: dict[str, list[Any]] = json.loads(output.strip().splitlines()[-1])
    return answer


def measure_case(source: str, case: Case, rows: int) -> dict[str, Cell]:
    """One line of the table: method → percentage of the windows with an alarm."""
    pairs = [case.draw(source, rows, window) for window in range(WINDOWS[rows])]
    of, frames = pairs[0][0], [frame for _, frame in pairs]
    ours = [judge(of, frame) for frame in frames]
    line = {"this project": _percent([drifted or dropped for drifted, dropped, _ in ours])}
    line |= {name: _percent([find(of, frame) for frame in frames]) for name, find in SIMPLE.items()}
    realised = np.array([_f1(frame, of.threshold) for frame in frames])
    errors = np.array([values for *_, values in ours]) - realised[:, None]
    line["error of our F1"] = " and ".join(f"{error:+.3f}" for error in errors.mean(axis=0))
    for name, method in OTHERS.items():
        if not _interpreter(method):
            continue
        answer = run_other(method, of, frames, rows)
        line[name] = _percent(answer["alarms"])
        if "f1" in answer:
            error = np.mean(np.array(answer["f1"]) - realised)
            line[f"error of {name}'s F1"] = f"{error:+.3f}"
    return line


def _f1(frame: pd.DataFrame, threshold: float) -> float:
    labels, predicted = frame["label"].to_numpy(), frame["probability"].to_numpy() >= threshold
    return float(2 * np.sum(labels & predicted) / (labels.sum() + predicted.sum()))


def _percent(verdicts: list[bool]) -> Cell:
    return f"{100 * np.mean(verdicts):.0f} %"


def write_table(lines: Mapping[tuple[str, int], Mapping[str, Cell]]) -> None:
    """Put the table between its marks in the page."""
    names = list(next(iter(lines.values())))
    names.sort(key=lambda name: name.startswith("error"))
    head = ["what has changed", "rows", *names]
    body = [
        [case, f"{rows:,}", *(line[name] for name in names)] for (case, rows), line in lines.items()
    ]
    rule = ["---"] * len(head)
    table = "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *body))
    begin, end = map(re.escape, MARKS)
    text = PAGE.read_text()
    new = f"{MARKS[0]}\n\n{table}\n\n{MARKS[1]}"
    PAGE.write_text(re.sub(f"{begin}.*{end}", lambda _: new, text, flags=re.DOTALL))


def main() -> None:
    """Measure everything, print each line, write the table."""
    source = os.environ.get("DIABETES_CSV")
    if not source:
        sys.exit("DIABETES_CSV is not set: it names the Kaggle file that the table is made from.")
    lines: dict[tuple[str, int], dict[str, Cell]] = {}
    for rows in WINDOWS:
        for case in CASES:
            lines[case.name, rows] = measure_case(source, case, rows)
            print(rows, case.name, lines[case.name, rows], flush=True)
            write_table(lines)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    warnings.simplefilter("ignore")
    main()
