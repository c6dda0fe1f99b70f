"""Gate and probation: challengers that are worse in production are stopped or taken back.

Each planted challenger is better on uploaded test rows. The gate first sees the newest labels of
production, as many as there are by then. What it lets pass is promoted, and then on probation.

Each champion serves next to the answers that its predecessor would give, as three shares of rows:
its loss of F1 comes from positives that it misses, from negatives that it calls, or from both, and
both models also differ by chance. The run looks after every 50 labels. `a single test` is what no
rule that may look at any time can beat: one look at the last label, with the same error.

``python -m benchmarks.learning.probation --seed 1``
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt

import numpy as np

from benchmarks.gate_pool import make_evidence
from benchmarks.harness import Figure, main
from domain.contract.gate_limits import GateLimits
from domain.contract.objective import F1
from domain.interval import Interval
from domain.model.gate.evidence import Paired, Recent
from domain.model.gate.rules import judge
from monitoring_job.probation.evidence import ROWS, Row, is_rejected
from monitoring_job.probation.examine import ALPHA, MARGIN
from training_job.evaluation.evaluation import compare_pairwise

CHALLENGERS = 200
LABELS = 1_500
GATE_LABELS = (0, 500, 1_500)
"""Newest labels that the gate sees. As many as come in 28 days of probation are 30 % of those of
90 days: 1,500. Fewer where labels have only begun to come."""
UPLOADED = Paired(
    version="1-00000000", value=0.8, gain=Interval(0.025, 0.015, 0.035), standard_error=0.005
)
"""On uploaded test rows each challenger is surely better."""
WHOLE_PROBATION = 6_000
"""Labels of 28 days in which a rule may go wrong."""
LOOK = 50
PREVALENCE = 0.085
"""Share of positives, as in the real data set."""
RECALL, FALSE_POSITIVES = 0.72, 0.004
"""Of the predecessor: its F1 is 0.81."""
CHURN = 0.012
"""Share of the positives, and of the calls, on which two equal models differ by chance."""
WORST_LOSS = 0.25
Z = 1.645
"""Of a one-sided test at 5 %."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Shares of labelled rows by outcome, the predecessor's and the champion's answer."""

    shares: dict[Row, float]

    @classmethod
    def of_loss(cls, loss: float, missing: float) -> "Pair":
        """A champion whose F1 is lower by `loss`; `missing`: the part that is missed positives."""
        hits, calls = PREVALENCE * RECALL, (1 - PREVALENCE) * FALSE_POSITIVES
        fewer_hits = _solve(lambda x: _f1(hits, calls) - _f1(hits - x, calls), loss * missing)
        rest = loss * (1 - missing)
        start = _f1(hits - fewer_hits, calls)
        more_calls = _solve(lambda x: start - _f1(hits - fewer_hits, calls + x), rest)
        churn, wrong = PREVALENCE * CHURN, (hits + calls) * CHURN / 2
        shares = {
            (1, 1, 0): max(fewer_hits, 0) + churn,
            (1, 0, 1): max(-fewer_hits, 0) + churn,
            (0, 0, 1): max(more_calls, 0) + wrong,
            (0, 1, 0): max(-more_calls, 0) + wrong,
        }
        shares[1, 1, 1] = hits - shares[1, 1, 0]
        shares[1, 0, 0] = PREVALENCE - hits - shares[1, 0, 1]
        shares[0, 1, 1] = calls - shares[0, 1, 0]
        shares[0, 0, 0] = 1 - sum(shares.values())
        assert min(shares.values()) >= 0, shares
        return cls(shares)

    @property
    def loss(self) -> float:
        """The predecessor's F1 minus the champion's."""
        return find_loss(dict(self.shares))

    def draw(self, labels: int, rng: np.random.Generator) -> Counter[Row]:
        """So many labelled rows."""
        counts = rng.multinomial(labels, [self.shares[row] for row in ROWS])
        return Counter({row: int(n) for row, n in zip(ROWS, counts, strict=True) if n})


def _f1(hits: float, calls: float) -> float:
    return 2 * hits / (hits + calls + PREVALENCE)


def _solve(function: Callable[[float], float], target: float) -> float:
    """Where a rising function takes the value, between -0.02 and 0.06."""
    low, high = -0.02, 0.06
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < target else (low, middle)
    return low


