"""Measure how often the gate decides correctly: on equal and on better models, 200 repeats each.

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
60,000. Only pairs whose F1 on the whole pool differs by 0.02 to 0.03 take part.

Baseline: the usual rule, "promote when the test F1 is higher".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import mean

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.harness import Figure, main
from domain.contract.contract import Contract
from domain.interval import Interval
from domain.model.gate import Evidence, Limits, judge
from ops.laptop import ROOT
from ops.samples import diabetes_rows
from tabular.segments import segment_masks
from training_job.evaluation.evaluation import compare_pairwise
from training_job.model.encoding import encode
from training_job.model.model import TrainingData, fit, predict

REPEATS = 200
TEST_ROWS = 12_500
POOL = 400_000
FITTED_ON = 60_000
VALIDATED_ON = 20_000
MODELS = 12
WEAK_SIZES = (700, 900, 1_200, 1_500, 2_000)
WEAK_MODELS = 40
GAIN = (0.02, 0.03)
PARAMS = {"max_depth": 4, "learning_rate": 0.15, "min_child_weight": 5.0}

Bools = npt.NDArray[np.bool_]
Deal = Callable[[np.random.Generator], tuple[Bools, Bools]]


@dataclass(frozen=True)
class Pool:
    """Rows to fit on, and rows that stand for the population."""

    matrix: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int8]
    masks: dict[str, Bools]

    @classmethod
    def make(cls, seed: int) -> "Pool":
        """The sample data's own distribution."""
        contract = Contract.parse((ROOT / "contract.toml").read_text())
        rows = FITTED_ON + VALIDATED_ON + POOL
        table = pa.concat_tables(diabetes_rows.chunks(rows=rows, seed=seed))
        labels = table.column(contract.target).cast(pa.int8()).to_numpy()
        test = table.slice(FITTED_ON + VALIDATED_ON)
        return cls(encode(table, contract), labels, segment_masks(test, contract))

    @property
    def truth(self) -> Bools:
        """Labels of the population."""
        return np.asarray(self.labels[FITTED_ON + VALIDATED_ON :] == 1)

    def predictions(self, rows: int, rng: np.random.Generator) -> Bools:
        """A model fitted on a bootstrap sample of the first `rows` rows, over the population."""
        chosen = rng.integers(0, rows, rows)
        validating = FITTED_ON + np.arange(min(VALIDATED_ON, max(rows // 3, 500)))
        x, y = self.matrix, self.labels
        data = TrainingData.build(x[chosen], y[chosen], x[validating], y[validating])
        fitted = fit(data, PARAMS, seed=int(rng.integers(2**31)))
        scores = predict(fitted.booster, x[FITTED_ON + VALIDATED_ON :])
        return np.asarray(scores >= fitted.threshold)

    def f1(self, predicted: Bools) -> float:
        """True F1: over the whole population."""
        hits = float(np.count_nonzero(predicted & self.truth))
        return 2 * hits / (np.count_nonzero(predicted) + np.count_nonzero(self.truth))


def measure(seed: int) -> Iterator[Figure]:
    """Shares of promotions by the gate and by the baseline."""
    rng = np.random.default_rng(seed)
    pool = Pool.make(seed)
    strong = [pool.predictions(FITTED_ON, rng) for _ in range(MODELS)]
    weak = [pool.predictions(WEAK_SIZES[i % len(WEAK_SIZES)], rng) for i in range(WEAK_MODELS)]
    better = [(s, w) for s in strong for w in weak if GAIN[0] <= pool.f1(s) - pool.f1(w) <= GAIN[1]]

    def equal(random: np.random.Generator) -> tuple[Bools, Bools]:
        one, other = random.choice(len(strong), 2, replace=False)
        coin = random.random(POOL) < 0.5
        first, second = strong[one], strong[other]
        return np.where(coin, first, second), np.where(coin, second, first)

    def refitted(random: np.random.Generator) -> tuple[Bools, Bools]:
        one, other = random.choice(len(strong), 2, replace=False)
        return strong[one], strong[other]

    def truly_better(random: np.random.Generator) -> tuple[Bools, Bools]:
        return better[int(random.integers(len(better)))]

    gain = mean(pool.f1(challenger) - pool.f1(champion) for challenger, champion in better)
    yield Figure("true gain in F1 of the better models, mean", gain, "", f">= {GAIN[0]}")
    cases: list[tuple[str, Deal, str]] = [
        ("equal models", equal, "<= 0.05"),
        ("equal models, refitted", refitted, "<= 0.05"),
        ("truly better model", truly_better, ">= 0.9"),
    ]
    for name, deal, target in cases:
        gate, baseline = _promoted(pool, deal, rng)
        yield Figure(f"promoted by the gate, {name}", gate, "", target)
        yield Figure(f"promoted by the baseline (higher F1), {name}", baseline, "")


def _promoted(pool: Pool, deal: Deal, rng: np.random.Generator) -> tuple[float, float]:
    """``(gate's, baseline's)`` share of promotions."""
    gate = baseline = 0
    for repeat in range(REPEATS):
        challenger, champion = deal(rng)
        rows = rng.choice(POOL, TEST_ROWS, replace=False)
        masks = {name: mask[rows] for name, mask in pool.masks.items()}
        paired = compare_pairwise(
            pool.truth[rows],
            challenger[rows],
            champion[rows],
            masks,
            version="1-00000000",
            seed=repeat,
        )
        f1 = paired.f1 + paired.gain.value
        evidence = Evidence(
            f1=Interval(f1, f1, f1), calibration_error=0.0, champion=paired
        )  # both sides keep the limits
        gate += judge(evidence, Limits()).promote
        baseline += paired.gain.value > 0
    return gate / REPEATS, baseline / REPEATS


if __name__ == "__main__":
    main("gate", measure)
