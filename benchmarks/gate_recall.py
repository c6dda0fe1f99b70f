"""How often the gate decides correctly where the contract requires a recall of 0.85.

`benchmarks.gate` contains it; ``python -m benchmarks.gate_recall`` measures it alone.

Precision and recall move together with the threshold, so the truth of two models is compared at the
same recall: the precision at the threshold where a model finds 0.85 of the population's positives.

Equal, refitted: fitted on different bootstrap samples of the same rows, first with one set of
validation rows for all thresholds, then with one bootstrap sample of them each. The second models
miss the requirement by as much as chance makes a threshold miss it; those count as equal whose true
recall differs by at most 0.005, because one that surely finds more mends what the champion misses.

Higher threshold: the champion finds 0.85, and the challenger is the same model with a threshold at
which it finds 0.84 or 0.82. It is no better, though its precision is surely higher.

Truly better: its precision at equal recall is 0.05 to 0.10 or 0.10 to 0.15 higher than that of the
champion, which was fitted on fewer rows. The test rows hold some 1,000 positives, each of which is
worth about nine false alarms there, so such a test sees less than a test of F1.

`old rule`: the precision surely rises, and recall does not fall below the champion's unless that is
surely above 0.85; or the champion surely misses 0.85.
"""

from collections.abc import Iterator

import numpy as np

from benchmarks.gate_pool import (
    FITTED_ON,
    POOL,
    TEST_ROWS,
    VALIDATED_ON,
    Model,
    Pool,
    make_evidence,
)
from benchmarks.harness import Figure, main
from domain.contract.gate_limits import GateLimits
from domain.contract.objective import Objective
from domain.interval import Interval
from domain.model.gate.rules import judge
from tabular.classification import Bools, confusion_intervals
from training_job.evaluation.evaluation import compare_pairwise

REPEATS = 400
MODELS = 8
REQUIRED = 0.85
OBJECTIVE = Objective(minimum_recall=REQUIRED)
WEAK_SIZES = (700, 1_000, 1_400, 2_000, 2_800)
WEAK_MODELS = 15
GAINS = {(0.05, 0.10): "", (0.10, 0.15): ">= 0.9"}
"""True gains in precision, and the power that a test must have there."""
SAME_RECALL = 0.005
LOWER_RECALLS = (0.84, 0.82)

Pair = tuple[Model, Model]
"""A challenger and a champion."""


def measure_recall(pool: Pool, rng: np.random.Generator) -> Iterator[Figure]:
    """Shares of promotions by the gate, and by the old rule."""
    refitted = [pool.fit(FITTED_ON, rng, OBJECTIVE) for _ in range(MODELS)]
    redrawn = [pool.fit(FITTED_ON, rng, OBJECTIVE, redraw_validation=True) for _ in range(MODELS)]
    weak = [
        pool.fit(
            WEAK_SIZES[number % len(WEAK_SIZES)],
            rng,
            OBJECTIVE,
            validated_on=VALIDATED_ON,
            redraw_validation=True,
        )
        for number in range(WEAK_MODELS)
    ]
    reached = {id(model): pool.precision_at(REQUIRED, model) for model in (*refitted, *weak)}
    gains = [(reached[id(one)] - reached[id(two)], one, two) for one in refitted for two in weak]
    for name, pairs, target in (
        ("equal, refitted", _all_pairs(refitted), "<= 0.05"),
        ("equal, refitted, validation redrawn", _equal_pairs(pool, redrawn), "<= 0.05"),
        *(
            (
                f"threshold raised to a recall of {lower}",
                [(_reach(pool, lower, model), _reach(pool, REQUIRED, model)) for model in refitted],
                "<= 0.05",
            )
            for lower in LOWER_RECALLS
        ),
        *(
            (
                f"better by {low} to {high}",
                [(one, two) for gain, one, two in gains if low <= gain <= high],
                target,
            )
            for (low, high), target in GAINS.items()
        ),
    ):
        gate, old = _repeat(pool, pairs, rng)
        yield Figure(f"promoted by the gate, recall of 0.85, {name}", gate, "", target)
        yield Figure(f"promoted by the old rule, recall of 0.85, {name}", old, "")


def _all_pairs(models: list[Model]) -> list[Pair]:
    return [(one, other) for one in models for other in models if one is not other]


def _equal_pairs(pool: Pool, models: list[Model]) -> list[Pair]:
    recalls = {id(model): float(np.mean(model.answers[pool.truth])) for model in models}
    return [
        (one, other)
        for one, other in _all_pairs(models)
        if abs(recalls[id(one)] - recalls[id(other)]) <= SAME_RECALL
    ]


def _reach(pool: Pool, recall: float, model: Model) -> Model:
    """The same model, with the threshold at which it has that recall."""
    return Model(model.scores, pool.threshold_at(recall, model))


def _repeat(pool: Pool, pairs: list[Pair], rng: np.random.Generator) -> tuple[float, float]:
    """Shares that the gate and the old rule promote."""
    new = old = 0
    for repeat in range(REPEATS):
        challenger, champion = pairs[int(rng.integers(len(pairs)))]
        rows = rng.choice(POOL, TEST_ROWS, replace=False)
        truth = pool.truth[rows]
        one, other = (m.scores[rows] >= m.threshold for m in (challenger, champion))
        paired = compare_pairwise(
            truth,
            one,
            other,
            {name: mask[rows] for name, mask in pool.masks.items()},
            objective=OBJECTIVE,
            thresholds=(challenger.threshold, champion.threshold),
            version="1-00000000",
            seed=repeat,
        )
        recall = _recall(truth, one, repeat)
        verdict = judge(make_evidence(paired, OBJECTIVE, recall), GateLimits())
        new += verdict.promote
        old += recall.high >= REQUIRED and _promotes_by_old_rule(
            paired.gain, recall, _recall(truth, other, repeat)
        )
    return new / REPEATS, old / REPEATS


def _recall(truth: Bools, answers: Bools, seed: int) -> Interval:
    found = confusion_intervals(truth, answers, seed=seed)["recall"]
    assert found is not None  # thousands of rows are positive
    return found


def _promotes_by_old_rule(gain: Interval, recall: Interval, champion: Interval) -> bool:
    sold = champion.low <= REQUIRED and recall.value < champion.value
    return champion.high < REQUIRED or (gain.low > 0 and not sold)


if __name__ == "__main__":
    main("gate_recall", lambda seed: measure_recall(Pool.make(seed), np.random.default_rng(seed)))
