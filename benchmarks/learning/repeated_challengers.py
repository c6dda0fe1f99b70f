"""30 successive challengers that are exactly as good as the champion: is any of them promoted?

Each row's answer is that of a model drawn at random from twelve equal ones, so that challengers and
champion have the same distribution and disagree on as many rows as two trainings do. Measured with
all challengers on the same test rows, and with new production rows for each. Before: the rule that
holds for a single challenger, applied to each of them. Beside it, what the bound costs: how often a
truly better challenger is promoted as the first one, and as the 30th, which needs a larger gain.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from benchmarks.gate_pool import FITTED_ON, POOL, TEST_ROWS, Pool
from benchmarks.harness import Figure
from domain.contract.objective import F1
from domain.model.alpha_investing import detectable_gain, required_errors
from tabular.classification import Bools
from training_job.evaluation.bootstrap import Change, paired_change

REPEATS = 200
SUCCESSIVE = 30
MODELS = 12
WEAK_ROWS = (700, 900, 1_200, 1_500, 2_000)
GAIN = (0.02, 0.03)

Rows = npt.NDArray[np.int64]


def measure(seed: int) -> Iterator[Figure]:
    """Shares of 200 repeats."""
    rng = np.random.default_rng(seed)
    pool = Pool.make(seed)
    equal = np.array([pool.fit(FITTED_ON, rng).answers for _ in range(MODELS)])
    for fresh, rows in ((False, "the same rows"), (True, "fresh rows for each")):
        before, after = measure_successive(pool, equal, rng, fresh=fresh)
        case = f"a false promotion among {SUCCESSIVE} equal challengers, {rows}"
        yield Figure(f"{case}, single-test rule", before, "")
        yield Figure(case, after, "", "<= 0.05")
    weak = [pool.fit(WEAK_ROWS[n % len(WEAK_ROWS)], rng).answers for n in range(40)]
    pairs = [(s, w) for s in equal for w in weak if GAIN[0] <= pool.f1(s) - pool.f1(w) <= GAIN[1]]
    changes = [_compare_once(pool, *pairs[rng.integers(len(pairs))], rng) for _ in range(REPEATS)]
    yield Figure(
        "promoted, truly better by 0.02 to 0.03, as the first one",
        float(np.mean([_is_promoted(change, 0) for change in changes])),
        "",
        ">= 0.9",
    )
    last = SUCCESSIVE - 1
    yield Figure(
        f"promoted, truly better by 0.02 to 0.03, as number {SUCCESSIVE}",
        float(np.mean([_is_promoted(change, last) for change in changes])),
        "",
    )
    error = float(np.mean([change.standard_error for change in changes]))
    yield Figure("gain seen in 80 of 100, as the first one", detectable_gain(error, 0), "")
    yield Figure(
        f"gain seen in 80 of 100, as number {SUCCESSIVE}", detectable_gain(error, last), ""
    )


def measure_successive(
    pool: Pool, models: Bools, rng: np.random.Generator, *, fresh: bool
) -> tuple[float, float]:
    """``(share with a false promotion by the single-test rule, by the gate)``."""
    found = np.zeros(2)
    for repeat in range(REPEATS):
        rows = rng.choice(POOL, TEST_ROWS, replace=False)
        champion = _answer(models, rows, rng)
        promoted = np.zeros(2, bool)
        for number in range(SUCCESSIVE):
            if fresh:
                rows = rng.choice(POOL, TEST_ROWS, replace=False)
                champion = _answer(models, rows, rng)
            challenger = _answer(models, rows, rng)
            seed = repeat * SUCCESSIVE + number
            change = paired_change(F1, pool.truth[rows], challenger, champion, seed=seed)
            if change is not None:
                promoted |= [_is_promoted(change, 0), _is_promoted(change, number)]
        found += promoted
    before, after = (found / REPEATS).tolist()
    return before, after


def _is_promoted(change: Change, earlier: int) -> bool:
    """As `domain.model.gate.evidence.Paired.proves_gain` has it."""
    interval = change.interval
    required = required_errors(earlier) * change.standard_error
    return interval.low > 0 and (not earlier or interval.value > required)


def _answer(models: Bools, rows: Rows, rng: np.random.Generator) -> Bools:
    """Each row's answer is that of a random model: all draws are equally good."""
    return np.asarray(models[rng.integers(0, len(models), len(rows)), rows])


def _compare_once(pool: Pool, better: Bools, worse: Bools, rng: np.random.Generator) -> Change:
    rows = rng.choice(POOL, TEST_ROWS, replace=False)
    seed = int(rng.integers(2**31))
    change = paired_change(F1, pool.truth[rows], better[rows], worse[rows], seed=seed)
    assert change is not None
    return change
