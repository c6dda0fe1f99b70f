"""What a search and a threshold should go by, measured (rows of `estimates`; ADR 12).

Threshold: three models are fitted on 40,000 rows, and validation rows are drawn anew 60 times for
each. The F1 lost against the best threshold of other rows is counted, for the threshold that is
best by the labels (the old rule) and for the one of the training.

Search: on ten public sets, 20 trials maximise validation F1 (the old rule), or minimise log loss.
The chosen model's figures are those on test rows; the threshold is the training's in both.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from statistics import mean

import numpy as np
import optuna
from sklearn.metrics import log_loss, roc_auc_score

from benchmarks.harness import Figure
from benchmarks.public_sets import PublicSet, load_public_sets
from domain.contract.contract import Contract
from domain.contract.objective import F1
from tabular.classification import Bools, Floats
from training_job.dataset.dataset import Split
from training_job.model.encoding import Matrix, encode
from training_job.model.model import Fitted, Labels, TrainingData, fit, predict
from training_job.model.objective import count_answers, evaluate_counts
from training_job.model.threshold import choose_threshold
from training_job.search.study import space

FITTED_ON = 40_000
STOPPED_BY = 15_000
VALIDATION_ROWS = (500, 1_000)
MODELS = 3
REPEATS = 60
SEARCH_TRIALS = 20
SPLITS, SPLITS_OF_LARGE, LARGE = 6, 2, 10_000
PARAMS = {"max_depth": 5, "learning_rate": 0.1, "min_child_weight": 10.0}

optuna.logging.set_verbosity(optuna.logging.WARNING)

Scores = dict[str, float]
Loss = Callable[[Fitted, Matrix, Labels], float]


def measure_thresholds(sides: dict[str, Split], contract: Contract, seed: int) -> Iterator[Figure]:
    """Mean loss of F1 by either rule on few validation rows, over several models."""
    rng = np.random.default_rng(seed)
    matrix = np.concatenate([encode(side.table, contract) for side in sides.values()])
    labels = np.concatenate([side.labels for side in sides.values()])
    lost: dict[tuple[int, str], list[float]] = defaultdict(list)
    for _ in range(MODELS):
        order = rng.permutation(len(labels))
        train, stop, rest = np.split(order, (FITTED_ON, FITTED_ON + STOPPED_BY))
        data = TrainingData.build(matrix[train], labels[train], matrix[stop], labels[stop])
        scores = predict(fit(data, PARAMS, seed=seed).booster, matrix[rest]).astype(np.float64)
        truth, half = labels[rest] == 1, len(rest) // 2
        unseen, unseen_scores = truth[half:], scores[half:]
        best = max(_f1(unseen, unseen_scores, cut) for cut in np.linspace(0.05, 0.95, 181))
        for rows, _ in itertools.product(VALIDATION_ROWS, range(REPEATS)):
            chosen = rng.choice(half, rows, replace=False)
            some, some_scores = truth[chosen], scores[chosen]
            for rule, threshold in (
                ("old", _best_by_labels(some, some_scores)),
                ("new", choose_threshold(some, some_scores, F1)),
            ):
                lost[rows, rule].append(best - _f1(unseen, unseen_scores, threshold))
    for rows in VALIDATION_ROWS:
        case = f"F1 lost by the threshold, {rows:,} validation rows"
        yield Figure(f"{case}, old rule", mean(lost[rows, "old"]), "")
        yield Figure(case, mean(lost[rows, "new"]), "", "<= 0.004")


def measure_searches() -> Iterator[Figure]:
    """Each set's means, and on how many sets log loss is the better choice."""
    wins = dict.fromkeys(("log loss", "ROC AUC", "F1"), 0)
    change = dict.fromkeys(wins, 0.0)
    sets = 0
    for public in load_public_sets():
        sets += 1
        old, new = _search(public, _lose_f1), _search(public, _lose_likelihood)
        for name, value in new.items():
            yield Figure(f"{public.name}: test {name}, search on F1", old[name], "")
            yield Figure(f"{public.name}: test {name}, search on log loss", value, "")
            gain = (old[name] - value) if name == "log loss" else value - old[name]
            wins[name] += gain > 0
            change[name] += gain
    for name, number in wins.items():
        yield Figure(f"better {name} by search on log loss, of {sets} sets", number, "sets")
        yield Figure(f"gain of {name} by search on log loss, mean", change[name] / sets, "")


def _search(public: PublicSet, loss: Loss) -> Scores:
    """Mean test figures of the models that the searches choose, over several splits."""
    found = [
        _search_once(public, loss, split)
        for split in range(SPLITS_OF_LARGE if len(public.labels) > LARGE else SPLITS)
    ]
    return {name: mean(scores[name] for scores in found) for name in found[0]}


def _search_once(public: PublicSet, loss: Loss, split: int) -> Scores:
    rows = len(public.labels)
    order = np.random.default_rng(split).permutation(rows)
    parts = np.split(order, (rows * 6 // 10, rows * 8 // 10))
    (x, y), (valid, valid_y), (test, test_y) = (
        (public.matrix[part], public.labels[part]) for part in parts
    )
    data = TrainingData.build(x, y, valid, valid_y)
    sampler = optuna.samplers.TPESampler(seed=split, multivariate=True, constant_liar=True)
    study = optuna.create_study(direction="minimize", sampler=sampler)
    fits = []
    for _ in range(SEARCH_TRIALS):
        trial = study.ask()
        fitted = fit(data, space(trial), seed=1)
        fits.append((loss(fitted, valid, valid_y), fitted))
        study.tell(trial, fits[-1][0])
    _, chosen = min(fits, key=lambda pair: pair[0])
    scores = predict(chosen.booster, test).astype(np.float64)
    return {
        "log loss": float(log_loss(test_y, scores)),
        "ROC AUC": float(roc_auc_score(test_y, scores)),
        "F1": _f1(test_y == 1, scores, chosen.threshold),
    }


def _lose_f1(fitted: Fitted, valid: Matrix, labels: Labels) -> float:
    """The highest validation F1 of any threshold, with the sign of a loss."""
    truth, scores = labels == 1, predict(fitted.booster, valid).astype(np.float64)
    return -_f1(truth, scores, _best_by_labels(truth, scores))


def _lose_likelihood(fitted: Fitted, _valid: Matrix, _labels: Labels) -> float:
    return fitted.valid_log_loss


def _best_by_labels(labels: Bools, scores: Floats) -> float:
    """The threshold with the highest F1 as counted on these rows."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + hits[-1])
    ordered = scores[order]
    f1[:-1][ordered[:-1] == ordered[1:]] = 0  # no threshold separates equal probabilities
    return float(ordered[np.argmax(f1)])


def _f1(labels: Bools, scores: Floats, threshold: float) -> float:
    counts = count_answers(labels, scores >= threshold)
    return float(np.nan_to_num(evaluate_counts(F1, counts)))
