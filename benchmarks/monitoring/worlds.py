"""A small world to measure the monitoring in: a model, its reference, and rows unseen by both."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from domain.contract.contract import Contract
from domain.interval import Interval
from monitoring_job.statistics import profiles
from monitoring_job.statistics.profiles import Column
from ops.laptop import ROOT
from tabular.classification import confusion_intervals, roc_auc_interval

REFERENCE_ROWS, TRAINED, TEST, VALID = 10_000, 0.3, 0.1, 0.2


@dataclass(frozen=True)
class World:
    """A contract, a reference and a pool of rows disjoint from it, scored by one model.

    `test`: the model's figures on test rows, disjoint from both.
    """

    contract: Contract
    score: Callable[[pd.DataFrame], np.ndarray]
    threshold: float
    reference: pd.DataFrame
    pool: pd.DataFrame
    test: dict[str, Interval]

    @cached_property
    def old(self) -> dict[str, Column]:
        """The reference as columns, whose profiles are cached in them."""
        return profiles.profile_columns(self.contract, pa.Table.from_pandas(self.reference))


@cache
def world(source: str, seed: int) -> World:
    """`source`: a CSV's path. Depends on it and the seed alone, so every process makes the same."""
    from training_job.model.encoding import encode
    from training_job.model.model import TrainingData, fit, predict

    contract = Contract.parse((ROOT / "contract.toml").read_text())
    frame = pd.read_csv(source).sample(frac=1, random_state=seed).reset_index(drop=True)
    ends = np.cumsum([TRAINED, TEST, VALID])
    train, test, valid = (round(len(frame) * float(end)) for end in ends)
    labels = frame[contract.target].to_numpy(np.int8)
    inputs = frame[[feature.name for feature in contract.features]]

    def encoded(rows: pd.DataFrame) -> Any:
        return encode(pa.Table.from_pandas(rows, preserve_index=False), contract)

    data = TrainingData.build(
        encoded(inputs[:train]), labels[:train], encoded(inputs[test:valid]), labels[test:valid]
    )
    fitted = fit(data, {"max_depth": 4, "eta": 0.1}, seed=seed)

    def score(rows: pd.DataFrame) -> np.ndarray:
        return predict(fitted.booster, encoded(rows)).astype(np.float64)

    unseen = inputs.rename(columns=str.lower).assign(
        probability=score(inputs), label=labels.astype(bool)
    )
    # As in training, the reference comes from the validation rows.
    reference = unseen[test : test + REFERENCE_ROWS].reset_index(drop=True)
    tested = unseen[train:test]
    pool = unseen[valid:].reset_index(drop=True)
    truth, scores = tested["label"].to_numpy(), tested["probability"].to_numpy()
    f1 = confusion_intervals(truth, scores >= fitted.threshold, seed=seed)["f1"]
    roc_auc = roc_auc_interval(truth, scores)
    assert f1 is not None
    assert roc_auc is not None
    test_figures = {"f1": f1, "roc_auc": roc_auc}
    return World(contract, score, fitted.threshold, reference, pool, test_figures)


def drawn(of: World, rows: int, random: np.random.Generator) -> pd.DataFrame:
    """A window, of different rows unless it is larger than the pool."""
    chosen = random.choice(len(of.pool), rows, replace=rows > len(of.pool))
    return of.pool.iloc[chosen].reset_index(drop=True)
