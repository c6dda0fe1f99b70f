"""The simulation of quiet years computes what a drift run computes."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.monitoring.day_counts import SCORES, People, draw
from benchmarks.monitoring.day_tests import compute_p_values
from benchmarks.monitoring.years import count_mails
from domain.contract.feature import Feature
from monitoring_job.statistics.profiles import VALID, Column
from monitoring_job.statistics.statistics import compare_column


def make_column(feature: Feature, counts: np.ndarray) -> Column:
    values = np.repeat(np.arange(len(counts)), counts)
    text = pd.Series(values.astype(str) if feature.kind != "number" else values.astype(float))
    return Column(feature, text, pd.Series(np.full(len(values), VALID), dtype="str"))


@pytest.mark.parametrize(
    ("index", "feature"),
    [
        (0, Feature(name="age", kind="number", minimum=0, maximum=120)),
        (3, Feature(name="x", kind="number", minimum=0, maximum=40)),
        (2, Feature(name="y", kind="flag")),
        (4, Feature(name="z", kind="category", categories=tuple("01234"))),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_p_values_from_counts_are_those_of_the_rows(
    index: int, feature: Feature, seed: int
) -> None:
    random = np.random.default_rng(seed)
    people = [People.of(6, weekend=flag) for flag in (False, True)]
    drawn = [draw(who, 900, 1, random).columns[index].sum(axis=1) for who in people]
    found = compare_column(*(make_column(feature, counts[0]) for counts in drawn))
    smallest = min(test.p_value for test in found.tests if test.aspect == "values")
    [p_value] = compute_p_values(*drawn, ordered=feature.kind == "number")
    assert p_value == pytest.approx(smallest, rel=0.35, abs=0.01)


def test_a_day_has_its_rows_in_every_column_and_scores_for_both_outcomes() -> None:
    drawn = draw(People.of(8, weekend=False), 500, 3, np.random.default_rng(1))
    assert [500] * 3 == drawn.outcomes.sum(axis=(1, 2)).tolist()
    assert [[500] * 3] * 9 == [c.sum(axis=(1, 2)).tolist() for c in drawn.columns]
    assert len(SCORES) == drawn.outcomes.shape[2]


def test_a_quiet_year_sends_hardly_a_mail() -> None:
    assert count_mails(500, 8, rhythm=False, seed=3) <= 2
