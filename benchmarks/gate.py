"""Measure how often the gate decides correctly, 200 repeats of each case (1,000 of equal models).

Every repeat compares two models on 12,500 test rows, drawn anew from a pool of 400,000 sample rows,
with the gate of the training (F1 by paired bootstrap, segments). The models are fitted by the
training's own code, so their errors are correlated like those of champion and challenger.

Equal, exactly: two models are fitted on different bootstrap samples of the same 60,000 rows. For
each row of the pool, a coin decides which of their predictions is the challenger's. Both sides then
have the same distribution, and disagree on as many rows as the two models do.

Equal, refitted: the same two models, and a coin decides which one is the challenger. Their true F1
differs as much as that of two trainings on the same data, so this also counts promotions of models
that are slightly better.

Truly better: champions are fitted on bootstrap samples of 700 to 2,000 rows, challengers on the
60,000. Only pairs whose F1 on the whole pool differs by 0.02 to 0.03 take part. For a smaller gain
the challenger answers only some of the rows with the better model.

Successive: 30 challengers, each exactly equal to the champion, on the same test rows.

Baseline: the usual rule, "promote when the test F1 is higher". `benchmarks.gate_recall` has a
required recall, `benchmarks.gate_limits` the rules for which no champion is needed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import mean

import numpy as np

from benchmarks.gate_limits import measure_limits
from benchmarks.gate_pool import FITTED_ON, POOL, TEST_ROWS, Pool, make_evidence
from benchmarks.gate_recall import measure_recall
from benchmarks.harness import Figure, main
from benchmarks.learning.repeated_challengers import SUCCESSIVE, measure_successive
from domain.contract.gate_limits import GateLimits
from domain.contract.objective import F1, Cost, Objective
from domain.model.gate.evidence import Paired
from domain.model.gate.rules import judge
from tabular.classification import Bools
from training_job.evaluation.evaluation import compare_pairwise

REPEATS = 200
EQUAL_REPEATS = 1_000
MODELS = 12
WEAK_SIZES = (700, 900, 1_200, 1_500, 2_000)
WEAK_MODELS = 40
GAIN = (0.02, 0.03)
SMALL_GAINS = (0.005, 0.01)
COSTLY = Objective(Cost(false_negative=5.0))
OLD_SEGMENT_ROWS, SEGMENT_MARGIN = 200, 0.05
SEGMENT_ROWS = 2_156

Deal = Callable[[np.random.Generator], tuple[Bools, Bools]]


@dataclass
class Outcome:
    """What the repeats of one case came to: shares, and the gains that were called provable."""

    gate: float = 0
    baseline: float = 0
    blocked: float = 0
    blocked_before: float = 0
    detectable: list[float] = field(default_factory=list)


def measure(seed: int) -> Iterator[Figure]:
    """Shares of promotions by the gate and by the baseline."""
    yield from measure_limits(seed)
    rng = np.random.default_rng(seed)
    pool = Pool.make(seed)
    strong = [pool.fit(FITTED_ON, rng).answers for _ in range(MODELS)]
    weak = [pool.fit(WEAK_SIZES[i % len(WEAK_SIZES)], rng).answers for i in range(WEAK_MODELS)]
    gains = [(pool.f1(s) - pool.f1(w), s, w) for s in strong for w in weak]
    better = [entry for entry in gains if GAIN[0] <= entry[0] <= GAIN[1]]

    def equal(random: np.random.Generator) -> tuple[Bools, Bools]:
        one, other = random.choice(len(strong), 2, replace=False)
        coin = random.random(POOL) < 0.5
        first, second = strong[one], strong[other]
        return np.where(coin, first, second), np.where(coin, second, first)

    def refitted(models: list[Bools]) -> Deal:
        def deal(random: np.random.Generator) -> tuple[Bools, Bools]:
            one, other = random.choice(len(models), 2, replace=False)
            return models[one], models[other]

        return deal

    def truly_better(random: np.random.Generator) -> tuple[Bools, Bools]:
        _, challenger, champion = better[int(random.integers(len(better)))]
        return challenger, champion

    def better_by(wanted: float) -> Deal:
        def deal(random: np.random.Generator) -> tuple[Bools, Bools]:
            gain, strong_one, weak_one = better[int(random.integers(len(better)))]
            return np.where(random.random(POOL) < wanted / gain, strong_one, weak_one), weak_one

        return deal

    gain = mean(gain for gain, _, _ in better)
    yield Figure("true gain in F1 of the better models, mean", gain, "", f">= {GAIN[0]}")
    cases: list[tuple[str, Deal, str]] = [
        ("equal models", equal, "<= 0.03"),
        ("equal models, refitted", refitted(strong), "<= 0.03"),
        ("truly better model", truly_better, ">= 0.9"),
    ]
    for name, deal, target in cases:
        found = _repeat(pool, deal, rng, EQUAL_REPEATS if deal is equal else REPEATS)
        yield Figure(f"promoted by the gate, {name}", found.gate, "", target)
        yield Figure(f"promoted by the baseline (higher F1), {name}", found.baseline, "")
        yield Figure(f"blocked by a segment, old rule, {name}", found.blocked_before, "")
        yield Figure(f"blocked by a segment, {name}", found.blocked, "", "<= 0.01")
    for wanted in SMALL_GAINS:
        found = _repeat(pool, better_by(wanted), rng)
        yield Figure(f"promoted by the gate, true gain {wanted}", found.gate, "")
    provable = mean(found.detectable)
    yield Figure("gain that the verdict calls provable, mean", provable, "")
    found = _repeat(pool, better_by(provable), rng)
    yield Figure("promoted by the gate, that true gain", found.gate, "", ">= 0.7")
    several = [pool.fit(FITTED_ON, rng, COSTLY).answers for _ in range(MODELS // 2)]
    found = _repeat(pool, refitted(several), rng, objective=COSTLY)
    yield Figure("promoted by the gate, equal, refitted, a miss costs 5", found.gate, "", "<= 0.05")
    yield from measure_recall(pool, rng)
    yield from _measure_segments(rng)
    before, after = measure_successive(pool, np.array(strong), rng, fresh=False)
    case = f"a false promotion among {SUCCESSIVE} equal challengers, same rows"
    yield Figure(f"{case}, single-test rule", before, "")
    yield Figure(case, after, "", "<= 0.05")


def _repeat(
    pool: Pool,
    deal: Deal,
    rng: np.random.Generator,
    repeats: int = REPEATS,
    *,
    objective: Objective = F1,
) -> Outcome:
    outcome = Outcome()
    for repeat in range(repeats):
        challenger, champion = deal(rng)
        rows = rng.choice(POOL, TEST_ROWS, replace=False)
        masks = {name: mask[rows] for name, mask in pool.masks.items()}
        paired = compare_pairwise(
            pool.truth[rows],
            challenger[rows],
            champion[rows],
            masks,
            objective=objective,
            thresholds=(0.5, 0.5),
            version="1-00000000",
            seed=repeat,
        )
        verdict = judge(make_evidence(paired, objective), GateLimits())
        outcome.gate += verdict.promote / repeats
        outcome.baseline += (paired.gain.value > 0) / repeats
        outcome.blocked += any("Segment" in reason for reason in verdict.reasons) / repeats
        outcome.blocked_before += _is_blocked_by_old_rule(paired) / repeats
        outcome.detectable.append(paired.detectable_gain)
    return outcome


def _is_blocked_by_old_rule(paired: Paired) -> bool:
    return any(
        segment.rows >= OLD_SEGMENT_ROWS and segment.change.value < -SEGMENT_MARGIN
        for segment in paired.segments
    )


def _measure_segments(rng: np.random.Generator) -> Iterator[Figure]:
    """Segments of few positives: equal models, and a challenger that finds far fewer of them."""
    for positives, loss in ((9, 0.0), (80, 0.0), (80, 0.3)):
        old = new = 0
        changes = []
        for repeat in range(REPEATS):
            truth = np.arange(SEGMENT_ROWS) < positives
            champion, challenger = (
                np.where(truth, rng.random(SEGMENT_ROWS) < recall, rng.random(SEGMENT_ROWS) < 1e-3)
                for recall in (0.75, 0.75 - loss)
            )
            paired = compare_pairwise(
                truth,
                challenger,
                champion,
                {"segment": np.ones(SEGMENT_ROWS, bool)},
                objective=F1,
                thresholds=(0.5, 0.5),
                version="1-00000000",
                seed=repeat,
            )
            reasons = judge(make_evidence(paired, F1), GateLimits()).reasons
            new += any("Segment" in reason for reason in reasons)
            old += _is_blocked_by_old_rule(paired)
            changes.append(paired.gain.value)
        case = f"{SEGMENT_ROWS:,} rows, {positives} positives, recall lost {loss}"
        yield Figure(f"{case}: deviation of the change", float(np.std(changes)), "")
        yield Figure(f"{case}: blocked, old rule", old / REPEATS, "")
        yield Figure(f"{case}: blocked", new / REPEATS, "", ">= 0.8" if loss else "<= 0.03")


if __name__ == "__main__":
    main("gate", measure)
