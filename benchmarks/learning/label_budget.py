"""What a few hundred drawn labels show: power, false alarms and intervals, on real data.

Needs the Kaggle file, by its path in DIABETES_CSV. Draws are repeated on worlds that no monitoring
without labels can tell apart: nothing has changed, HbA1c is swapped between patients, negatives
over 60 turn positive, any negative turns positive, positives turn negative. Some of the changes are
as strong as they must be to lower F1 by 0.10 from the figure on the test rows.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.harness import Figure, main
from benchmarks.monitoring.worlds import World, world
from domain.drift.drawn_performance import SINGLE_DRAW_P
from domain.drift.performance import MARGIN
from monitoring_job.statistics.calibration import AS_GIVEN, fit_line
from tabular.draws.bands import FALL
from tabular.draws.change import likelihood_ratio
from tabular.draws.estimate import BandCounts, estimate_figures
from tabular.draws.frame import Frame

COUNTS = (150, 300)
DRAWS, STEPS, DRAWS_A_YEAR = 1_000, 10, 12

Change = Callable[[World, pd.DataFrame, float, np.random.Generator], pd.DataFrame]
"""A world, its pool, the share that changes, and chance."""


def swap_hba1c(
    of: World, pool: pd.DataFrame, share: float, random: np.random.Generator
) -> pd.DataFrame:
    """A share of the patients get each other's HbA1c."""
    chosen = np.flatnonzero(random.random(len(pool)) < share)
    swapped = pool["hba1c_level"].to_numpy().copy()
    swapped[chosen] = swapped[random.permutation(chosen)]
    changed = pool.assign(hba1c_level=swapped)
    names = {feature.column: feature.name for feature in of.contract.features}
    return changed.assign(probability=of.score(changed[[*names]].rename(columns=names)))


def turn_old(
    _: World, pool: pd.DataFrame, share: float, random: np.random.Generator
) -> pd.DataFrame:
    """A share of the negatives over 60 turn positive."""
    return pool.assign(label=pool["label"] | ((pool["age"] > 60) & _chosen(pool, share, random)))


def turn_any(
    _: World, pool: pd.DataFrame, share: float, random: np.random.Generator
) -> pd.DataFrame:
    """A share of all negatives turn positive."""
    return pool.assign(label=pool["label"] | _chosen(pool, share, random))


def heal(_: World, pool: pd.DataFrame, share: float, random: np.random.Generator) -> pd.DataFrame:
    """A share of the positives turn negative."""
    return pool.assign(label=pool["label"] & ~_chosen(pool, share, random))


def _chosen(pool: pd.DataFrame, share: float, random: np.random.Generator) -> np.ndarray:
    return np.asarray(random.random(len(pool)) < share)


BLIND_SPOTS: dict[str, tuple[Change, float]] = {
    "half of HbA1c swapped": (swap_hba1c, 0.5),
    "a quarter of negatives over 60 turn": (turn_old, 0.25),
}
FALLS: dict[str, Change] = {
    "HbA1c swapped": swap_hba1c,
    "negatives over 60 turn": turn_old,
    "negatives turn": turn_any,
    "positives turn": heal,
}


def find_f1(pool: pd.DataFrame, threshold: float) -> float:
    """F1 with all labels."""
    predicted, truth = (pool["probability"] >= threshold).to_numpy(), pool["label"].to_numpy()
    return float(2 * np.count_nonzero(predicted & truth) / (predicted.sum() + truth.sum()))


def lower_f1(of: World, change: Change, goal: float, seed: int) -> pd.DataFrame:
    """The change of the share that lowers F1 to `goal`, found by bisection."""
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        changed = change(of, of.pool, middle, np.random.default_rng(seed))
        low, high = (middle, high) if find_f1(changed, of.threshold) > goal else (low, middle)
    return changed


@dataclass(frozen=True)
class Measured:
    """Shares of draws: that found a fall, and whose interval holds the truth, by figure."""

    found: float
    covered: dict[str, float]
    power: float


