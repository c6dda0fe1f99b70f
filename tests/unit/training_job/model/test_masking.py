"""A missing value gets a sensible answer though training had none missing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.contract.contract import Contract
from tests.unit.patients import patients
from training_job.dataset import dataset
from training_job.dataset.dataset import Split, SplitFile
from training_job.dataset.validation import check
from training_job.model.encoding import encode
from training_job.model.masking import SHARE, Masking, rarely_missing
from training_job.model.model import TrainingData, fit, predict

NULLABLE = ("smoking_history", "bmi", "HbA1c_level", "blood_glucose_level")
FULL = patients(6_000, seed=4).ffill().bfill()


def _split(frame: pd.DataFrame, contract: Contract) -> Split:
    checked = check(pa.Table.from_pandas(frame, preserve_index=False), contract)
    table = dataset.to_table(checked.columns, contract)
    return Split(table, table.column(contract.target).to_numpy().astype(np.int8))


@pytest.mark.parametrize(
    ("share", "masked"),
    [(0.0, NULLABLE), (0.005, NULLABLE), (0.02, ("smoking_history", "bmi", "blood_glucose_level"))],
)
def test_a_feature_is_masked_when_too_few_values_are_missing_to_learn_from(
    share: float, masked: tuple[str, ...], contract: Contract, tmp_path: Path
) -> None:
    frame = FULL.copy()
    frame.loc[: share * len(frame) - 1, "HbA1c_level"] = None
    split = _split(frame, contract)
    pq.write_table(split.table, tmp_path / "train.parquet")
    assert masked == rarely_missing(split, contract)
    assert masked == rarely_missing(
        SplitFile.open(tmp_path / "train.parquet", contract=contract), contract
    )


def test_masking_blanks_whole_features_at_random_and_the_same_for_the_same_seed(
    contract: Contract,
) -> None:
    split = _split(FULL, contract)
    plain = encode(split.table, contract)

    def masked(seed: int, batch: int) -> np.ndarray:
        matrix = plain.copy()
        Masking.of(split, contract, seed).apply(matrix, batch)
        return matrix

    first = masked(1, 0)
    np.testing.assert_array_equal(first, masked(1, 0))
    for other in (masked(2, 0), masked(1, 1)):
        assert not np.array_equal(np.isnan(first), np.isnan(other))
    kept = ~np.isnan(first)
    np.testing.assert_array_equal(plain[kept], first[kept])
    for feature in contract.features:
        names = contract.encoded_names
        columns = [names.index(name) for name in feature.encoded_names]
        blank = np.isnan(first[:, columns])
        assert (blank == blank[:, :1]).all()
        expected = SHARE if feature.nullable else 0
        assert expected == pytest.approx(blank[:, 0].mean(), abs=0.01)


def test_values_that_go_missing_by_chance_leave_the_mean_answer_as_it_is(
    contract: Contract,
) -> None:
    rows = [_split(FULL[:4_000], contract), _split(FULL[4_000:], contract)]
    data = TrainingData.of(rows[0], rows[1], contract, seed=1)
    fitted = fit(data, {"max_depth": 4, "learning_rate": 0.2}, seed=1)
    matrix = encode(rows[1].table, contract)
    usual = predict(fitted.booster, matrix).mean()
    for name in ("HbA1c_level", "blood_glucose_level", "bmi"):
        blanked = matrix.copy()
        blanked[:, contract.encoded_names.index(name)] = np.nan
        assert pytest.approx(predict(fitted.booster, blanked).mean(), abs=0.05) == usual, name