def find_loss(counts: dict[Row, float] | Counter[Row]) -> float:
    """The predecessor's F1 minus the champion's, on these rows."""
    figures = []
    for which in (1, 2):
        hits = sum(n for row, n in counts.items() if row[0] and row[which])
        total = sum(n * (row[0] + row[which]) for row, n in counts.items())
        figures.append(2 * hits / total if total else 0.0)
    return figures[0] - figures[1]


def is_stopped(pair: Pair, labels: int, rng: np.random.Generator) -> bool:
    """Whether the gate, which sees so many labels of production, keeps the champion."""
    if not labels:
        return False
    counts = pair.draw(labels, rng)
    rows = np.repeat(np.array(list(counts)), list(counts.values()), axis=0).astype(bool)
    truth, champion, challenger = rows.T
    paired = compare_pairwise(
        truth,
        challenger,
        champion,
        {},
        objective=F1,
        thresholds=(0.5, 0.5),
        version=UPLOADED.version,
        seed=int(rng.integers(1 << 30)),
    )
    recent = Recent(
        evidence=make_evidence(paired, F1),
        labels=labels,
        positives=int(np.count_nonzero(truth)),
        effective_rows=float(labels),
        start=0,
        end=1,
    )
    return not judge(make_evidence(UPLOADED, F1), GateLimits(), recent).promote


def is_taken_back(pair: Pair, labels: int, rng: np.random.Generator) -> bool:
    """Whether any look finds the predecessor better."""
    seen: Counter[Row] = Counter()
    for _ in range(labels // LOOK):
        seen.update(pair.draw(LOOK, rng))
        if is_rejected(seen, MARGIN, ALPHA):
            return True
    return False


def is_found_at_once(pair: Pair, labels: int, rng: np.random.Generator) -> bool:
    """Whether one test of the paired difference at the end finds it (delta method)."""
    seen = pair.draw(labels, rng)
    total = sum(seen.values())
    sums = [sum(n * (row[0] + row[which]) for row, n in seen.items()) for which in (1, 2)]
    f1 = [
        2 * sum(n for row, n in seen.items() if row[0] and row[which]) / sums[which - 1]
        for which in (1, 2)
    ]
    influence = {
        row: sum(
            sign * total * (2 * row[0] * row[which] - f1[which - 1] * (row[0] + row[which]))
            / sums[which - 1]
            for sign, which in ((1, 1), (-1, 2))
        )
        for row in seen
    }  # fmt: skip
    variance = sum(n * influence[row] ** 2 for row, n in seen.items()) / total
    return f1[0] - f1[1] > Z * sqrt(variance / total)


def measure(seed: int) -> Iterator[Figure]:
    """Share of promotions that are taken back, by how much they lose."""
    rng = np.random.default_rng(seed)
    losses = rng.uniform(0.05, WORST_LOSS, CHALLENGERS)
    spread = [Pair.of_loss(loss, rng.uniform()) for loss in losses]
    least = [Pair.of_loss(0.05, rng.uniform()) for _ in range(CHALLENGERS)]
    for kind, worse in ((f"loss 0.05 to {WORST_LOSS}", spread), ("loss of exactly 0.05", least)):
        back = np.array([is_taken_back(pair, LABELS, rng) for pair in worse])
        once = np.array([is_found_at_once(pair, LABELS, rng) for pair in worse])
        yield Figure(f"{kind}: a single test at {LABELS:,} labels", 100 * once.mean(), "%")
        for labels in GATE_LABELS:
            stopped = np.array([is_stopped(pair, labels, rng) for pair in worse])
            name = f"{kind}: stopped or taken back within {LABELS:,} labels, {labels:,} at the gate"
            target = ">= 95" if worse is spread and labels else ""
            yield Figure(name, 100 * (stopped | back).mean(), "%", target)
    equal = [Pair.of_loss(0.0, 0.0) for _ in range(CHALLENGERS)]
    better = [Pair.of_loss(-rng.uniform(0, 0.04), rng.uniform(0.7, 1)) for _ in range(CHALLENGERS)]
    for kind, pairs in (("equal", equal), ("better", better)):
        wrong = np.mean([is_taken_back(pair, WHOLE_PROBATION, rng) for pair in pairs])
        label = f"{kind}, taken back within {WHOLE_PROBATION:,} labels"
        yield Figure(label, 100 * float(wrong), "%", "<= 1")


if __name__ == "__main__":
    main("learning.probation", measure)