def measure_draws(of: World, pool: pd.DataFrame, count: int, seed: int) -> Measured:
    """Draw many times from one pool, and apply the rule of a drift run to each draw."""
    reference = of.reference
    line = fit_line(reference["label"].to_numpy(), reference["probability"].to_numpy()) or AS_GIVEN
    ids = [f"{number}" for number in range(len(pool))]
    table = pa.Table.from_pandas(pool.assign(prediction_id=ids), preserve_index=False)
    frame = Frame.of(
        of.contract,
        table,
        chances=line.apply(pool["probability"].to_numpy()),
        threshold=of.threshold,
    )
    bands, random = frame.cut(count), np.random.default_rng(seed)
    rows = np.array([np.concatenate([b.draw(random) for b in bands]) for _ in range(DRAWS)])
    truth, worlds = pool["label"].to_numpy(), frame.worlds.take(rows)
    wanted = np.array([band.wanted for band in bands])
    counts = BandCounts(
        rows=np.array([float(len(band.rows)) for band in bands]),
        called_positive=np.array([band.called_positive for band in bands]),
        labelled=wanted.astype(np.float64),
    )
    positives = np.add.reduceat(truth[rows], np.cumsum([0, *wanted[:-1]]), axis=1, dtype=np.float64)
    figures = estimate_figures(counts, positives)
    by_chance = likelihood_ratio(random.random(rows.shape) < worlds.same, worlds)
    bound = np.quantile(by_chance, 1 - SINGLE_DRAW_P)
    contradicts = likelihood_ratio(truth[rows], worlds) >= bound
    fallen = figures.f1.value <= of.test["f1"].value - MARGIN
    true, called = np.count_nonzero(truth & frame.predicted), np.count_nonzero(frame.predicted)
    exact = {
        "F1": (figures.f1, find_f1(pool, of.threshold)),
        "precision": (figures.precision, true / called),
        "recall": (figures.recall, true / np.count_nonzero(truth)),
    }
    return Measured(
        found=float(np.mean(fallen & contradicts)),
        covered={
            name: float(np.mean((bounds.low <= value) & (value <= bounds.high)))
            for name, (bounds, value) in exact.items()
        },
        power=frame.find_power(count),
    )


def measure(seed: int) -> Iterator[Figure]:
    """Each figure for each number of labels."""
    of = world(os.environ["DIABETES_CSV"], seed)
    goal = of.test["f1"].value - FALL
    blind = {
        name: change(of, of.pool, share, np.random.default_rng(seed))
        for name, (change, share) in BLIND_SPOTS.items()
    }
    falls = {name: lower_f1(of, change, goal, seed) for name, change in FALLS.items()}
    for count in COUNTS:
        target = ">= 0.8" if count == max(COUNTS) else ""
        same = measure_draws(of, of.pool, count, seed)
        yield Figure(
            f"{count} labels, nothing has changed: false alarms",
            DRAWS_A_YEAR * same.found,
            "a year",
            "<= 1",
        )
        yield Figure(f"{count} labels: power as the command says", same.power, "", target)
        covered, found = [same.covered], []
        for name, pool in (falls | blind).items():
            measured = measure_draws(of, pool, count, seed)
            covered.append(measured.covered)
            f1 = find_f1(pool, of.threshold)
            if name in falls:
                found.append(measured.found)
            needed = target if name in blind else ""
            yield Figure(f"{count} labels, {name}, F1 {f1:.2f}: found", measured.found, "", needed)
        yield Figure(f"{count} labels, F1 lower by {FALL}: found, mean", fmean(found), "", target)
        for name in covered[0]:
            least = min(each[name] for each in covered)
            yield Figure(f"{count} labels: least coverage, {name}", least, "", ">= 0.93")


if __name__ == "__main__":
    main("learning.label_budget", measure)
