"""The reference sample looks like the predictions to come."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.contract.contract import Contract
from domain.contract.records import SAMPLING_WEIGHT
from tests.unit.patients import patients
from training_job.dataset.dataset import SplitFile, to_table
from training_job.dataset.validation import check
from training_job.evaluation import final


def _valid(
    folder: Path, contract: Contract, *, production: int, weights: npt.NDArray[np.float64]
) -> SplitFile:
    rows = 4_000 + production
    frame = patients(rows, seed=1).sort_values("age", ignore_index=True)
    columns = check(pa.Table.from_pandas(frame, preserve_index=False), contract).columns
    ids = [None if n < 4_000 else f"p{n}" for n in range(rows)]
    table = to_table(columns, contract).append_column("prediction_id", pa.array(ids, pa.string()))
    every = np.concatenate([np.ones(4_000), weights])
    table = table.append_column(SAMPLING_WEIGHT, pa.array(every))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    path = folder / "valid.parquet"
    path.write_bytes(buffer.getvalue())
    return SplitFile.open(path, contract=contract)


def test_enough_production_rows_are_the_sample_each_by_its_weight(
    contract: Contract, tmp_path: Path
) -> None:
    weights = np.where(np.arange(6_000) % 2 == 0, 1.5, 0.5)
    valid = _valid(tmp_path, contract, production=6_000, weights=weights)
    sample = final._choose_sample(valid, 10_000, seed=1)
    ids = sample.table["prediction_id"].to_pylist()
    assert len(ids) == len(set(ids)) == len(sample.labels)
    assert None not in ids
    even = np.mean([int(text[1:]) % 2 == 0 for text in ids])
    assert 0.75 == pytest.approx(even, abs=0.03)
    places = [int(text[1:]) for text in ids]
    assert valid.labels[places].tolist() == sample.labels.tolist()


def test_few_production_rows_leave_the_first_rows_as_the_sample(
    contract: Contract, tmp_path: Path
) -> None:
    valid = _valid(tmp_path, contract, production=500, weights=np.ones(500))
    sample = final._choose_sample(valid, 1_000, seed=1)
    assert 1_000 == sample.table["prediction_id"].null_count == len(sample.labels)
