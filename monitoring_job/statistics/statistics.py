"""Compare a window with the reference, column by column."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from domain.contract.contract import Contract
from domain.drift.disclosure import choose_suppressed, round_significant
from domain.drift.drift import (
    MINIMUM_VALUES,
    POSITIVE_RATIO_LIMIT,
    Q_THRESHOLD,
    SINGLE_TEST_P,
    Aspect,
    Method,
    is_drifted,
    strength,
)
from domain.drift.summary import ColumnDrift, Profile, Test
from monitoring_job.statistics.distances import count_values, estimate_distance, join_rare
from monitoring_job.statistics.histograms import compute_histogram
from monitoring_job.statistics.profiles import (
    INVALID,
    MISSING,
    PROBABILITY,
    Column,
    find_merged_groups,
    profile,
)
from monitoring_job.statistics.shares import Shares, find_most_changed

log = logging.getLogger(__name__)

METHODS: Mapping[str, Method] = {
    "number": "wasserstein",
    "category": "jensenshannon",
    "flag": "jensenshannon",
}
"""The distance of each kind of column. Evidently's own choice would change with the size of the
reference."""


def compare_columns(
    *,
    contract: Contract,
    reference: Mapping[str, Column],
    current: Mapping[str, Column],
    threshold: float,
    minimum_rows: int,
) -> tuple[tuple[ColumnDrift, ...], ColumnDrift]:
    """Compare all features, in the contract's order, and the predictions.

    With fewer rows than `minimum_rows`, nothing counts as drift. A column that can't be compared
    says so in its `problem`; the others are not affected. `threshold`: from which probability on a
    prediction is positive.
    """
    columns = [
        _with_histogram(reference[feature.column], current[feature.column])
        for feature in (*contract.features, PROBABILITY)
    ]
    *features, prediction = mark_drifted(columns, minimum_rows)
    column = PROBABILITY.column
    decisions = _compare_decisions(reference[column], current[column], threshold)
    return tuple(features), replace(
        prediction,
        tests=(
            *prediction.tests,
            *(_decide(test, test.p_value, SINGLE_TEST_P, minimum_rows) for test in decisions),
        ),
    )


def _with_histogram(reference: Column, current: Column) -> ColumnDrift:
    """Compare a column, and add what people look at; a histogram that fails costs only itself."""
    compared = compare_column(reference, current)
    try:
        return replace(compared, histogram=compute_histogram(reference, current))
    except Exception as error:
        kind = type(error).__name__  # its text may quote values
        log.warning("the histogram of %s could not be made (%s)", compared.column, kind)
        return compared


def compare_column(reference: Column, current: Column) -> ColumnDrift:
    """Test one column's values and validity; `mark_drifted` decides later."""
    merged_groups = find_merged_groups(reference, current)
    old, new = profile(reference, merged_groups), profile(current, merged_groups)
    results: list[Test | str] = []
    if reference.valid.empty:
        results.append("The reference holds no valid value of this column.")
    elif current.valid.empty:
        results.append("The window holds no valid value of this column.")
    else:
        results += _try("values", lambda: _compare_values(reference, current, old, new))
    results += _try("validity", lambda: _compare_validity(reference, current, old, new))
    problems = [result for result in results if isinstance(result, str)]
    return ColumnDrift(
        name=reference.feature.name,
        column=reference.feature.column,
        kind=reference.feature.kind,
        reference=old,
        current=new,
        tests=tuple(result for result in results if isinstance(result, Test)),
        problem=" ".join(problems) or None,
        title=reference.feature.title,
        unit=reference.feature.unit,
    )


def _try(aspect: Aspect, compare: Callable[[], Iterator[Test]]) -> list[Test | str]:
    """Compare one aspect; a sentence stands for what is impossible."""
    try:
        tests = list(compare())
    except Exception as error:  # whatever a column holds, the others are compared
        return [f"The {aspect} could not be compared ({type(error).__name__})."]
    if not all(math.isfinite(test.effect) and math.isfinite(test.p_value) for test in tests):
        return [f"The {aspect} could not be compared (their difference is not a finite number)."]
    return list(tests)


def _compare_values(
    reference: Column, current: Column, old: Profile, new: Profile
) -> Iterator[Test]:
    """Compare the distributions, and of categories and flags also the group that changed most."""
    feature, method = reference.feature, METHODS[reference.feature.kind]
    distance = estimate_distance(method, reference.valid, current.valid)
    yield Test(
        aspect="values",
        method=method,
        rows=len(current.valid),
        effect=distance.value,
        p_value=_compute_p_value(method, reference.valid, current.valid),
        q_value=1.0,
        drifted=False,
        limit=feature.drift.distance,
        bound=distance.bound if math.isfinite(distance.bound) else 0.0,
    )
    if feature.kind == "number":
        return
    names = ("0", "1") if feature.kind == "flag" else feature.categories
    counts = [
        np.array([column.groups.get(name, 0) for name in names], dtype=np.int64)
        for column in (reference, current)
    ]
    index = 1 if feature.kind == "flag" else find_most_changed(*counts)
    shares = Shares(*(int(n) for side in counts for n in (side[index], side.sum())))
    name = names[index]
    shown = name not in find_merged_groups(reference, current)
    compared = len(names) if len(names) > 2 else 1  # with two groups, both say the same
    yield replace(
        _compare_shares(shares, "values", "odds_ratio", feature.drift.odds_ratio, compared),
        group=name if shown else None,
        before=old.shares.get(name, 0.0) if shown else None,
        after=new.shares.get(name, 0.0) if shown else None,
    )


