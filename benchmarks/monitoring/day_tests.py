"""Which columns of which days have drifted, from counts.

The p-values of all days are computed at once. Where a test is significant, the project's own
functions decide on rows made from the counts.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import special, stats

from benchmarks.monitoring.day_counts import SCORES, THRESHOLD, Counts, Drawn, Floats
from domain.drift.drift import (
    EFFECT_THRESHOLD,
    MINIMUM_VALUES,
    ODDS_RATIO_LIMIT,
    POSITIVE_RATIO_LIMIT,
    Q_THRESHOLD,
    SINGLE_TEST_P,
)
from monitoring_job.statistics.distances import estimate_distance
from monitoring_job.statistics.shares import Shares

CLOSE = 1e-4
"""Below it, the exact distribution of the statistic is computed, which takes long."""

Place = tuple[int, int]
"""Segment (0 for all rows) and column; the last column is the score."""


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


def _find_decisions(old: Drawn, new: Drawn, found: list[set[Place]], last: int) -> None:
    positive = SCORES >= THRESHOLD
    before = int(old.outcomes[0][:, positive].sum())
    for day, after in enumerate(new.outcomes[:, :, positive].sum(axis=(1, 2))):
        shares = Shares(before, old.rows, int(after), new.rows)
        ratio = shares.effect("share_ratio")
        if _is_beyond(ratio, POSITIVE_RATIO_LIMIT) and shares.p_value < SINGLE_TEST_P:
            found[day].add((0, last))
