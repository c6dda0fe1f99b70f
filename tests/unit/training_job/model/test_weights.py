"""Rows count as often as their weights say: in the fit, in the threshold, in early stopping."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from domain.contract.contract import Contract
from domain.contract.objective import F1, Cost, Objective
from domain.contract.records import SAMPLING_WEIGHT
from tests.unit.patients import patients
from training_job.dataset.dataset import Split, to_table
from training_job.dataset.validation import check
from training_job.model.model import UPLOADED_WEIGHT, TrainingData, fit, predict_split
from training_job.model.threshold import choose_threshold

PARAMS = {"max_depth": 3, "learning_rate": 0.3}


def _split(contract: Contract, rows: int, seed: int, *, production: bool, flipped: bool) -> Split:
    frame = patients(rows, seed=seed)
    if flipped:
        frame["diabetes"] = 1 - frame["diabetes"]
    columns = check(pa.Table.from_pandas(frame, preserve_index=False), contract).columns
    table = to_table(columns, contract).append_column(SAMPLING_WEIGHT, pa.array(np.ones(rows)))
    ids = [f"p{n}" if production else None for n in range(rows)]
    table = table.append_column("prediction_id", pa.array(ids, pa.string()))
    return Split(table, columns[contract.target].astype(np.int8))


def _join(one: Split, other: Split) -> Split:
    table = pa.concat_tables([one.table, other.table])
    return Split(table, np.concatenate([one.labels, other.labels]))


@pytest.mark.parametrize(
    "objective", [F1, Objective(Cost(false_negative=5.0)), Objective(minimum_recall=0.8)]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_weight_of_two_chooses_the_threshold_that_the_row_twice_does(
    objective: Objective, weighted: bool
) -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(400).round(3)
    labels = rng.random(400) < scores
    times = rng.integers(0, 3, 400) if weighted else np.ones(400, int)
    if objective.minimum_recall is not None:
        times = np.where(times > 0, 2, 0)  # otherwise fewer rows are as informative
        labels_twice, scores_twice = labels[times > 0], scores[times > 0]
    else:
        labels_twice, scores_twice = np.repeat(labels, times), np.repeat(scores, times)
    expected = choose_threshold(labels_twice, scores_twice, objective)
    assert expected == choose_threshold(labels, scores, objective, times.astype(float))


def test_enough_production_rows_validate_alone_and_uploaded_rows_may_hardly_count(
    contract: Contract,
) -> None:
    old = _split(contract, 3_000, 1, production=False, flipped=False)
    new = _split(contract, 1_500, 2, production=True, flipped=True)
    old_valid = _split(contract, 1_000, 3, production=False, flipped=False)
    new_valid = _split(contract, 600, 4, production=True, flipped=True)
    data = TrainingData.of(_join(old, new), _join(old_valid, new_valid), contract, seed=1)
    assert data.weights is not None
    assert data.weights.search_uploaded
    assert 600 == np.count_nonzero(data.weights.valid)
    full, hardly = (fit(data, PARAMS | {UPLOADED_WEIGHT: w}, seed=1) for w in (1.0, 0.01))
    assert hardly.valid_log_loss < 0.8 * full.valid_log_loss
    fresh = _split(contract, 2_000, 5, production=True, flipped=True)
    right = (predict_split(hardly.booster, fresh, contract) >= 0.5) == (fresh.labels == 1)
    assert right.mean() > 0.85


def test_few_production_rows_validate_beside_the_uploaded_ones(contract: Contract) -> None:
    old = _split(contract, 1_000, 1, production=False, flipped=False)
    new = _split(contract, 300, 2, production=True, flipped=False)
    data = TrainingData.of(_join(old, new), _join(old, new), contract, seed=1)
    assert data.weights is not None
    assert not data.weights.search_uploaded
    assert 1_300 == np.count_nonzero(data.weights.valid)


def test_without_production_rows_nothing_is_weighted(contract: Contract) -> None:
    split = _split(contract, 500, 1, production=False, flipped=False)
    plain = replace(split, table=split.table.drop_columns([SAMPLING_WEIGHT, "prediction_id"]))
    assert TrainingData.of(plain, plain, contract, seed=1).weights is None
