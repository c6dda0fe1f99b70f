"""Fit one model, choose its threshold, measure it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb
from sklearn import metrics

from domain.contract.contract import Contract
from domain.contract.objective import F1, Objective
from tabular.classification import Counts
from training_job.dataset.dataset import Bools, Floats, Split, SplitFile
from training_job.model.encoding import Matrix, encode, rows_per_batch
from training_job.model.masking import Masking
from training_job.model.objective import evaluate_counts, weigh_answers
from training_job.model.scored_lines import ScoredLines
from training_job.model.threshold import choose_threshold

Probabilities = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int8]
Params = Mapping[str, float]
"""Hyperparameters by XGBoost's names."""

UPLOADED_WEIGHT = "uploaded_weight"
"""Hyperparameter that is not XGBoost's: how much an uploaded row counts beside a production one."""
VALIDATING_ROWS = 500
VALIDATING_POSITIVES = 50
"""From so many production rows, and so many of either class, on they alone validate."""
MAXIMUM_ROUNDS = 600
EARLY_STOPPING_ROUNDS = 25
FIXED = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "tree_method": "hist",
    "nthread": 1,  # two threads on two cores get 6 times slower once anything else runs
    "verbosity": 0,
}

REPORT_ROUNDS = (10, 20, 40, 80, 160, 320)
"""After each of these rounds a trial reports its log loss and may be stopped early."""

Report = Callable[[int, float], bool]
"""Called with the rounds so far and the validation log loss; returns whether to stop."""


class Pruned(Exception):
    """The fit was stopped early, as `report` asked."""


class _Batches(xgb.DataIter):
    """Encodes a split batch by batch, so that its matrix is never in memory as a whole."""

    def __init__(
        self, split: Split | SplitFile, contract: Contract, masking: Masking | None = None
    ) -> None:
        super().__init__()
        self._split, self._contract, self._masking = split, contract, masking
        self.reset()

    def next(self, input_data: Callable[..., None]) -> bool:
        """Pass the next batch to XGBoost; false after the last."""
        batch = next(self._left, None)
        if batch is None:
            return False
        matrix = encode(batch.table, self._contract)
        if self._masking is not None:
            self._masking.apply(matrix, self._batch)
        self._batch += 1
        input_data(data=matrix, label=batch.labels)
        return True

    def reset(self) -> None:
        """Start over: XGBoost reads the data several times."""
        self._left, self._batch = self._split.batches(rows_per_batch(self._contract)), 0


@dataclass(frozen=True, slots=True)
class RowWeights:
    """How many times each row counts, where there are production rows.

    `uploaded`: which training rows are uploaded ones. `search_uploaded`: whether the weight of all
    of these is searched like a hyperparameter: what they teach may be out of date. Then enough
    production rows validate, and the uploaded ones don't (their weight in `valid` is 0).
    """

    train: Floats
    valid: Floats
    uploaded: Bools
    search_uploaded: bool

    @classmethod
    def of(cls, train: Split | SplitFile, valid: Split | SplitFile) -> "RowWeights | None":
        """Those of a dataset; None where every row counts once."""
        if train.weights is None and valid.weights is None:
            return None
        first = np.ones(len(train.labels)) if train.weights is None else train.weights
        second = np.ones(len(valid.labels)) if valid.weights is None else valid.weights
        produced = valid.labels[~valid.uploaded]
        enough = validates_alone(len(produced), int(np.count_nonzero(produced == 1)))
        if enough:
            second = scale_uploaded(second, valid.uploaded, 0.0)
        return cls(first, second, train.uploaded, enough)

    def for_training(self, uploaded_weight: float) -> Floats:
        """The training rows' weights when the uploaded ones count so much."""
        return scale_uploaded(self.train, self.uploaded, uploaded_weight)


def validates_alone(rows: int, positives: int) -> bool:
    """Whether so many production rows, so many of them positive, are enough of either class."""
    return bool(
        rows >= VALIDATING_ROWS and VALIDATING_POSITIVES <= positives <= rows - VALIDATING_POSITIVES
    )


