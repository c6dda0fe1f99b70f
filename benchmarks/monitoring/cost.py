"""``python -m benchmarks.monitoring.cost (make|read|run) FOLDER ROWS SEED``: one measurement.

The log consists of Parquet files in a folder that stands in for the bucket, so that no server's
time or memory is measured. `make` writes it. `read` reads a day of the log and samples it. `run` is
a whole drift run, from the log and its labels to the published reports.

Prints ``name=value`` pairs: `peak` in KiB, `seconds`, `speed` in rows per CPU second, and the bytes
of the largest report, `page`.
"""

import importlib
import io
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.s3 import Bucket
from benchmarks.folder_bucket import FolderS3
from benchmarks.harness import read_peak
from domain import keys, times
from domain.api.report_token import ReportSecret
from domain.contract.contract import Contract
from domain.contract.feature import COLUMN_TYPES
from domain.contract.records import SAMPLE_KEYS
from domain.drift.drift_request import DriftRequest
from domain.drift.summary import Summary
from domain.drift.window import Window
from domain.model.bundle import Bundle, digest
from domain.model.champion import ModelRef
from domain.model.scorer import Forest
from monitoring_job.alerts.links import Links
from monitoring_job.alerts.notifier import Notifier
from monitoring_job.monitor import Stores, monitor
from ops.laptop import ROOT
from ops.samples import diabetes_rows
from tabular.arrow_types import ARROW_TYPES
from tabular.log_objects import LogObjects
from tabular.models import Models
from tabular.reading import read_window
from tabular.sample import Sample

DAY = datetime(2026, 1, 31, tzinfo=UTC)
CORES = 2
LABELLED = 0.6
"""Share of the predictions that get a label."""
SAMPLE_ROWS = 100_000
OBJECT_ROWS = 500_000
"""Rows in about 64 MB, which is what Firehose puts into one Parquet object."""


class Folders(FolderS3):
    """A folder as S3 that also lists the folders under a prefix."""

    def paginate(self, *, Bucket: str, Prefix: str, **options: Any) -> Iterator[dict[str, Any]]:  # noqa: N803 - boto3's names
        """Return one page: of objects, or, with a delimiter, of folders."""
        for page in super().paginate(Bucket=Bucket, Prefix=Prefix):
            if "Delimiter" not in options:
                yield page
                continue
            rests = {e["Key"].removeprefix(Prefix).partition("/")[0] for e in page["Contents"]}
            yield {"CommonPrefixes": [{"Prefix": f"{Prefix}{rest}/"} for rest in sorted(rests)]}


def logged(rows: int, seed: int, version: str) -> Iterator[pa.Table]:
    """Make sample patients as the log holds them, with random scores."""
    start, done = times.to_millis(DAY), 0
    for chunk in diabetes_rows.chunks(rows=rows, seed=seed):
        random = np.random.default_rng([seed, done])
        size = chunk.num_rows
        columns = {}
        for feature in CONTRACT.features:
            kind = ARROW_TYPES[COLUMN_TYPES[feature.kind]]
            columns[feature.column] = chunk[feature.name].cast(pa.string()).cast(kind)
        numbers = np.arange(done, done + size)
        own = {
            "prediction_id": np.char.add(
                "00000000-0000-4000-8000-", np.char.zfill(numbers.astype(str), 12)
            ),
            "predicted_at": start + numbers % times.DAY_MS,
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
    """Return the folder as a bucket."""
    return Folders(folder).bucket("bucket")


def make(folder: Path, rows: int, seed: int) -> None:
    """Write a version with its reference, a day of its log, and labels from two days later."""
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
        _label(bucket, number, table.slice(0, round(LABELLED * table.num_rows)))
        last = (number + 1) * diabetes_rows.CHUNK_ROWS >= rows
        if sum(t.num_rows for t in held) >= OBJECT_ROWS or last:
            buffer = io.BytesIO()
            pq.write_table(pa.concat_tables(held), buffer, compression="snappy")
            bucket.put(f"{keys.stream('log', DAY.date())}{number:05d}.parquet", buffer.getvalue())
            held = []


def _label(bucket: Bucket, number: int, rows: pa.Table) -> None:
    at = times.to_millis(DAY + timedelta(days=2)) + np.arange(rows.num_rows)
    labels = rows.select(["prediction_id", "label"])
    buffer = io.BytesIO()
    pq.write_table(
        labels.append_column("observed_at", pa.array(at)).append_column(
            "received_at", pa.array(at)
        ),
        buffer,
    )
    day = (DAY + timedelta(days=2)).date()
    bucket.put(f"{keys.stream('labels', day)}{number:05d}.parquet", buffer.getvalue())


def read(folder: Path) -> Sample:
    """Stream and sample the day."""
    bucket = bucket_of(folder)
    models, start = Models(bucket), times.to_millis(DAY)
    contents = read_window(
        log=LogObjects(bucket),
        models=models,
        start=start,
        end=start + times.DAY_MS,
        sample_rows=SAMPLE_ROWS,
    )
    [sample] = contents.samples.values()
    return sample


def run_drift(folder: Path) -> Summary:
    """Run a whole drift run over the day. Nobody is notified."""
    bucket = bucket_of(folder)
    unused: Any = None
    [summary] = monitor(
        request=DriftRequest(window=Window.of_day(DAY.date()), scheduled=False, mail=False),
        now=DAY + timedelta(days=9),
        stores=Stores(models=bucket, predictions=bucket, reports=bucket),
        notifier=Notifier(
            mailer=unused,
            topic=unused,
            bus=unused,
            links=Links("https://localhost", ReportSecret("s" * 40)),
            stage="dev",
            command="ops",
        ),
        minimum_rows=300,
        sample_rows=SAMPLE_ROWS,
        owner="benchmark",
    )
    return summary


def largest_page(folder: Path, summary: Summary) -> int:
    """Return the bytes of the run's largest report."""
    bucket = bucket_of(folder)
    pages = [bucket.get(keys.report(summary.id, name)) for name in summary.reports]
    return max(len(page.data) for page in pages if page)


def main(step: str, folder: Path, rows: int, seed: int) -> None:
    """Run one step; the others read the log that `make` writes."""
    if step == "make":
        make(folder, rows, seed)
        return
    if step == "run":
        # The measurement begins after the imports.
        for name in ("evidently.presets", "scipy.stats", "sklearn.linear_model"):
            importlib.import_module(name)
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    began, cpu = time.perf_counter(), time.process_time()
    if step == "run":
        summary = run_drift(folder)
        print(f"seconds={time.perf_counter() - began:.3f} page={largest_page(folder, summary)}")
        assert (summary.rows.logged, summary.reports) == (rows, keys.REPORTS)
    else:
        assert read(folder).logged == rows
        print(f"speed={rows / (time.process_time() - cpu):.0f}")
    print(f"peak={read_peak() // 1024}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
