"""The reference sample looks like the predictions to come."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.s3 import Bucket
from benchmarks.folder_bucket import FolderS3
from domain import keys
from domain.contract.contract import Contract
from domain.contract.records import SAMPLING_WEIGHT
from tests.unit.patients import patients
from training_job.dataset.dataset import PREDICTION_ID, Split, to_table
from training_job.dataset.tables import store
from training_job.dataset.validation import check
from training_job.evaluation.reference import choose_sample, draw_sample, read_candidates


def _valid(
    folder: Path, contract: Contract, *, production: int, weights: npt.NDArray[np.float64]
) -> Split:
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
    return Split.read(path, contract=contract)


def _read_ids(sample: Split) -> list[str]:
    """The ids of a sample that holds production rows only, each of them once."""
    ids: list[str] = sample.table["prediction_id"].to_pylist()
    assert None not in ids
    assert len(ids) == len(set(ids)) == len(sample.labels)
    return ids


def test_enough_production_rows_are_the_sample_each_by_its_weight(
    contract: Contract, tmp_path: Path
) -> None:
    weights = np.where(np.arange(6_000) % 2 == 0, 1.5, 0.5)
    valid = _valid(tmp_path, contract, production=6_000, weights=weights)
    sample = choose_sample(valid, None, seed=1, most=10_000)
    places = [int(text[1:]) for text in _read_ids(sample)]
    assert 0.75 == pytest.approx(np.mean([place % 2 == 0 for place in places]), abs=0.03)
    assert valid.labels[places].tolist() == sample.labels.tolist()


def test_few_production_rows_that_decided_nothing_leave_the_first_uploaded_rows_as_the_sample(
    contract: Contract, tmp_path: Path
) -> None:
    valid = _valid(tmp_path, contract, production=500, weights=np.ones(500))
    for most in (1_000, 4_200):
        sample = choose_sample(valid, None, seed=1, most=most)
        expected = min(most, 4_000)
        assert expected == sample.table["prediction_id"].null_count == len(sample.labels)


def test_uploaded_rows_are_kept_by_their_weight(contract: Contract, tmp_path: Path) -> None:
    valid = _valid(tmp_path, contract, production=0, weights=np.ones(0))
    heavy = valid.labels == 1
    place = valid.table.schema.get_field_index(SAMPLING_WEIGHT)
    lighter = pa.array(np.where(heavy, 0.25, 1.0))
    weighted = replace(valid, table=valid.table.set_column(place, SAMPLING_WEIGHT, lighter))
    sample = choose_sample(weighted, None, seed=1, most=10_000)
    assert np.count_nonzero(~heavy) == np.count_nonzero(sample.labels == 0)
    share = np.count_nonzero(sample.labels == 1) / np.count_nonzero(heavy)
    assert pytest.approx(0.25, abs=0.05) == share


@pytest.mark.parametrize(
    ("production", "most", "expected"),
    [
        (400, 10_000, 533),  # of 800 rows, those of weight 1.5 and a third of the others
        (60, 10_000, 120),  # what is left of so few by weight would be too few to compare with
        (400, 300, 300),
    ],
)
def test_production_rows_that_decided_are_the_sample_whatever_their_number(
    contract: Contract, tmp_path: Path, production: int, most: int, expected: int
) -> None:
    weights = np.where(np.arange(production) % 2 == 0, 1.5, 0.5)
    valid = _valid(tmp_path, contract, production=production, weights=weights)
    newest = _newest(valid)
    sample = choose_sample(valid, newest, seed=1, most=most)
    ids = _read_ids(sample)
    assert expected == pytest.approx(len(ids), rel=0.1)
    assert {"n", "p"} == {text[0] for text in ids}
    labels = {f"p{n}": label for n, label in enumerate(valid.labels)}
    labels |= dict(zip(newest.table["prediction_id"].to_pylist(), newest.labels, strict=True))
    assert [labels[text] for text in ids] == sample.labels.tolist()


def _newest(valid: Split) -> Split:
    """The side's production rows under other ids, as the side of the newest ones."""
    table = valid.table.slice(4_000)
    column = table.schema.get_field_index("prediction_id")
    ids = pa.array([f"n{n}" for n in range(table.num_rows)], pa.string())
    return Split(table.set_column(column, "prediction_id", ids), valid.labels[4_000:])


PARTS = {"valid-0": 200, "valid-1": 500, "valid-2": 300}


def _store_parts(folder: Path, table: pa.Table) -> Bucket:
    """A dataset whose validation rows lie in three objects."""
    data, start = FolderS3(folder).bucket("data"), 0
    for part, rows in PARTS.items():
        store(table.slice(start, rows), data, keys.dataset("d", part))
        start += rows
    data.put(keys.manifest("d"), json.dumps({"parts": {"valid": PARTS}}).encode())
    return data


def _make_rows(contract: Contract) -> pa.Table:
    frame = pa.Table.from_pandas(patients(1_000, seed=1), preserve_index=False)
    return to_table(check(frame, contract).columns, contract)


@pytest.mark.parametrize("weighted", [False, True])
def test_of_uploaded_rows_the_first_are_read_and_no_others(
    contract: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weighted: bool
) -> None:
    monkeypatch.setattr("training_job.evaluation.reference.REFERENCE_ROWS", 300)
    monkeypatch.setattr("training_job.evaluation.reference.UPLOADED_ROWS", 400)
    table = _make_rows(contract)
    if weighted:
        table = table.append_column(SAMPLING_WEIGHT, pa.array(np.ones(1_000)))
    data = _store_parts(tmp_path, table)
    (tmp_path / "data" / keys.dataset("d", "valid-2")).unlink()
    found = draw_sample(data, "d", contract, None, seed=1)
    assert table.slice(0, 300).to_pylist() == found.table.to_pylist()
    assert table[contract.target].to_pylist()[:300] == found.labels.tolist()


def test_all_production_rows_are_candidates_and_the_first_uploaded_ones(
    contract: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training_job.evaluation.reference.UPLOADED_ROWS", 150)
    ids = [f"p{n}" if n % 4 == 3 else None for n in range(1_000)]
    table = _make_rows(contract).append_column(PREDICTION_ID, pa.array(ids, pa.string()))
    found = read_candidates(_store_parts(tmp_path, table), "d", contract)
    expected = [n for n in range(1_000) if n < 200 or n % 4 == 3]
    assert table.take(pa.array(expected)).to_pylist() == found.table.to_pylist()
    assert found.table[contract.target].to_pylist() == found.labels.tolist()
