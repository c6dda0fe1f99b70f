"""``python -m benchmarks.monitoring.cost (read|run) FOLDER ROWS SEED``: one measurement a process.

The log lies as Parquet files in a folder that stands in for the bucket, so that no server's time or
memory is measured. `read` reads a day of the log and samples it; `run` is a whole drift run,
its reports included. Prints ``name=value`` pairs: `peak` in KiB, `seconds`, `speed` in rows per
CPU second.
"""

import importlib
import io
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.s3 import Bucket
from benchmarks.folder_bucket import FolderS3
from domain import keys, times
from domain.bundle import Bundle, digest
from domain.champion import ModelRef
from domain.contract import Contract
from domain.drift import Outcome
from domain.records import SAMPLE_KEYS
from domain.scorer import Forest
from domain.summary import Summary, run_id
from monitoring_job.log_objects import LogObjects
from monitoring_job.models import Models
from monitoring_job.reading import read_window
from monitoring_job.run import Run, judge
from monitoring_job.sample import Sample
from ops import diabetes_rows
from ops.laptop import ROOT

DAY = datetime(2026, 1, 31, tzinfo=UTC)
SAMPLE_ROWS = 100_000
OBJECT_ROWS = 500_000
"""About the 64 MB of records that Firehose puts into one Parquet object."""


class Folders(FolderS3):
    """Lists the folders under a prefix too."""

    def paginate(self, *, Bucket: str, Prefix: str, **options: Any) -> Iterator[dict[str, Any]]:  # noqa: N803 - boto3's names
        """One page, of objects or with a delimiter of folders."""
        for page in super().paginate(Bucket=Bucket, Prefix=Prefix):
            if "Delimiter" not in options:
                yield page
                continue
            rests = {e["Key"].removeprefix(Prefix).partition("/")[0] for e in page["Contents"]}
            yield {"CommonPrefixes": [{"Prefix": f"{Prefix}{rest}/"} for rest in sorted(rests)]}


def logged(rows: int, seed: int, version: str) -> Iterator[pa.Table]:
    """Sample patients as the log holds them, with a score of nobody's."""
    start, done = times.to_millis(DAY), 0
    for chunk in diabetes_rows.chunks(rows=rows, seed=seed):
        random = np.random.default_rng([seed, done])
        size = chunk.num_rows
        columns = {}
        for feature in CONTRACT.features:
            kind = {"category": pa.string(), "flag": pa.int64(), "number": pa.float64()}
            columns[feature.column] = chunk[feature.name].cast(pa.string()).cast(kind[feature.kind])
        numbers = np.arange(done, done + size)
        own = {
            "prediction_id": np.char.add(
                "00000000-0000-4000-8000-", np.char.zfill(numbers.astype(str), 12)
            ),
            "predicted_at": start + numbers % 86_400_000,
            "model_version": pa.array([version])
            .dictionary_encode()
            .take(pa.array(np.zeros(size, int)))
            .cast(pa.string()),
            "probability": random.beta(0.3, 3.0, size),
            "sample_key": random.integers(0, SAMPLE_KEYS, size),
        }
        label = chunk[CONTRACT.target].cast(pa.string())
        yield pa.table({**own, **columns, "label": pa.array(np.asarray(label) == "1")})
        done += size


CONTRACT = Contract.parse((ROOT / "contract.toml").read_text())


def bucket_of(folder: Path) -> Bucket:
    """The folder as a bucket."""
    return Folders(folder).bucket("bucket")


def make(folder: Path, rows: int, seed: int) -> None:
    """A version with its reference, and its day of the log."""
    bucket = bucket_of(folder)
    leaf = Forest(0.0, (0,), (-1,), (1.0,), (0,), (0,), (1,), (1.0,))
    data = Bundle(CONTRACT, leaf, 0.5).to_bytes()
    model = ModelRef.of(1, digest(data))
    bucket.put(model.bundle_key, data)
    buffer = io.BytesIO()
    pq.write_table(next(logged(10_000, seed + 1, model.version)), buffer)
    bucket.put(keys.reference(model.version), buffer.getvalue())
    held: list[pa.Table] = []
    for number, table in enumerate(logged(rows, seed, model.version)):
        held.append(table.drop_columns(["label"]))
        last = (number + 1) * diabetes_rows.CHUNK_ROWS >= rows
        if sum(t.num_rows for t in held) >= OBJECT_ROWS or last:
            buffer = io.BytesIO()
            pq.write_table(pa.concat_tables(held), buffer, compression="snappy")
            bucket.put(f"{keys.stream('log', DAY.date())}{number:05d}.parquet", buffer.getvalue())
            held = []


def read(folder: Path) -> tuple[Models, str, Sample]:
    """The day, streamed and sampled."""
    bucket = bucket_of(folder)
    models, start = Models(bucket), times.to_millis(DAY)
    contents = read_window(
        log=LogObjects(bucket),
        models=models,
        start=start,
        end=start + 86_400_000,
        sample_rows=SAMPLE_ROWS,
    )
    [(version, sample)] = contents.samples.items()
    return models, version, sample


def whole(folder: Path) -> Run:
    """The day, read, judged and drawn."""
    from monitoring_job.log_objects import Damage

    models, version, sample = read(folder)
    start = times.to_millis(DAY)
    empty = Summary(
        run_id=str(run_id(start=start, end=start + 86_400_000, version=version)),
        version=version,
        start=start,
        end=start + 86_400_000,
        computed_at=start,
        scheduled=False,
        outcome=Outcome.NO_DATA,
    )
    return judge(
        empty=empty,
        models=models,
        sample=sample,
        labels=lambda ids: np.full(len(ids), -1, dtype=np.int8),
        damage=Damage(),
        minimum_rows=300,
    )


def main(step: str, folder: Path, rows: int, seed: int) -> None:
    """One step; `make` writes the log that the others read."""
    if step == "make":
        make(folder, rows, seed)
        return
    if step == "run":
        # What is measured begins after the imports.
        for name in ("evidently.presets", "scipy.stats", "sklearn.linear_model"):
            importlib.import_module(name)
    began, cpu = time.perf_counter(), time.process_time()
    if step == "run":
        assert whole(folder).pages.keys() >= {"data_drift", "prediction_drift"}
    else:
        assert read(folder)[2].logged == rows
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak={peak} seconds={time.perf_counter() - began:.3f}")
    print(f"speed={rows / (time.process_time() - cpu):.0f}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
