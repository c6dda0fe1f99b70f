"""Compare a window with the reference, column by column."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from domain.contract.contract import Contract
from domain.drift.disclosure import round_significant
from domain.drift.drift import MINIMUM_VALUES, Aspect, Method, is_drifted
from domain.drift.summary import ColumnDrift, Profile, Test
from monitoring_job.statistics.distances import measure_distance
from monitoring_job.statistics.profiles import (
    PROBABILITY,
    VALID,
    Column,
    find_merged_groups,
    profile,
)

METHODS: Mapping[str, Method] = {
    "number": "wasserstein",
    "category": "jensenshannon",
    "flag": "jensenshannon",
}
"""The effect size of each kind of column. Evidently's own choice would change with the size of the
reference."""


def compare_columns(
    *,
    contract: Contract,
    reference: Mapping[str, Column],
    current: Mapping[str, Column],
    minimum_rows: int,
) -> tuple[tuple[ColumnDrift, ...], ColumnDrift]:
    """Compare all features, in the contract's order, and the probability.

    With fewer rows than `minimum_rows`, nothing counts as drift. A column that can't be compared
    says so in its `problem`; the others are not affected.
    """
    columns = [
        compare_column(reference[feature.column], current[feature.column])
        for feature in (*contract.features, PROBABILITY)
    ]
    *features, prediction = mark_drifted(columns, minimum_rows)
    return tuple(features), prediction


def compare_column(reference: Column, current: Column) -> ColumnDrift:
    """Test one column's values and validity; `mark_drifted` adds the q-values later."""
    results: list[Test | str] = []
    if reference.present.empty:
        results.append("The reference holds no value of this column.")
    elif current.present.empty:
        results.append("The window holds no valid value of this column.")
    else:
        method = METHODS[reference.feature.kind]
        results.append(_run_test("values", method, reference.present, current.present))
    if (reference.state != VALID).any() or (current.state != VALID).any():
        results.append(_run_test("validity", "jensenshannon", reference.state, current.state))
    problems = [result for result in results if isinstance(result, str)]
    merged_groups = find_merged_groups(reference, current)
    return ColumnDrift(
        name=reference.feature.name,
        column=reference.feature.column,
        kind=reference.feature.kind,
        reference=profile(reference, merged_groups),
        current=profile(current, merged_groups),
        tests=tuple(result for result in results if isinstance(result, Test)),
        problem=" ".join(problems) or None,
    )


def _run_test(
    aspect: Aspect, method: Method, reference: "pd.Series[Any]", current: "pd.Series[Any]"
) -> Test | str:
    """Compare one aspect; returns a sentence instead when that is impossible."""
    try:
        effect = measure_distance(method, reference, current)
        p_value = _compute_p_value(method, reference, current)
    except Exception as error:  # whatever a column holds, the others are compared
        return f"The {aspect} could not be compared ({type(error).__name__})."
    if not math.isfinite(effect) or not math.isfinite(p_value):
        return f"The {aspect} could not be compared (their difference is not a finite number)."
    return Test(
        aspect=aspect,
        method=method,
        rows=len(current),
        effect=round_significant(effect),
        p_value=round_significant(p_value),
        q_value=1.0,
        drifted=False,
    )


def _compute_p_value(
    method: Method,
    reference: "pd.Series[Any]",
    current: "pd.Series[Any]",
) -> float:
    """Test numbers by Kolmogorov-Smirnov, categories by Pearson's chi-square."""
    from scipy import stats

    if method == "wasserstein":
        return float(stats.ks_2samp(reference, current, method="asymp").pvalue)
    counts = pd.concat([reference.value_counts(), current.value_counts()], axis=1).fillna(0)
    if len(counts) < 2:
        return 1.0  # one category on both sides: nothing can differ
    return float(stats.chi2_contingency(counts.to_numpy(), correction=False).pvalue)


def mark_drifted(columns: list[ColumnDrift], minimum_rows: int) -> list[ColumnDrift]:
    """Set the q-values, by Benjamini-Hochberg over all tests of `columns`, and mark drift."""
    from scipy import stats

    p_values = [test.p_value for column in columns for test in column.tests]
    q_values = iter(np.asarray(stats.false_discovery_control(p_values)) if p_values else ())
    return [
        replace(
            column,
            tests=tuple(
                _decide(test, float(next(q_values)), minimum_rows, column.current)
                for test in column.tests
            ),
        )
        for column in columns
    ]


def _decide(test: Test, q_value: float, minimum_rows: int, profile: Profile) -> Test:
    """Decide one test, and suppress its row count if that reveals how few rows have no value."""
    drifted = is_drifted(
        effect=test.effect,
        q_value=q_value,
        rows=test.rows or 0,
        minimum=min(minimum_rows, MINIMUM_VALUES),
    )
    reveals_missing = test.aspect == "values" and None in (profile.missing, profile.invalid)
    return replace(
        test,
        rows=None if reveals_missing else test.rows,
        q_value=round_significant(q_value),
        drifted=drifted,
    )
