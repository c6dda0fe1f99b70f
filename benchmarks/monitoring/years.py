"""Mails of quiet years: daily runs, all detectors together, through the rules of incidents.

A day is drawn as counts: how many rows of each segment have each value of each column. Counts hold
all that the statistics use, so a year of daily runs takes seconds, where rows would take hours. The
classifier's rank test is exact whatever was learned, so its alarms are drawn with their
probability. Every label is known on the next day. Each year has a reference and test rows of its
own.
"""

import itertools
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from scipy import stats

from benchmarks.harness import Figure
from benchmarks.monitoring.day_counts import Drawn, People, draw, interleave, join, join_weeks
from benchmarks.monitoring.day_performance import Model
from benchmarks.monitoring.day_tests import Place, find_drift
from domain.drift.drift import CLASSIFIER_AUC, CLASSIFIER_ROWS, SINGLE_TEST_P, Outcome, worst
from domain.drift.incident import Incident
from domain.times import DAY_MS

YEARS, DAYS = 20, 365
COLUMNS, ROWS = (8, 100), (300, 1_000, 10_000)
REFERENCE_ROWS = TEST_ROWS = 10_000
WARM_UP = 28
"""Days before the year: a deployment has a history."""


def count_mails(rows: int, columns: int, *, rhythm: bool, seed: int) -> int:
    """The mails of one quiet year."""
    random = np.random.default_rng([seed, rows, columns, rhythm])
    weekday, weekend = (People.of(columns, weekend=flag) for flag in (False, rhythm))
    sides = [join_weeks(weekday, weekend, size, random) for size in (REFERENCE_ROWS, TEST_ROWS)]
    reference, model = sides[0], Model.of(*sides)
    days = WARM_UP + DAYS
    at_weekend = np.arange(days) % 7 >= 5
    drawn = interleave(
        draw(weekday, rows, int(np.sum(~at_weekend)), random),
        draw(weekend, rows, int(np.sum(at_weekend)), random),
        at_weekend,
    )
    found, may_have_dropped = find_drift(reference, drawn), model.may_have_dropped(drawn.outcomes)
    joint = random.random(days) < _classifier_alarms(rows)
    daily, look_back, mails = Incident(), Incident(), 0
    for day in range(WARM_UP, days):
        drifted = found[day]
        if drifted:
            drifted = _leave_out_rhythm(drifted, reference, drawn, day)
        outcomes = [Outcome.STABLE]
        last = len(drawn.columns) - 1
        if joint[day] or any(index != last for _, index in drifted):
            outcomes.append(Outcome.DATA_DRIFT)
        if any(index == last for _, index in drifted):
            outcomes.append(Outcome.PREDICTION_DRIFT)
        if may_have_dropped[day] and model.has_dropped(drawn.outcomes[day]):
            outcomes.append(Outcome.PERFORMANCE_DROP)
        names = [str(index) for number, index in drifted if number <= 0]
        transition, daily = daily.advance(outcome=worst(outcomes), drifted=names, end=day * DAY_MS)
        mails += transition.is_announced
        if day % 7 == 0:
            month = drawn.outcomes[day - WARM_UP : day].sum(axis=0)
            dropped = Outcome.PERFORMANCE_DROP if model.has_dropped(month) else Outcome.STABLE
            transition, look_back = look_back.advance(
                outcome=dropped, drifted=["1"] if dropped.is_drift else [], end=day * DAY_MS
            )
            mails += transition.is_announced and dropped.is_drift
    return mails


def _leave_out_rhythm(drifted: set[Place], reference: Drawn, drawn: Drawn, day: int) -> set[Place]:
    """What the weeks before do not explain."""
    [from_weekday] = find_drift(join(drawn, [day - 7 * n for n in range(1, 5)]), join(drawn, [day]))
    [from_week] = find_drift(reference, join(drawn, list(range(day - 7, day))))
    return drifted & (from_weekday | from_week)


def _classifier_alarms(rows: int) -> float:
    """Probability of the classifier's false alarm: its AUC is above its limit by chance."""
    held_out = min(rows, REFERENCE_ROWS) / 2
    if rows < CLASSIFIER_ROWS:
        return 0.0
    error = np.sqrt((1 / held_out + 2 / REFERENCE_ROWS) / 12)
    limit = max((CLASSIFIER_AUC - 0.5) / error, stats.norm.isf(SINGLE_TEST_P))
    return float(stats.norm.sf(limit))


def measure_years(pool: ProcessPoolExecutor, seed: int) -> Iterator[Figure]:
    """The upper 95 % bound of the yearly rate of mails, for each kind of deployment."""
    for columns, rows, rhythm in itertools.product(COLUMNS, ROWS, (False, True)):
        year = partial(_count_one, rows, columns, rhythm, seed)
        mails = sum(pool.map(year, range(YEARS)))
        bound = float(stats.chi2.ppf(0.95, 2 * (mails + 1))) / 2 / YEARS
        kind = "weekly rhythm" if rhythm else "no rhythm"
        name = f"{rows:,} rows, {columns} columns, {kind}"
        yield Figure(f"{name}: mails in {YEARS} quiet years", mails, "")
        yield Figure(f"{name}: upper bound of mails a year", bound, "", "<= 2")


def _count_one(rows: int, columns: int, rhythm: bool, seed: int, year: int) -> int:
    return count_mails(rows, columns, rhythm=rhythm, seed=seed * 1_000 + year)
