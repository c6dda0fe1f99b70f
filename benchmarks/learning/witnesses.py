"""The gate with two witnesses: what production rows change in its decisions, 200 repeats each.

Uploaded test rows and production rows are drawn anew from a population of 400,000. The challenger
is planted: on the uploaded rows it is better by 0.02 to 0.03 of F1; in production it is as good,
better, or loses 0.05 because it misses positives that it finds among uploaded rows.
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from benchmarks.gate_pool import FITTED_ON, POOL, TEST_ROWS, Pool, make_evidence
from benchmarks.harness import Figure
from domain.contract.gate_limits import GateLimits
from domain.contract.objective import F1
from domain.model.gate.evidence import Paired, Recent
from domain.model.gate.rules import judge
from tabular.classification import Bools
from training_job.evaluation.evaluation import compare_pairwise

REPEATS = 200
LABELS = (500, 1_500, 10_000)
LOSS = 0.05
WEAK_ROWS = (700, 900, 1_200, 1_500, 2_000)
GAIN = (0.02, 0.03)
LIMITS = GateLimits()

Deal = Callable[[], tuple[Bools, Bools]]
"""Answers of challenger and champion over the whole population."""


def measure(seed: int) -> Iterator[Figure]:
    """Shares of challengers that are promoted."""
    rng = np.random.default_rng(seed)
    pool = Pool.make(seed)
    strong = [pool.fit(FITTED_ON, rng).answers for _ in range(6)]
    weak = [pool.fit(WEAK_ROWS[n % len(WEAK_ROWS)], rng).answers for n in range(20)]
    pairs = [(s, w) for s in strong for w in weak if GAIN[0] <= pool.f1(s) - pool.f1(w) <= GAIN[1]]

    def better() -> tuple[Bools, Bools]:
        return pairs[int(rng.integers(len(pairs)))]

    def equal() -> tuple[Bools, Bools]:
        one, other = rng.choice(len(strong), 2, replace=False)
        coin = rng.random(POOL) < 0.5
        first, second = strong[one], strong[other]
        return np.where(coin, first, second), np.where(coin, second, first)

    def worse() -> tuple[Bools, Bools]:
        champion = strong[int(rng.integers(len(strong)))]
        return _lose(pool, champion, rng), champion

    for labels in LABELS:
        case = f"{labels:,} production labels"
        share, role = _promoted(pool, better, worse, labels, rng)
        target = "" if labels == min(LABELS) else "<= 0.05"
        yield Figure(f"{case}: decide, where production is worse", role, "")
        yield Figure(f"{case}: promoted, loses {LOSS} in production", share, "", target)
        share, _ = _promoted(pool, better, equal, labels, rng)
        # Few labels should not object; many decide, and a tie keeps the champion.
        target = {min(LABELS): ">= 0.87", max(LABELS): "<= 0.05"}.get(labels, "")
        yield Figure(f"{case}: promoted, equal in production", share, "", target)
        share, _ = _promoted(pool, better, better, labels, rng)
        yield Figure(f"{case}: promoted, better in both", share, "", ">= 0.87")
        share, _ = _promoted(pool, equal, better, labels, rng)
        yield Figure(f"{case}: promoted, equal on uploaded rows, better there", share, "")


def _promoted(
    pool: Pool, uploaded: Deal, production: Deal, labels: int, rng: np.random.Generator
) -> tuple[float, float]:
    """``(share promoted, share in which production rows decide)``."""
    promoted = decided = 0
    for repeat in range(REPEATS):
        tested = rng.choice(POOL, TEST_ROWS, replace=False)
        first = make_evidence(_compare(pool, uploaded(), tested, repeat), F1)
        rows = rng.choice(POOL, labels, replace=False)
        paired = _compare(pool, production(), rows, repeat)
        recent = Recent(
            evidence=make_evidence(paired, F1),
            labels=labels,
            positives=int(np.count_nonzero(pool.truth[rows])),
            effective_rows=float(labels),
            start=0,
            end=1,
        )
        promoted += judge(first, LIMITS, recent).promote
        decided += recent.choose_role(LIMITS) == "decides"
    return promoted / REPEATS, decided / REPEATS


def _compare(
    pool: Pool, models: tuple[Bools, Bools], rows: npt.NDArray[np.int64], seed: int
) -> Paired:
    challenger, champion = models
    return compare_pairwise(
        pool.truth[rows],
        challenger[rows],
        champion[rows],
        {},
        objective=F1,
        thresholds=(0.5, 0.5),
        version="1-00000000",
        seed=seed,
    )


def _lose(pool: Pool, answers: Bools, rng: np.random.Generator) -> Bools:
    """The same answers with so many positives missed that F1 falls by LOSS."""
    wanted = pool.f1(answers) - LOSS
    hits = answers & pool.truth
    found, called = np.count_nonzero(hits), np.count_nonzero(answers)
    positives = np.count_nonzero(pool.truth)
    missed = (2 * found - wanted * (called + positives)) / (2 - wanted)
    return np.asarray(answers & ~(hits & (rng.random(POOL) < missed / found)))
