"""Can a classifier tell the window from the reference? That finds what no single column shows.

Method: a classifier two-sample test (Lopez-Paz & Oquab 2017). Gradient-boosted trees learn on one
half of the rows to tell window rows from reference rows, and are judged on the other half by the
ROC AUC. Without drift, the scores of both sides have the same distribution whatever was learned, so
the rank test of Mann & Whitney (1947) holds exactly and nothing has to be fitted again.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from domain.drift.disclosure import round_significant
from domain.drift.drift import CLASSIFIER_AUC, CLASSIFIER_ROWS, SINGLE_TEST_P
from domain.drift.summary import JointDrift
from monitoring_job.statistics.profiles import PROBABILITY, Column

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LARGEST_SAMPLE = 10_000
"""More rows of one side would cost time and memory and find little more."""
SEED = 0
"""A repeated run draws the same rows, and so finds the same."""
MOST_CATEGORIES = 255
"""scikit-learn's limit; a feature with more categories is ordered by their numbers."""
CARRYING_SHARE = 0.3
"""A column carries the difference when the AUC falls without it by this share of the largest
fall."""
MOST_COLUMNS = 3
"""Columns that are named."""


def classify_domains(
    reference: Mapping[str, Column], current: Mapping[str, Column]
) -> JointDrift | None:
    """Tell both sides apart by all features; None with too few rows on either side."""
    features = [name for name in current if name != PROBABILITY.column]
    sides = [_choose_rows(len(side[features[0]].state)) for side in (reference, current)]
    if min(map(len, sides)) < CLASSIFIER_ROWS:
        return None
    inputs = np.concatenate(
        [
            np.column_stack([_encode(side[name])[rows] for name in features])
            for side, rows in zip((reference, current), sides, strict=True)
        ]
    )
    in_window = np.repeat([False, True], [len(rows) for rows in sides])
    learned = _choose_half(inputs)
    held_out = ~learned
    if any(len(np.unique(in_window[half])) < 2 for half in (learned, held_out)):
        return None  # so few different rows that one half has one side only
    categorical = [
        current[name].feature.kind == "category"
        and len(current[name].feature.categories) < MOST_CATEGORIES
        for name in features
    ]
    model = _fit(inputs[learned], in_window[learned], categorical)
    auc, p_value = _test_ranks(model, inputs[held_out], in_window[held_out])
    drifted = auc >= CLASSIFIER_AUC and p_value < SINGLE_TEST_P
    carrying = _find_carrying(model, inputs[held_out], in_window[held_out], auc) if drifted else []
    return JointDrift(
        rows=int(np.count_nonzero(in_window[held_out])),
        auc=round_significant(auc),
        limit=CLASSIFIER_AUC,
        p_value=round_significant(p_value),
        drifted=drifted,
        columns=tuple(current[features[index]].feature.name for index in carrying),
    )


def _choose_rows(rows: int) -> npt.NDArray[np.int64]:
    """Choose the rows of one side, all of them or LARGEST_SAMPLE."""
    if rows <= LARGEST_SAMPLE:
        return np.arange(rows)
    return np.random.default_rng(SEED).choice(rows, LARGEST_SAMPLE, replace=False)


def _encode(column: Column) -> Floats:
    """The values as numbers: categories by their position, missing and invalid ones as NaN."""
    if column.feature.kind == "number":
        return np.asarray(column.values, dtype=np.float64)
    names = ("0", "1") if column.feature.kind == "flag" else column.feature.categories
    positions = {name: float(position) for position, name in enumerate(names)}
    return np.asarray(column.values.map(positions), dtype=np.float64)


def _choose_half(inputs: Floats) -> Bools:
    """Choose the rows to learn from, by a hash of their values.

    Equal rows are on the same side. Otherwise rows that a window repeats, for instance a patient
    who was scored three times, would be recognised and mistaken for drift.
    """
    hashes = pd.util.hash_pandas_object(pd.DataFrame(inputs), index=False).to_numpy()
    return np.asarray(hashes % 2 == 0)


def _fit(inputs: Floats, in_window: Bools, categorical: list[bool]) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    model = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.1,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        categorical_features=categorical,
        early_stopping=False,
        random_state=SEED,
    )
    with threadpool_limits(1):  # a second thread waits for the first more than it helps
        return model.fit(inputs, in_window)


def _score(model: Any, inputs: Floats) -> Floats:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return np.asarray(model.decision_function(inputs))


def _test_ranks(model: Any, inputs: Floats, in_window: Bools) -> tuple[float, float]:
    """AUC on held-out rows and its one-sided p-value, corrected for ties."""
    from scipy.stats import mannwhitneyu

    scores = _score(model, inputs)
    window, reference = scores[in_window], scores[~in_window]
    test = mannwhitneyu(window, reference, alternative="greater", method="asymptotic")
    return float(test.statistic) / (len(window) * len(reference)), float(test.pvalue)


def _find_carrying(model: Any, inputs: Floats, in_window: Bools, auc: float) -> list[int]:
    """Find the columns that the AUC rests on: those whose shuffling lowers it most (Breiman 2001).

    Nothing is fitted again.
    """
    random = np.random.default_rng(SEED)
    falls = []
    for index in range(inputs.shape[1]):
        shuffled = inputs.copy()
        shuffled[:, index] = random.permutation(shuffled[:, index])
        falls.append(auc - _test_ranks(model, shuffled, in_window)[0])
    order = sorted(range(len(falls)), key=lambda index: -falls[index])
    least = CARRYING_SHARE * max(falls)
    return [index for index in order[:MOST_COLUMNS] if falls[index] > 0 and falls[index] >= least]
