"""Exact tests of shares, and the limits of rare things that a distance overlooks."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats

from domain.contract.contract import Contract
from domain.drift.summary import ColumnDrift, Test
from monitoring_job.statistics import profiles
from monitoring_job.statistics.shares import Shares, find_most_changed
from monitoring_job.statistics.statistics import compare_columns
from tests.unit.monitoring import scored


def compared(
    contract: Contract, shift: Callable[[pd.DataFrame], None], *, rows: int = 10_000
) -> dict[str, ColumnDrift]:
    """The columns of a shifted window, and the predictions."""
    current = scored(rows, seed=31)
    shift(current)
    columns, prediction = compare_columns(
        contract=contract,
        reference=profiles.profile_columns(contract, pa.Table.from_pandas(scored(10_000, seed=1))),
        current=profiles.profile_columns(contract, pa.Table.from_pandas(current)),
        threshold=0.5,
        minimum_rows=300,
    )
    return {column.column: column for column in (*columns, prediction)}


def drifted_tests(columns: dict[str, ColumnDrift]) -> list[tuple[str, str, str | None]]:
    """Column, method and group of each test that found drift."""
    return [
        (name, test.method, test.group)
        for name, column in columns.items()
        for test in column.tests
        if test.drifted
    ]


def _rare_category(frame: pd.DataFrame) -> None:
    frame.loc[frame.index < 0.02 * len(frame), "gender"] = "Other"  # of which there was 1 %


def _new_category(frame: pd.DataFrame) -> None:
    frame.loc[frame.index < 0.01 * len(frame), "gender"] = "Unknown"


def _missing(frame: pd.DataFrame) -> None:
    frame.loc[frame.index < 0.01 * len(frame), "bmi"] = np.nan


def _out_of_range(frame: pd.DataFrame) -> None:
    frame.loc[frame.index < 0.01 * len(frame), "bmi"] = 1e39


@pytest.mark.parametrize(
    ("shift", "column", "method", "group"),
    [
        (_rare_category, "gender", "odds_ratio", "Other"),
        (_new_category, "gender", "share_difference", "invalid"),
        (_missing, "bmi", "share_difference", "missing"),
        (_out_of_range, "bmi", "share_difference", "invalid"),
    ],
)
def test_what_is_rare_is_found_at_one_percent(
    contract: Contract,
    shift: Callable[[pd.DataFrame], None],
    column: str,
    method: str,
    group: str,
) -> None:
    found = drifted_tests(compared(contract, shift))
    assert (column, method, group) in found
    assert {column} == {name for name, _, _ in found}


def test_missing_values_that_become_rarer_are_found_by_their_odds(contract: Contract) -> None:
    reference = scored(10_000, seed=1)
    reference.loc[reference.index < 400, "bmi"] = np.nan
    columns, _ = compare_columns(
        contract=contract,
        reference=profiles.profile_columns(contract, pa.Table.from_pandas(reference)),
        current=profiles.profile_columns(contract, pa.Table.from_pandas(scored(5_000, seed=31))),
        threshold=0.5,
        minimum_rows=300,
    )
    by_name = {column.column: column for column in columns}
    assert [("bmi", "odds_ratio", "missing")] == drifted_tests(by_name)


@pytest.mark.parametrize(("factor", "expected"), [(1.0, False), (0.93, True)])
def test_the_share_of_positive_predictions_has_a_limit_of_its_own(
    contract: Contract, factor: float, expected: bool
) -> None:
    def lower(frame: pd.DataFrame) -> None:
        near = frame["probability"].between(0.5, 0.5 + 5 * (1 - factor))
        frame.loc[near, "probability"] = 0.499

    [test] = [
        test for test in compared(contract, lower)["probability"].tests if test.group == "positive"
    ]
    assert (expected, "share_ratio", "decisions") == (test.drifted, test.method, test.aspect)
    assert test.before is not None
    assert test.after is not None
    assert test.effect == pytest.approx(test.after / test.before, rel=0.02)


def test_a_feature_may_have_limits_of_its_own(contract: Contract) -> None:
    document = contract.to_dict()
    for feature in document["features"]:
        if feature["name"] == "bmi":
            feature["drift"] = {"added_share": 0.02, "odds_ratio": 1000}
    patient = Contract.from_dict(document)
    assert patient.version == contract.version
    assert patient == Contract.from_dict(patient.to_dict())
    assert [] == drifted_tests(compared(patient, _missing))


def test_a_difference_that_tells_about_few_rows_is_published_as_its_limit(
    contract: Contract,
) -> None:
    def few(frame: pd.DataFrame) -> None:
        frame.loc[frame.index < 8, "gender"] = "Unknown"

    [test] = [t for t in compared(contract, few, rows=800)["gender"].tests if t.group == "invalid"]
    assert (test.limit, None) == (test.effect, test.after)


@pytest.mark.parametrize(
    ("shares", "method", "expected"),
    [
        (Shares(100, 1_000, 200, 1_000), "share_difference", 0.1),
        (Shares(100, 1_000, 200, 1_000), "share_ratio", 200.5 / 100.5),
        (Shares(100, 1_000, 200, 1_000), "odds_ratio", 200.5 / 800.5 / (100.5 / 900.5)),
        (Shares(0, 1_000, 0, 1_000), "odds_ratio", 1.0),
        (Shares(1_000, 1_000, 1_000, 1_000), "share_ratio", 1.0),
    ],
)
def test_effects_of_shares_are_finite(shares: Shares, method: str, expected: float) -> None:
    assert math.isclose(expected, shares.effect(method))  # type: ignore[arg-type]  # parametrized


def test_the_p_value_is_exact_where_it_decides() -> None:
    shares = Shares(0, 1_000, 9, 300)
    assert stats.fisher_exact([[0, 1_000], [9, 291]]).pvalue == shares.p_value
    assert 1.0 == Shares(0, 1_000, 0, 300).p_value


def test_the_group_that_changed_most_certainly_is_chosen() -> None:
    old, new = np.array([5_000, 4_900, 100, 1]), np.array([4_900, 4_800, 300, 3])
    assert 2 == find_most_changed(old, new)


def test_exact_tests_of_equal_shares_reject_as_seldom_as_they_promise() -> None:
    random = np.random.default_rng(5)
    old, new = random.binomial(5_000, 0.01, 400), random.binomial(800, 0.01, 400)
    p_values = [Shares(int(a), 5_000, int(b), 800).p_value for a, b in zip(old, new, strict=True)]
    assert np.mean(np.array(p_values) < 0.05) <= 0.08


def test_a_test_of_an_older_run_has_the_usual_limit() -> None:
    test = Test(
        aspect="values",
        method="wasserstein",
        rows=1,
        effect=0.2,
        p_value=0.0,
        q_value=0.0,
        drifted=True,
    )
    assert (0.1, 2.0) == (test.limit, test.strength)


def test_a_new_category_is_one_finding_and_not_two(contract: Contract) -> None:
    def frequent(frame: pd.DataFrame) -> None:
        frame.loc[frame.index < 0.3 * len(frame), "gender"] = "Unknown"

    assert [("gender", "share_difference", "invalid")] == drifted_tests(
        compared(contract, frequent, rows=1_000)
    )
