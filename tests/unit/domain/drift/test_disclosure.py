"""No figure that is published tells about fewer than eleven rows, not by subtraction either."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contract.contract import Contract
from domain.contract.feature import OTHER
from domain.drift.disclosure import (
    SMALLEST_GROUP,
    choose_suppressed,
    choose_suppressed_by_all,
    round_significant,
)
from domain.drift.summary import Profile, SegmentDrift
from domain.interval import Interval
from monitoring_job.statistics import performance, profiles
from monitoring_job.statistics.profiles import Column
from monitoring_job.statistics.segments import compare_segments
from monitoring_job.statistics.statistics import compare_columns
from tests.unit.monitoring import scored

FEW = (0, 1, 5, 10, 11, 40)


@given(st.dictionaries(st.text(max_size=2), st.integers(0, 60), max_size=8), st.sets(st.text()))
def test_what_is_hidden_is_hidden_together_with_enough(
    counts: dict[str, int], last: set[str]
) -> None:
    secret = choose_suppressed(counts, last=last)
    told = {rows for name, rows in counts.items() if name not in secret}
    assert [] == [rows for rows in told if 0 < rows < SMALLEST_GROUP]
    together = sum(counts[name] for name in secret)
    assert 0 == together or together >= SMALLEST_GROUP or together == sum(counts.values())


@pytest.mark.parametrize(
    ("counts", "last", "expected"),
    [
        ({"a": 0, "b": 11, "c": 500}, (), set()),
        ({"a": 3, "b": 20, "c": 500}, (), {"a", "b"}),
        ({"a": 3, "b": 20, "c": 500}, ("b",), {"a", "c"}),
        ({"a": 6, "b": 7, "c": 500}, (), {"a", "b"}),
        ({"a": 3, "b": 500}, ("b",), {"a", "b"}),
    ],
)
def test_the_next_smallest_is_hidden_too_where_the_rest_would_tell(
    counts: dict[str, int], last: tuple[str, ...], expected: set[str]
) -> None:
    assert expected == choose_suppressed(counts, last=last)


@pytest.mark.parametrize(
    ("rows", "positive", "expected"),
    [
        ((500, 400, 300), (50, 40, 30), ""),
        ((500, 400, 8), (50, 40, 2), "bc"),
        ((500, 400, 300), (50, 40, 3), "bc"),
        ((500, 400, 300), (50, 3, 0), "abc"),  # c is the next smallest, but adds no positive
        ((500, 400, 8), (0, 0, 0), "bc"),
        ((500, 8, 400), (20, 0, 12), "bc"),
        ((500, 400, 0), (3, 40, 0), "ab"),
    ],
)
def test_groups_of_several_counts_are_suppressed_together(
    rows: tuple[int, ...], positive: tuple[int, ...], expected: str
) -> None:
    wholes = [dict(zip("abc", counts, strict=True)) for counts in (rows, positive)]
    found = choose_suppressed_by_all(wholes)
    assert set(expected) == found
    for counts in wholes:
        assert not 0 < sum(counts[name] for name in found) < SMALLEST_GROUP


@pytest.mark.parametrize(
    ("value", "expected"), [(0.0, 0.0), (138.0641, 138.0), (0.123456, 0.123), (-2.71828, -2.72)]
)
def test_a_figure_has_three_significant_digits(value: float, expected: float) -> None:
    assert expected == round_significant(value)


def few(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The frame with groups of every small size."""
    random = np.random.default_rng(seed)
    for column, odd in (("gender", "<b>"), ("age", -1.0), ("bmi", 1e9)):
        rows = random.permutation(len(frame))
        absent, wrong = random.choice(FEW, 2)
        frame.loc[rows[:absent], column] = None
        frame.loc[rows[absent : absent + wrong], column] = odd
    frame.loc[frame["gender"] == "Other", "gender"] = "Male"
    frame.loc[random.permutation(len(frame))[: random.choice(FEW)], "gender"] = "Other"
    frame["hypertension"] = (random.permutation(len(frame)) < random.choice(FEW)).astype(int)
    return frame


def columns(contract: Contract, *, rows: int, seed: int) -> dict[str, Column]:
    return profiles.profile_columns(
        contract, pa.Table.from_pandas(few(scored(rows, seed=seed), seed))
    )


def is_secret(rows: float) -> bool:
    return 0.5 < rows < SMALLEST_GROUP - 0.5


