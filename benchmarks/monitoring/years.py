"""Mails of quiet years: daily runs, all detectors together, through the rules of incidents.

A day is drawn as counts: how many rows of each segment have each value of each column. Counts hold
all that the statistics use, so a year of daily runs takes seconds, where rows would take hours. The
p-values of all days are computed at once from the counts. Where a test is significant, the
project's own functions decide on rows made from the counts; they also measure each day's
performance. The classifier's rank test is exact whatever was learned, so its alarms are drawn with
their probability.

Half of the columns are numbers with 40 values, the others are flags and categories; an eighth has
missing values. The model is as sharp as one for diabetes: F1 is 0.8 with 8.5 % positives. Every
label is known on the next day. Each year has a reference and test rows of its own. With a weekly
rhythm, people are 2.5 years younger at weekends, and positives a tenth rarer.
"""

import itertools
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from benchmarks.harness import Figure
from domain.drift.drift import (
    CLASSIFIER_AUC,
    CLASSIFIER_ROWS,
    EFFECT_THRESHOLD,
    MINIMUM_VALUES,
    ODDS_RATIO_LIMIT,
    POSITIVE_RATIO_LIMIT,
    Q_THRESHOLD,
    SINGLE_TEST_P,
    Outcome,
    worst,
)
from domain.drift.incident import Incident
from domain.drift.performance import CALIBRATION_LIMIT, MARGIN, MINIMUM_POSITIVES, Expectation
from domain.interval import Interval
from domain.times import DAY_MS
from monitoring_job.statistics.calibration import Line, fit_line, log_odds
from monitoring_job.statistics.distances import estimate_distance
from monitoring_job.statistics.expectation import estimate_performance
from monitoring_job.statistics.performance import measure_performance
from monitoring_job.statistics.shares import Shares
from tabular.classification import confusion_intervals, roc_auc_interval

YEARS, DAYS = 20, 365
COLUMNS, ROWS = (8, 100), (300, 1_000, 10_000)
REFERENCE_ROWS = TEST_ROWS = 10_000
BANDS = (30, 50, 70)
AGES, VALUES = 90, 40
SCORES = np.linspace(0.005, 0.995, 100)
CLOSE = 1e-4
"""Below it, the exact distribution of the statistic is computed, which takes long."""
WARM_UP = 28
"""Days before the year: a deployment has a history."""

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Place = tuple[int, int]
"""Segment (0 for all rows) and column; the last column is the score."""


@dataclass(frozen=True)
class People:
    """Distributions: of ages and of scores by outcome, and of each further column's values."""

    ages: Floats
    scores: Floats
    columns: tuple[Floats, ...]

    @classmethod
    def of(cls, columns: int, *, weekend: bool) -> "People":
        """Of weekdays or of a weekend; `columns` with the age."""
        ages = stats.norm.pdf(np.arange(AGES), 42, 22)
        if weekend:  # half of the people are 2 years younger, half are 3
            ages = (np.append(ages[2:], [0, 0]) + np.append(ages[3:], [0, 0, 0])) / 2
        sure, unsure = stats.beta.pdf(SCORES, 40, 1), stats.beta.pdf(SCORES, 1.6, 5)
        well = stats.beta.pdf(SCORES, 0.4, 14)
        prevalence = 0.085 * (0.9 if weekend else 1.0)
        sick = 0.66 * sure / sure.sum() + 0.34 * unsure / unsure.sum()
        scores = np.stack([(1 - prevalence) * well / well.sum(), prevalence * sick])
        kinds = [
            np.full(VALUES, 1 / VALUES),
            np.array([0.92, 0.08]),
            stats.norm.pdf(np.linspace(-2.5, 2.5, VALUES)),
            np.array([0.4, 0.25, 0.15, 0.12, 0.08]),
        ]
        others = tuple(kinds[n % 4] / kinds[n % 4].sum() for n in range(columns - 1))
        return cls(ages / ages.sum(), scores, others)


@dataclass(frozen=True)
class Drawn:
    """Days as counts. Cells are sex by age band: ``[day, cell, value]`` for each column.

    The first column is the age, the last the score; `outcomes`: ``[day, outcome, score]``;
    `missing`: rows without a value, ``[day, column]``, of the columns that have such.
    """

    columns: tuple[Counts, ...]
    outcomes: Counts
    missing: Counts
    rows: int