def scale_uploaded(weights: Floats, uploaded: Bools, factor: float) -> Floats:
    """The rows' weights when the uploaded ones count so much."""
    return np.where(uploaded, factor, 1.0) * weights


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The two matrices every trial shares, binned once, and what the contract wants of a model.

    `constraints`: per encoded column 1 (increasing), -1 (decreasing) or 0. `weights`: None where
    every row counts once.
    """

    train: xgb.QuantileDMatrix
    valid: xgb.QuantileDMatrix
    valid_labels: Labels
    constraints: tuple[int, ...] = ()
    objective: Objective = F1
    weights: RowWeights | None = None

    @classmethod
    def build(
        cls, train: Matrix, train_labels: Labels, valid: Matrix, valid_labels: Labels
    ) -> "TrainingData":
        """Bin matrices that are encoded already, for F1 and without constraints."""
        binned = xgb.QuantileDMatrix(train, train_labels, nthread=1)
        other = xgb.QuantileDMatrix(valid, valid_labels, ref=binned, nthread=1)
        return cls(binned, other, valid_labels)

    @classmethod
    def of(
        cls,
        train: Split | SplitFile,
        valid: Split | SplitFile,
        contract: Contract,
        *,
        seed: int,
    ) -> "TrainingData":
        """Bin the splits; `valid` takes the cuts of `train`.

        `seed`: of the values of `train` that are blanked so that it has missing ones to learn from.
        """
        masking = Masking.of(train, contract, seed)
        binned = xgb.QuantileDMatrix(_Batches(train, contract, masking), nthread=1)
        other = xgb.QuantileDMatrix(_Batches(valid, contract), ref=binned, nthread=1)
        weights = RowWeights.of(train, valid)
        if weights is not None:
            other.set_weight(weights.valid)
        return cls(binned, other, valid.labels, contract.monotone, contract.objective, weights)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A booster cut at its best round, and its threshold.

    `valid_log_loss` and `valid_metric` (the objective's): on the validation rows.
    """

    booster: xgb.Booster
    threshold: float
    valid_log_loss: float
    valid_metric: float

    @classmethod
    def of(
        cls,
        booster: xgb.Booster,
        log_loss: float,
        labels: Labels,
        probabilities: Probabilities,
        *,
        objective: Objective,
        weights: Floats | None,
    ) -> "Fitted":
        """Choose the threshold by the booster's probabilities of the validation rows."""
        lines = count_scores(probabilities, labels, weights)
        return cls.of_lines(booster, log_loss, lines, objective)

    @classmethod
    def of_lines(
        cls, booster: xgb.Booster, log_loss: float, lines: ScoredLines, objective: Objective
    ) -> "Fitted":
        """The same by validation rows as condensed lines, whose flag is the label."""
        truth, scores, weights = lines.flag(0), lines.scores, lines.weights
        threshold = choose_threshold(truth, scores, objective, weights, lines.rows)
        each = lines.rows if weights is None else lines.rows * weights
        answers = weigh_answers(truth, scores >= threshold, each)
        return cls(booster, threshold, log_loss, _evaluate(objective, answers))


def count_scores(
    probabilities: Probabilities, labels: Labels, weights: Floats | None
) -> ScoredLines:
    """Rows by probability, label and weight."""
    return ScoredLines.of_rows(probabilities, [labels == 1], weights=weights).condense()


def _evaluate(objective: Objective, answers: Floats) -> float:
    return float(np.nan_to_num(evaluate_counts(objective, answers)))


class _Reporter(xgb.callback.TrainingCallback):
    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    def after_iteration(self, _model: Any, epoch: int, evals_log: Any) -> bool:
        if epoch + 1 in REPORT_ROUNDS and self._report(
            epoch + 1, evals_log["valid"]["logloss"][-1]
        ):
            raise Pruned
        return False


def fit(data: TrainingData, params: Params, *, seed: int, report: Report | None = None) -> Fitted:
    """Train with early stopping on the validation rows, which also choose the threshold.

    Raises Pruned when `report` says so.
    """
    valid_weights = None
    if data.weights is not None:
        data.train.set_weight(data.weights.for_training(params.get(UPLOADED_WEIGHT, 1.0)))
        valid_weights = data.weights.valid
    booster = xgb.train(
        complete(params, data.constraints, seed),
        data.train,
        num_boost_round=MAXIMUM_ROUNDS,
        evals=[(data.valid, "valid")],
        early_stopping_rounds=EARLY_STOPPING_ROUNDS,
        callbacks=[_Reporter(report)] if report else None,
        verbose_eval=False,
    )
    best = booster[: booster.best_iteration + 1]
    return Fitted.of(
        best,
        float(booster.best_score),
        data.valid_labels,
        best.predict(data.valid),
        objective=data.objective,
        weights=valid_weights,
    )


def complete(params: Params, constraints: tuple[int, ...], seed: int) -> dict[str, object]:
    """All parameters of XGBoost for these hyperparameters."""
    others = {name: value for name, value in params.items() if name != UPLOADED_WEIGHT}
    monotone = {"monotone_constraints": constraints} if any(constraints) else {}
    return {**FIXED, **monotone, **others, "seed": seed}


def predict(booster: xgb.Booster, matrix: Matrix) -> Probabilities:
    """Probabilities of the positive class, one per row.

    A single row is predicted twice: XGBoost 3.2 answers a matrix of one row wrongly.
    """
    booster.set_param({"nthread": 1})
    rows = len(matrix)
    doubled = np.repeat(matrix, 2, axis=0) if rows == 1 else matrix
    return np.asarray(booster.inplace_predict(doubled), dtype=np.float32)[:rows]


def predict_split(booster: xgb.Booster, split: Split, contract: Contract) -> Probabilities:
    """Predict a split batch by batch; its matrix is never in memory as a whole."""
    batches = split.batches(rows_per_batch(contract))
    parts = [predict(booster, encode(part.table, contract)) for part in batches]
    return np.concatenate([np.empty(0, np.float32), *parts])


def quality(
    labels: Labels,
    probabilities: npt.ArrayLike,
    threshold: float,
    counts: Counts | None = None,
) -> dict[str, float]:
    """The figures of a model card: F1, precision, recall at the threshold; the rest without one.

    `counts`: see `tabular.classification`.
    """
    scores = np.asarray(probabilities, dtype=np.float64)
    predicted = scores >= threshold
    rows = {"sample_weight": counts}
    values = {
        "f1": metrics.f1_score(labels, predicted, **rows),
        "precision": metrics.precision_score(labels, predicted, zero_division=0.0, **rows),
        "recall": metrics.recall_score(labels, predicted, **rows),
        "roc_auc": metrics.roc_auc_score(labels, scores, **rows),
        "pr_auc": metrics.average_precision_score(labels, scores, **rows),
        "brier": metrics.brier_score_loss(labels, scores, **rows),
        "log_loss": metrics.log_loss(labels, scores, **rows),
    }
    return {name: float(value) for name, value in values.items()}
