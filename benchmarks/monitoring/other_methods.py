"""``python other_methods.py (nannyml|alibi-detect) FOLDER ROWS``: judge windows by another package.

It runs in an environment of its own, where this project is not installed. FOLDER holds
``reference.csv`` and ``windows.csv``, the windows one after the other, of ROWS rows each.
Prints a JSON list with the verdict of each window, and from NannyML also its estimates of F1.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Answer = dict[str, list[Any]]
TEXTS = ("gender", "smoking_history", "hypertension", "heart_disease")
NUMBERS = ("age", "bmi", "hba1c_level", "blood_glucose_level", "probability")


def run_nannyml(reference: pd.DataFrame, windows: pd.DataFrame, rows: int) -> Answer:
    """Univariate drift with its default methods and thresholds, and its CBPE."""
    import nannyml  # type: ignore[import-not-found]  # in another environment

    drift = nannyml.UnivariateDriftCalculator(
        column_names=[*TEXTS, *NUMBERS], treat_as_categorical=list(TEXTS), chunk_size=rows
    ).fit(reference)
    found = drift.calculate(windows).filter(period="analysis").to_df()
    alerts = [column for column in found.columns if column[-1] == "alert"]
    estimator = nannyml.CBPE(
        y_pred_proba="probability",
        y_pred="predicted",
        y_true="label",
        problem_type="classification_binary",
        metrics=["f1"],
        chunk_size=rows,
    ).fit(reference)
    estimated = estimator.estimate(windows.drop(columns="label")).filter(period="analysis").to_df()
    return {
        "alarms": found[alerts].any(axis=1).tolist(),
        "f1": estimated["f1", "value"].tolist(),
        "dropped": estimated["f1", "alert"].tolist(),
    }


def run_alibi_detect(reference: pd.DataFrame, windows: pd.DataFrame, rows: int) -> Answer:
    """Its tests of each column (Kolmogorov-Smirnov, chi-square) with Bonferroni's correction."""
    from alibi_detect.cd import TabularDrift  # type: ignore[import-not-found]  # likewise

    whole = pd.concat([reference, windows])
    codes = {name: pd.factorize(whole[name])[0] for name in TEXTS}
    table = np.column_stack([*codes.values(), *(whole[name] for name in NUMBERS)]).astype(float)
    old, new = table[: len(reference)], table[len(reference) :]
    categories = {n: list(range(int(table[:, n].max()) + 1)) for n in range(len(TEXTS))}
    detector = TabularDrift(old, p_val=0.05, categories_per_feature=categories)
    starts = range(0, len(new), rows)
    return {
        "alarms": [bool(detector.predict(new[at : at + rows])["data"]["is_drift"]) for at in starts]
    }


METHODS = {"nannyml": run_nannyml, "alibi-detect": run_alibi_detect}

if __name__ == "__main__":
    os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
    folder = Path(sys.argv[2])
    old, new = (pd.read_csv(folder / f"{name}.csv") for name in ("reference", "windows"))
    print(json.dumps(METHODS[sys.argv[1]](old, new, int(sys.argv[3]))))