def told(profile: Profile, whole: int) -> Iterator[tuple[str, float]]:
    """Every number of rows that a profile tells, by itself or by subtraction."""
    for name, share in (("missing", profile.missing), ("invalid", profile.invalid)):
        if share is not None:
            yield name, share * whole
            yield f"not {name}", (1 - share) * whole
    for name, share in profile.shares.items():
        yield name, share * whole
    if profile.shares and profile.missing is not None:
        # The counts themselves, where rounding lets them be found.
        known = sum(round(share * whole) for share in profile.shares.values())
        yield "rest", max(0, whole - known - round(profile.missing * whole))


@pytest.mark.parametrize("seed", range(8))
def test_no_published_figure_tells_about_fewer_than_eleven_rows(
    contract: Contract, seed: int
) -> None:
    old = columns(contract, rows=900, seed=seed + 100)
    new = columns(contract, rows=400, seed=seed)
    found, prediction = compare_columns(
        contract=contract, reference=old, current=new, threshold=0.5, minimum_rows=300
    )
    segments = compare_segments(contract=contract, reference=old, current=new)
    leaks: list[Any] = []
    for column in (*found, prediction):
        for profile, whole in ((column.reference, 900), (column.current, 400)):
            leaks += [(column.name, *f) for f in told(profile, whole) if is_secret(f[1])]
        leaks += [
            (column.name, test.aspect, test.rows)
            for test in column.tests
            if test.rows is not None and is_secret(400 - test.rows)
        ]
    leaks += list(_of_segments(segments, new))
    assert [] == leaks


def _of_segments(segments: tuple[SegmentDrift, ...], new: dict[str, Column]) -> Iterator[Any]:
    for segment in segments:
        if segment.rows is None:
            numbers = [c.current.rows for c in segment.columns]
            numbers += [test.rows for c in segment.columns for test in c.tests]
            yield from (n for n in numbers if n is not None)
        elif is_secret(segment.rows):
            yield segment.name, segment.rows
    for name in ("gender", "age"):
        sizes = [s.rows for s in segments if s.name.startswith(name)]
        unusual = [new[name].groups[None], new[name].groups.get(OTHER, 0)]
        rest = sum(n for n in unusual if is_secret(n))
        if None not in sizes and is_secret(rest):
            yield name, rest


def test_a_group_too_small_to_show_is_one_with_the_next_on_both_sides(contract: Contract) -> None:
    old, new = scored(1_000, seed=1), scored(1_000, seed=2)
    old["gender"] = ["Other"] * 3 + ["Male"] * 417 + ["Female"] * 580
    new["gender"] = ["Other"] * 50 + ["Male"] * 370 + ["Female"] * 580
    sides = [
        profiles.profile_columns(contract, pa.Table.from_pandas(frame)) for frame in (old, new)
    ]
    found, _ = compare_columns(
        contract=contract, reference=sides[0], current=sides[1], threshold=0.5, minimum_rows=300
    )
    [gender] = [column for column in found if column.column == "gender"]
    shares = {"Female": 0.58, "Male or Other": 0.42}
    assert (gender.reference.shares, gender.current.shares) == (shares, shares)


@pytest.mark.parametrize(
    ("positives", "predicted", "shown"), [(40, 40, True), (10, 40, False), (40, 10, False)]
)
def test_figures_rest_on_eleven_rows_of_each_truth_and_each_answer(
    positives: int, predicted: int, shown: bool
) -> None:
    measured = performance.measure_performance(
        labels=(np.arange(400) < positives).astype(np.int8),
        probabilities=(np.arange(400) < predicted).astype(np.float64),
        threshold=0.5,
        test={"f1": Interval(0.8, 0.78, 0.82)},
        sampled=1_000,
    )
    assert {shown} == {figure is not None for figure in measured.figures.values()}
    assert measured.positives == (positives if positives > 10 else None)


@pytest.mark.parametrize(("sampled", "labelled"), [(405, None), (411, 400), (400, 400)])
def test_how_few_have_no_label_is_not_told(sampled: int, labelled: int | None) -> None:
    measured = performance.measure_performance(
        labels=(np.arange(400) < 40).astype(np.int8),
        probabilities=np.linspace(0, 1, 400),
        threshold=0.5,
        test={},
        sampled=sampled,
    )
    assert measured.labelled == labelled
    assert (measured.coverage is None) == (labelled is None)