def _compare_validity(
    reference: Column, current: Column, old: Profile, new: Profile
) -> Iterator[Test]:
    """Compare the shares of missing and of invalid values, where there are any.

    Only their growth is judged as a difference of shares. Missing values that become rarer, or more
    frequent where they were frequent before, are found by their odds ratio.
    """
    limits = reference.feature.drift
    for state, before, after in (
        (MISSING, old.missing, new.missing),
        (INVALID, old.invalid, new.invalid),
    ):
        hits, new_hits = (int((column.state == state).sum()) for column in (reference, current))
        if not (hits or new_hits):
            continue
        shares = Shares(hits, len(reference.state), new_hits, len(current.state))
        grown = _compare_shares(shares, "validity", "share_difference", limits.added_share)
        if before is None or after is None:  # the difference would show how many rows there are
            held = limits.added_share if grown.effect >= limits.added_share else 0.0
            grown = replace(grown, effect=held)
        yield replace(grown, group=state, before=before, after=after)
        if state == MISSING:
            odds = _compare_shares(shares, "validity", "odds_ratio", limits.odds_ratio)
            yield replace(odds, group=state, before=before, after=after)


def _compare_decisions(reference: Column, current: Column, threshold: float) -> tuple[Test, ...]:
    """Compare the shares of positive predictions."""
    sides = [column.valid.to_numpy(np.float64) >= threshold for column in (reference, current)]
    if not all(len(side) for side in sides):
        return ()
    positive = [int(np.count_nonzero(side)) for side in sides]
    shares = Shares(positive[0], len(sides[0]), positive[1], len(sides[1]))
    may_be_shown = not any(
        choose_suppressed({True: hits, False: len(side) - hits})
        for hits, side in zip(positive, sides, strict=True)
    )
    test = _compare_shares(shares, "decisions", "share_ratio", POSITIVE_RATIO_LIMIT)
    before, after = (
        round_significant(hits / len(side)) if may_be_shown else None
        for hits, side in zip(positive, sides, strict=True)
    )
    return (replace(test, group="positive", before=before, after=after),)


def _compare_shares(
    shares: Shares, aspect: Aspect, method: Method, limit: float, compared: int = 1
) -> Test:
    """Test one share. `compared`: how many it was chosen from (Bonferroni)."""
    return Test(
        aspect=aspect,
        method=method,
        rows=shares.new_rows,
        effect=shares.effect(method),
        p_value=min(1.0, compared * shares.p_value),
        q_value=1.0,
        drifted=False,
        limit=limit,
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
    counts = np.stack(join_rare(*count_values(reference, current)))
    if counts.shape[1] < 2:
        return 1.0  # one category on both sides: nothing can differ
    return float(stats.chi2_contingency(counts, correction=False).pvalue)


def mark_drifted(columns: list[ColumnDrift], minimum_rows: int) -> list[ColumnDrift]:
    """Set the q-values over all tests of `columns`, which are one family, and mark drift."""
    return mark_by(columns, iter(compute_q_values(list_p_values(columns))), minimum_rows)


def list_p_values(columns: Iterable[ColumnDrift]) -> list[float]:
    """The p-value of each test."""
    return [test.p_value for column in columns for test in column.tests]


def compute_q_values(p_values: Sequence[float]) -> list[float]:
    """The q-values of a family of tests, by Benjamini and Hochberg."""
    from scipy import stats

    return [float(q) for q in stats.false_discovery_control(p_values)] if p_values else []


def mark_by(
    columns: Iterable[ColumnDrift], q_values: Iterator[float], minimum_rows: int
) -> list[ColumnDrift]:
    """Mark drift. `q_values`: the next ones are those of `list_p_values(columns)`."""
    return [
        replace(
            column,
            tests=tuple(
                _suppress_rows(
                    _decide(test, next(q_values), Q_THRESHOLD, minimum_rows), column.current
                )
                for test in column.tests
            ),
        )
        for column in columns
    ]


def _decide(test: Test, q_value: float, below: float, minimum_rows: int) -> Test:
    """Decide one test, and round its figures to what may be shown."""
    certain = test.effect if test.bound is None else test.bound
    drifted = is_drifted(
        strength=strength(test.method, certain, test.limit),
        q_value=q_value,
        below=below,
        rows=test.rows or 0,
        minimum=min(minimum_rows, MINIMUM_VALUES),
    )
    return replace(
        test,
        effect=round_significant(test.effect),
        bound=None if test.bound is None else round_significant(test.bound),
        p_value=round_significant(test.p_value),
        q_value=round_significant(q_value),
        drifted=drifted,
    )


def _suppress_rows(test: Test, profile: Profile) -> Test:
    """Suppress the row count of valid values if that reveals how few rows have none."""
    reveals_missing = test.aspect == "values" and None in (profile.missing, profile.invalid)
    return replace(test, rows=None if reveals_missing else test.rows)
