"""The population of the gate's benchmark, the models that are fitted on it, and their evidence."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domain.contract.contract import Contract
from domain.contract.objective import F1, Objective
from domain.interval import Interval
from domain.model.gate.evidence import Evidence, Paired
from ops.laptop import ROOT
from ops.samples import diabetes_rows
from tabular.classification import Bools
from tabular.segments import segment_masks
from training_job.model.encoding import encode
from training_job.model.model import TrainingData, fit, predict

TEST_ROWS = 12_500
POOL = 400_000
FITTED_ON = 60_000
VALIDATED_ON = 20_000
PARAMS = {"max_depth": 4, "learning_rate": 0.15, "min_child_weight": 5.0}


@dataclass(frozen=True)
class Model:
    """A fitted model's scores of the population, and its own threshold."""

    scores: npt.NDArray[np.float32]
    threshold: float

    @property
    def answers(self) -> Bools:
        """By that threshold."""
        return np.asarray(self.scores >= self.threshold)


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

    def fit(
        self,
        rows: int,
        rng: np.random.Generator,
        objective: Objective = F1,
        *,
        validated_on: int | None = None,
        redraw_validation: bool = False,
    ) -> Model:
        """Fit on a bootstrap sample of the first `rows` rows.

        `validated_on`: rows that choose the threshold, by default a third of `rows`.
        `redraw_validation`: each model has a bootstrap sample of them of its own.
        """
        chosen = rng.integers(0, rows, rows)
        count = validated_on or min(VALIDATED_ON, max(rows // 3, 500))
        drawn = rng.integers(0, count, count) if redraw_validation else np.arange(count)
        validating = FITTED_ON + drawn
        x, y = self.matrix, self.labels
        data = TrainingData.build(x[chosen], y[chosen], x[validating], y[validating])
        fitted = fit(replace(data, objective=objective), PARAMS, seed=int(rng.integers(2**31)))
        scores = predict(fitted.booster, x[FITTED_ON + VALIDATED_ON :])
        return Model(scores.astype(np.float32), fitted.threshold)

    def f1(self, predicted: Bools) -> float:
        """True F1: over the whole population."""
        hits = float(np.count_nonzero(predicted & self.truth))
        return 2 * hits / (np.count_nonzero(predicted) + np.count_nonzero(self.truth))

    def threshold_at(self, recall: float, model: Model) -> float:
        """Where the model finds that share of the population's positives."""
        found = np.sort(model.scores[self.truth])[::-1]
        return float(found[int(recall * len(found))])

    def precision_at(self, recall: float, model: Model) -> float:
        """True precision at that threshold."""
        called = model.scores >= self.threshold_at(recall, model)
        return float(np.count_nonzero(called & self.truth) / np.count_nonzero(called))


def make_evidence(
    paired: Paired,
    objective: Objective,
    recall: Interval = Interval(1.0, 1.0, 1.0),  # noqa: B008 - frozen
) -> Evidence:
    """Both sides keep the limits, but for a required recall."""
    value = paired.value + paired.gain.value
    certain, perfect = Interval(value, value, value), Interval(0.0, 0.0, 0.0)
    return Evidence(
        objective=objective,
        figures={
            "f1": certain,
            objective.metric: certain,
            "recall": recall,
            "roc_auc": Interval(0.97, 0.97, 0.97),
            "relative_calibration_error": perfect,
        },
        constant=0.0,
        chance_calibration_error=0.0,
        champion=paired,
    )
