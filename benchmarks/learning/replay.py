"""Replay of logged requests: rows a second of one core, and memory at two sizes of the log.

The log lies in a folder that answers as a bucket, in Parquet objects of 100,000 rows. The time is
that of the whole replay in a process of its own: reading, sampling, encoding, scoring by challenger
and counting by segment.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.folder_bucket import FolderS3
from benchmarks.harness import Figure, measure_alone
from domain import keys, times
from domain.contract.contract import Contract
from domain.contract.records import prediction_log_columns, sample_key
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from ops.laptop import ROOT
from ops.samples import diabetes_rows
from tabular.arrow_types import ARROW_TYPES

if TYPE_CHECKING:
    from training_job.model.model import Fitted

SMALL, LARGE = 1_000_000, 4_000_000
OBJECT_ROWS = 100_000
START = 1_760_000_000_000
FITTED_ON = 20_000
PARAMS = {"max_depth": 5, "learning_rate": 0.1, "min_child_weight": 10.0}


def measure(seed: int) -> Iterator[Figure]:
    """Speed and peak memory, of a log and of one four times as long."""
    peaks = []
    for rows in (SMALL, LARGE):
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            folder = Path(name)
            measure_alone(_make, folder, rows, seed)
            seen, seconds, peak = measure_alone(_replay, folder, seed)
            peaks.append(peak)
        assert rows == seen
        size = f"{rows // 1_000_000} M logged requests"
        yield Figure(f"replay, {size}: rows/s per core", rows / seconds, "", ">= 300000")
        yield Figure(f"replay, {size}: peak memory", peak / 1e6, "MB")
    yield Figure("replay: peak memory of 4 times the log", peaks[1] / peaks[0], "x", "<= 1.15")


def _contract() -> Contract:
    return Contract.parse((ROOT / "contract.toml").read_text())


def _fit(contract: Contract, seed: int) -> "Fitted":
    from training_job.model.encoding import encode
    from training_job.model.model import TrainingData, fit

    some = pa.concat_tables(diabetes_rows.chunks(rows=FITTED_ON, seed=seed))
    labels = some.column(contract.target).cast(pa.int8()).to_numpy()
    matrix = encode(some, contract)
    return fit(TrainingData.build(matrix, labels, matrix, labels), PARAMS, seed=seed)


def _make(folder: Path, rows: int, seed: int) -> tuple[None, float]:
    """A champion, and the log of its answers."""
    from training_job.model.encoding import encode
    from training_job.model.export import export
    from training_job.model.model import predict

    contract, bucket = _contract(), FolderS3(folder).bucket("all")
    fitted = _fit(contract, seed)
    data = Bundle(contract, export(fitted.booster), fitted.threshold).to_bytes()
    model = ModelRef.of(1, digest(data))
    bucket.put(model.bundle_key, data)
    pointer = Champion.successor(None, model, action="promote", execution="e", now=1)
    bucket.put(keys.CHAMPION, pointer.to_json())
    kinds = prediction_log_columns(contract)
    schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in kinds.items()])
    day = times.from_millis(START).date()
    for number, chunk in enumerate(diabetes_rows.chunks(rows=rows, seed=seed + 1)):
        scores = predict(fitted.booster, encode(chunk, contract)).astype(np.float64)
        count = chunk.num_rows
        ids = [f"{number:06d}-{row:06d}" for row in range(count)]
        columns = {
            "prediction_id": pa.array(ids),
            "predicted_at": pa.array(START + 10 * np.arange(count)),
            "model_version": pa.repeat(model.version, count),
            "contract_version": pa.repeat(contract.version, count),
            "probability": pa.array(scores),
            "threshold": pa.repeat(fitted.threshold, count),
            "predicted": pa.array(scores >= fitted.threshold),
            "source": pa.repeat("api", count),
            "sample_key": pa.array([sample_key(text) for text in ids]),
        }
        columns |= {f.column: chunk.column(f.name) for f in contract.features}
        arrays = [
            columns[n].cast(schema.field(n).type)
            if n in columns
            else pa.nulls(count, schema.field(n).type)
            for n in schema.names
        ]
        path = folder / "all" / f"{keys.stream('log', day)}{number:06d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(arrays, schema=schema), path)
    return None, 0.0


def _replay(folder: Path, seed: int) -> tuple[int, float]:
    from tabular.log_objects import LogObjects
    from tabular.models import Models
    from training_job.evaluation.incumbent import Incumbent
    from training_job.evaluation.replay import LoggedRequests, replay, sample_requests
    from training_job.model.model import predict_split

    contract, bucket = _contract(), FolderS3(folder).bucket("all")
    incumbent = Incumbent.read(bucket, contract)
    assert incumbent.bundle is not None
    booster = _fit(contract, seed).booster
    requests = LoggedRequests(LogObjects(bucket), Models(bucket), START, START + times.DAY_MS)
    began = time.process_time()
    found = replay(
        sample_requests(requests, contract),
        contract,
        incumbent,
        score=lambda rows: predict_split(booster, rows, contract).astype(np.float64),
        threshold=incumbent.bundle.threshold,
    )
    seconds = time.process_time() - began
    assert found is not None
    assert found.changed < 1e-3
    return found.logged, seconds
