"""Days of predictions, drawn as counts instead of rows.

Half of the columns are numbers with 40 values, the others are flags and categories; an eighth has
missing values. The model is as sharp as one for diabetes: F1 is 0.8 with 8.5 % positives. With a
weekly rhythm, people are 2.5 years younger at weekends, and positives a tenth rarer.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

BANDS = (30, 50, 70)
AGES, VALUES = 90, 40
SCORES = np.linspace(0.005, 0.995, 100)
THRESHOLD = 0.4
"""Scores from here on are answered with yes."""

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


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


def join(drawn: Drawn, days: list[int]) -> Drawn:
    """Several days as one."""
    return Drawn(
        tuple(column[days].sum(axis=0, keepdims=True) for column in drawn.columns),
        drawn.outcomes[days].sum(axis=0, keepdims=True),
        drawn.missing[days].sum(axis=0, keepdims=True),
        drawn.rows * len(days),
    )


def join_weeks(weekday: People, weekend: People, rows: int, random: np.random.Generator) -> Drawn:
    """Rows of whole weeks, as training data are."""
    parts = [draw(weekday, round(rows * 5 / 7), 1, random)]
    parts.append(draw(weekend, rows - parts[0].rows, 1, random))
    return Drawn(
        tuple(sum(each) for each in zip(*(part.columns for part in parts), strict=True)),
        parts[0].outcomes + parts[1].outcomes,
        parts[0].missing + parts[1].missing,
        rows,
    )


def interleave(weekdays: Drawn, weekends: Drawn, at_weekend: npt.NDArray[np.bool_]) -> Drawn:
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
