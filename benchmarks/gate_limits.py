"""The rules of the gate that need no champion: skill and calibration, old and new (rows of `gate`).

The old rules were: test F1 of at least 0.5, and an expected calibration error (ten bins of equal
width) of at most 0.05.
"""

from collections.abc import Iterator
from statistics import mean

import numpy as np

from benchmarks.harness import Figure
from domain.contract.gate_limits import GateLimits
from domain.contract.objective import F1
from domain.model.gate.evidence import Evidence
from domain.model.gate.rules import judge
from tabular.calibration import calibration_error, calibration_error_by_chance
from tabular.classification import Bools, Floats
from training_job.evaluation.evaluation import measure
from training_job.model.objective import evaluate_constant
from training_job.model.threshold import choose_threshold

REPEATS = 200
NO_SKILL_REPEATS = 40
SMALL_SETS = (
    ("60 rows, half positive", 60, 0.0, 2.0),
    ("130 rows, 63 % positive, strong", 130, 1.5, 4.0),
    ("130 rows, 30 % positive, weak", 130, -1.0, 1.0),
)
"""Name, rows, mean and standard deviation of the true log odds."""
TEST_ROWS = 12_500
WORLDS = (("8 % positive", -6.0, 4.0), ("1 % positive", -7.0, 2.5), ("half positive", 0.0, 2.0))
FACTORS = (1.0, 1.5, 2.0, 3.0, 10.0)
LIMITS = GateLimits()


def measure_limits(seed: int) -> Iterator[Figure]:
    """Shares of 200 repeats, or of 40 for models without skill."""
    rng = np.random.default_rng(seed)
    for name, rows, middle, spread in SMALL_SETS:
        found = [_refused(rows, middle, spread, 1.0, rng) for _ in range(REPEATS)]
        case = f"refused, calibrated perfectly, {name}"
        yield Figure(f"{case}, old rule", mean(old for old, _ in found), "")
        yield Figure(case, mean(new for _, new in found), "", "<= 0.05")
    for name, middle, spread in WORLDS:
        for factor in FACTORS:
            found = [_refused(TEST_ROWS, middle, spread, factor, rng) for _ in range(REPEATS // 4)]
            target = "<= 0.05" if factor == 1 else ">= 0.95" if factor >= 2 else ""
            case = f"refused, odds x {factor:g}, {name}"
            yield Figure(f"{case}, old rule", mean(old for old, _ in found), "")
            yield Figure(case, mean(new for _, new in found), "", target)
    for name, noise in (("coin flip", 0.2), ("yes to all", 0.0)):
        flips = [_promote_no_skill(noise, rng) for _ in range(NO_SKILL_REPEATS)]
        case = f"promoted, {name}, half positive"
        yield Figure(f"{case}, old rule", mean(old for old, _ in flips), "")
        yield Figure(case, mean(new for _, new in flips), "", "<= 0.03")


def _refused(
    rows: int, middle: float, spread: float, factor: float, rng: np.random.Generator
) -> tuple[bool, bool]:
    """By the old and by the new rule on calibration; the model's odds are `factor` times true."""
    log_odds = rng.normal(middle, spread, rows)
    labels = rng.random(rows) < _sigmoid(log_odds)
    scores = _sigmoid(log_odds + np.log(factor))
    error = calibration_error(labels, scores)
    allowed = max(
        LIMITS.maximum_calibration_error,
        calibration_error_by_chance(labels, scores, seed=int(rng.integers(2**31))),
    )
    return _ece(labels, scores) > 0.05, error > allowed


def _promote_no_skill(noise: float, rng: np.random.Generator) -> tuple[bool, bool]:
    """A first model whose scores know nothing of the labels, by the old and the new rules."""
    labels = rng.random(TEST_ROWS) < 0.5
    scores = _sigmoid(rng.normal(0.0, noise, TEST_ROWS))
    threshold = choose_threshold(labels, scores, F1)
    figures = measure(labels, scores, threshold, objective=F1, seed=1)
    evidence = Evidence(
        objective=F1,
        figures=figures,
        constant=evaluate_constant(F1, labels),
        chance_calibration_error=calibration_error_by_chance(labels, scores, seed=1),
        champion=None,
    )
    old = figures["f1"].value >= 0.5 and _ece(labels, scores) <= 0.05
    return old, judge(evidence, LIMITS).promote


def _ece(labels: Bools, scores: Floats) -> float:
    """Expected calibration error, C. Guo et al. (ICML 2017)."""
    which = np.minimum((scores * 10).astype(int), 9)
    gaps = np.bincount(which, weights=labels - scores, minlength=10)
    return float(np.abs(gaps).sum() / len(labels))


def _sigmoid(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-log_odds)))