def draw(people: People, rows: int, days: int, random: np.random.Generator) -> Drawn:
    """Draw days of so many rows each."""
    sexes = random.multinomial(rows, [0.585, 0.415], size=days)
    ages = random.multinomial(sexes, people.ages)
    edges = [0, *BANDS, AGES]
    cells, by_age = [], []
    for sex in range(2):
        for low, high in itertools.pairwise(edges):
            inside = np.zeros((days, AGES), np.int64)
            inside[:, low:high] = ages[:, sex, low:high]
            by_age.append(inside)
            cells.append(inside.sum(axis=1))
    sizes = np.stack(cells, axis=1)
    others = [random.multinomial(sizes, shares) for shares in people.columns]
    scored = random.multinomial(sizes, people.scores.ravel()).reshape(days, -1, 2, len(SCORES))
    missing = random.binomial(rows, 0.03, size=(days, len(others) // 8 + 1))
    columns = (np.stack(by_age, axis=1), *others, scored.sum(axis=2))
    return Drawn(columns, scored.sum(axis=1), missing, rows)


SEGMENTS = [
    list(range(8)),
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    *([band, band + 4] for band in range(4)),
]
"""The cells of all rows, of either sex, of each age band."""


def compute_p_values(old: Counts, new: Counts, *, ordered: bool) -> Floats:
    """The smallest p-value of a column's tests; ``[day, value]`` each, `old` may be one day."""
    with np.errstate(invalid="ignore", divide="ignore"):
        rows_old, rows_new = old.sum(axis=-1), new.sum(axis=-1)
        if ordered:
            apart = np.abs(
                np.cumsum(old, axis=-1) / rows_old[..., None]
                - np.cumsum(new, axis=-1) / rows_new[..., None]
            ).max(axis=-1)
            effective = rows_old * rows_new / (rows_old + rows_new)
            p_values = special.kolmogorov(np.sqrt(effective) * apart)
            close = p_values < CLOSE
            size = np.broadcast_to(np.round(effective), p_values.shape)[close]
            p_values[close] = stats.kstwo.sf(apart[close], size)
            return np.asarray(np.nan_to_num(p_values, nan=1.0))
        share = (old + new) / (rows_old + rows_new)[..., None]
        squares = (old - rows_old[..., None] * share) ** 2 / (rows_old[..., None] * share)
        squares += (new - rows_new[..., None] * share) ** 2 / (rows_new[..., None] * share)
        groups = new.shape[-1]
        whole = special.chdtrc(groups - 1, np.nansum(squares, axis=-1))
        error = np.sqrt(share * (1 - share) * (1 / rows_old + 1 / rows_new)[..., None])
        moved = np.abs(old / rows_old[..., None] - new / rows_new[..., None]) / error
        one = 2 * stats.norm.sf(np.nan_to_num(moved).max(axis=-1))
        return np.asarray(np.minimum(whole, one * (groups if groups > 2 else 1)))


def find_drift(old: Drawn, new: Drawn) -> list[set[Place]]:
    """Find what has drifted on each day. `old`: one day, the reference for all."""
    days, last = len(new.outcomes), len(new.columns) - 1
    found: list[set[Place]] = [set() for _ in range(days)]
    for first, family in ((0, SEGMENTS[:1]), (1, SEGMENTS[1:])):
        tests: dict[Place, Floats] = {}
        for number, cells in enumerate(family, start=first):
            for index in range(last + 1):
                if index == 0 and number > 2:
                    continue  # the age within an age band
                before, after = (side.columns[index][:, cells].sum(axis=1) for side in (old, new))
                p_values = compute_p_values(before, after, ordered=_is_number(index, last))
                few = np.minimum(before.sum(axis=-1), after.sum(axis=-1)) < MINIMUM_VALUES
                tests[number, index] = np.where(few, np.nan, p_values)
        if first == 0:
            for index in range(new.missing.shape[1]):
                hits, new_hits = old.missing[:, index], new.missing[:, index]
                before = np.stack([old.rows - hits, hits], axis=-1)
                after = np.stack([new.rows - new_hits, new_hits], axis=-1)
                tests[-1, index] = compute_p_values(before, after, ordered=False)
        for day, passing in _pass_false_discovery(tests):
            for place in passing:
                if _is_large(old, new, day, place, last):
                    found[day].add(place)
    _find_decisions(old, new, found, last)
    return found


def _is_number(index: int, last: int) -> bool:
    return index in (0, last) or index % 2 == 1


def _pass_false_discovery(tests: dict[Place, Floats]) -> Iterator[tuple[int, list[Place]]]:
    """Yield the days with a q-value below the bound, and which tests have one."""
    places, p_values = list(tests), np.stack(list(tests.values()))
    for day in np.flatnonzero(np.nanmin(p_values, axis=0) < Q_THRESHOLD):
        known = ~np.isnan(p_values[:, day])
        q_values = stats.false_discovery_control(p_values[known, day])
        passing = np.flatnonzero(known)[q_values < Q_THRESHOLD]
        if len(passing):
            yield int(day), [places[at] for at in passing]


def _is_large(old: Drawn, new: Drawn, day: int, place: Place, last: int) -> bool:
    """Whether a difference that is no chance is large enough, by the project's functions."""
    number, index = place
    if number < 0:
        hits = int(old.missing[0, index]), int(new.missing[day, index])
        shares = Shares(hits[0], old.rows, hits[1], new.rows)
        ratio = shares.effect("odds_ratio")
        return shares.effect("share_difference") >= 0.005 or _is_beyond(ratio, ODDS_RATIO_LIMIT)
    cells = SEGMENTS[number]
    before, after = (
        old.columns[index][0, cells].sum(axis=0),
        new.columns[index][day, cells].sum(axis=0),
    )
    sides = [pd.Series(np.repeat(np.arange(len(side)), side)) for side in (before, after)]
    if _is_number(index, last):
        return estimate_distance("wasserstein", *sides).bound >= EFFECT_THRESHOLD
    if estimate_distance("jensenshannon", *sides).bound >= EFFECT_THRESHOLD:
        return True
    ratios = (
        Shares(int(b), int(before.sum()), int(a), int(after.sum())).effect("odds_ratio")
        for b, a in zip(before, after, strict=True)
    )
    return any(_is_beyond(ratio, ODDS_RATIO_LIMIT) for ratio in ratios)


def _is_beyond(ratio: float, limit: float) -> bool:
    return max(ratio, 1 / ratio) >= limit


THRESHOLD = 0.4


def _find_decisions(old: Drawn, new: Drawn, found: list[set[Place]], last: int) -> None:
    positive = SCORES >= THRESHOLD
    before = int(old.outcomes[0][:, positive].sum())
    for day, after in enumerate(new.outcomes[:, :, positive].sum(axis=(1, 2))):
        shares = Shares(before, old.rows, int(after), new.rows)
        ratio = shares.effect("share_ratio")
        if _is_beyond(ratio, POSITIVE_RATIO_LIMIT) and shares.p_value < SINGLE_TEST_P:
            found[day].add((0, last))


def join(drawn: Drawn, days: list[int]) -> Drawn:
    """Several days as one."""
    return Drawn(
        tuple(column[days].sum(axis=0, keepdims=True) for column in drawn.columns),
        drawn.outcomes[days].sum(axis=0, keepdims=True),
        drawn.missing[days].sum(axis=0, keepdims=True),
        drawn.rows * len(days),
    )


def _rows_of(outcomes: Counts) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Labels and scores of the rows that are counted by ``[outcome, score]``."""
    labels = np.repeat([False, True], outcomes.sum(axis=1))
    return labels, np.concatenate([np.repeat(SCORES, side) for side in outcomes])


@dataclass(frozen=True)
class Model:
    """What a version is compared with: its reference, and its figures on its test rows."""

    labels: npt.NDArray[np.bool_]
    scores: Floats
    line: Line | None
    test: dict[str, Interval]

    @classmethod
    def of(cls, reference: Drawn, tested: Drawn) -> "Model":
        """Measure a version."""
        labels, scores = _rows_of(reference.outcomes[0])
        truth, given = _rows_of(tested.outcomes[0])
        f1 = confusion_intervals(truth, given >= THRESHOLD, seed=0)["f1"]
        roc_auc = roc_auc_interval(truth, given)
        assert f1 is not None
        assert roc_auc is not None
        return cls(labels, scores, fit_line(labels, scores), {"f1": f1, "roc_auc": roc_auc})

    def may_have_dropped(self, outcomes: Counts) -> npt.NDArray[np.bool_]:
        """Which days a closer look is worth: some figure is low enough, errors left aside.

        `outcomes`: ``[day, outcome, score]``. The figures are those of the project, from counts.
        """
        positive, line = SCORES >= THRESHOLD, self.line
        assert line is not None
        chances, rows = line.apply(SCORES), outcomes.sum(axis=1)
        expected = 2 * (rows * chances * positive).sum(axis=1)
        expected /= (rows * (chances + positive)).sum(axis=1)
        before = 2 * np.sum(line.apply(self.scores)[self.scores >= THRESHOLD])
        before /= np.sum(line.apply(self.scores)) + np.count_nonzero(self.scores >= THRESHOLD)
        sick, healthy = outcomes[:, 1], outcomes[:, 0]
        f1 = 2 * sick[:, positive].sum(axis=1)
        f1 = f1 / (sick.sum(axis=1) + rows[:, positive].sum(axis=1))
        below = np.cumsum(healthy, axis=1) - healthy / 2
        roc_auc = (sick * below).sum(axis=1) / (sick.sum(axis=1) * healthy.sum(axis=1))
        ratio = sick.sum(axis=1) / (rows * chances).sum(axis=1)
        spread = np.sqrt((rows * chances * (1 - chances)).sum(axis=1)) / (rows * chances).sum(
            axis=1
        )
        slope, error = _fit_slopes(sick, rows, log_odds(chances))
        by_labels = (
            (f1 <= self.test["f1"].value - MARGIN)
            | (roc_auc <= self.test["roc_auc"].value - MARGIN)
            | _may_be_off(ratio, spread)
            | _may_be_off(slope, error)
        )
        enough = sick.sum(axis=1) >= MINIMUM_POSITIVES
        return np.asarray(np.where(enough, by_labels, expected <= before - MARGIN))

    def has_dropped(self, outcomes: Counts) -> bool:
        """Judge a window: by its labels if they are enough, else by the estimate."""
        labels, scores = _rows_of(outcomes)
        measured = measure_performance(
            labels=labels.astype(np.int8),
            probabilities=scores,
            threshold=THRESHOLD,
            test=self.test,
            sampled=len(labels),
            calibration=self.line,
        )
        return measured.dropped if measured.has_enough_labels else self.is_expected(scores)

    def is_expected(self, scores: Floats) -> bool:
        """Whether a drop is expected without labels."""
        expected: Expectation | None = estimate_performance(
            probabilities=scores,
            reference=self.scores,
            reference_labels=self.labels,
            threshold=THRESHOLD,
        )
        return expected is not None and expected.dropped


def _may_be_off(values: Floats, errors: Floats) -> npt.NDArray[np.bool_]:
    """Whether calibration is off at 2 standard errors; the project asks for 3.3."""
    low, high = values - 2 * errors, values + 2 * errors
    return ~((high > 1 / CALIBRATION_LIMIT) & (low < CALIBRATION_LIMIT))


def _fit_slopes(sick: Counts, rows: Counts, odds: Floats) -> tuple[Floats, Floats]:
    """Slope of each day's labels in the log odds, and its error, by Newton's method.

    NaN where it diverges.
    """
    columns = np.stack([np.ones_like(odds), odds])
    line = np.tile([0.0, 1.0], (len(rows), 1))
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(8):
            chances = special.expit(line @ columns)
            gradient = (sick - rows * chances) @ columns.T
            weights = rows * chances * (1 - chances)
            curvature = np.einsum("ds,is,js->dij", weights, columns, columns)
            line += np.linalg.solve(curvature + 1e-9 * np.eye(2), gradient[..., None])[..., 0]
        slope = np.where(line[:, 1] > 0, line[:, 1], np.nan)
        return slope, np.sqrt(np.linalg.inv(curvature + 1e-9 * np.eye(2))[:, 1, 1])


def count_mails(rows: int, columns: int, *, rhythm: bool, seed: int) -> int:
    """The mails of one quiet year."""
    random = np.random.default_rng([seed, rows, columns, rhythm])
    weekday, weekend = (People.of(columns, weekend=flag) for flag in (False, rhythm))
    sides = [_join_weeks(weekday, weekend, size, random) for size in (REFERENCE_ROWS, TEST_ROWS)]
    reference, model = sides[0], Model.of(*sides)
    days = WARM_UP + DAYS
    at_weekend = np.arange(days) % 7 >= 5
    drawn = _interleave(
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


def _join_weeks(weekday: People, weekend: People, rows: int, random: np.random.Generator) -> Drawn:
    """Rows of whole weeks, as training data are."""
    parts = [draw(weekday, round(rows * 5 / 7), 1, random)]
    parts.append(draw(weekend, rows - parts[0].rows, 1, random))
    return Drawn(
        tuple(sum(each) for each in zip(*(part.columns for part in parts), strict=True)),
        parts[0].outcomes + parts[1].outcomes,
        parts[0].missing + parts[1].missing,
        rows,
    )


def _interleave(weekdays: Drawn, weekends: Drawn, at_weekend: npt.NDArray[np.bool_]) -> Drawn:
    """Put both kinds of days in their order."""

    def choose(one: Counts, other: Counts) -> Counts:
        whole = np.empty((len(at_weekend), *one.shape[1:]), one.dtype)
        whole[~at_weekend], whole[at_weekend] = one, other
        return whole

    return Drawn(
        tuple(map(choose, weekdays.columns, weekends.columns)),
        choose(weekdays.outcomes, weekends.outcomes),
        choose(weekdays.missing, weekends.missing),
        weekdays.rows,
    )


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
