"""A day of both logs in many small objects, a versioned bucket, and what readers find in it."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.s3 import Bucket
from adapters.s3_versions import list_versions
from domain import keys, times
from domain.contract.contract import Contract
from domain.contract.records import LABEL_COLUMNS
from domain.retention import Retention
from domain.training.steps import Compacted
from tabular.arrow_types import ARROW_TYPES
from tests.unit.monitoring import DAY, NOON, log, publish_model, records, scored
from training_job.compaction import compact
from training_job.compaction.compact_request import GRACE_MS, CompactRequest

SOON = times.to_millis(DAY + 3 * times.DAY)
"""When the day is closed. The bucket's own clock is months ahead, so nothing is old enough yet."""
OBJECTS, ROWS = 30, 40
FOLDERS = tuple(keys.stream(name, DAY.date()) for name in ("log", "labels"))


class Killed(BaseException):
    """As a process that is killed: nothing of ours catches it."""


def make_bucket(name: str = "predictions") -> Bucket:
    """An empty one that keeps versions; moto must be active."""
    client = boto3.client("s3")
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return Bucket(client, name)


def fill(bucket: Bucket, contract: Contract, *, objects: int = OBJECTS) -> str:
    """Predictions, some of them twice, and labels for every second; returns the version."""
    version = publish_model(bucket, contract)
    frame = scored(objects * ROWS, seed=7)
    whole = records(frame, contract, version=version)
    for number in range(objects):
        first = number * ROWS
        part = whole.slice(first, ROWS)
        repeated = [part, whole.slice(max(0, first - 2), 2)]
        log(bucket, pa.concat_tables(repeated), name=f"{number:04d}")
        put_labels(bucket, part, frame["label"].to_numpy()[first : first + ROWS], number)
    return version


MALFORMED = {"probability": 2, "model_version": 3}
"""What `log_malformed` writes: rows by the reason why they can't be used."""


def log_malformed(bucket: Bucket, contract: Contract, *, version: str) -> None:
    """A small object with five rows that can't be used."""
    rows = records(scored(5, seed=8), contract, version=version, at=NOON + 1)
    changed = {
        "probability": [2.0, None, *[0.5] * 3],
        "model_version": [version] * 2 + ["9-00000000"] * 3,
    }
    for name, values in changed.items():
        place, kind = rows.column_names.index(name), rows.schema.field(name).type
        rows = rows.set_column(place, name, pa.array(values, kind))
    log(bucket, rows, name="malformed")


def put_labels(
    bucket: Bucket, rows: pa.Table, labels: "np.typing.NDArray[Any]", number: int
) -> None:
    """Labels of every second row, as Firehose stores them."""
    schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in LABEL_COLUMNS.items()])
    found = [
        {"prediction_id": one, "label": bool(label), "observed_at": NOON, "received_at": NOON + 1}
        for one, label in zip(rows["prediction_id"].to_pylist()[::2], labels[::2], strict=True)
    ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(found, schema=schema), sink)
    bucket.put(f"{FOLDERS[1]}{number:04d}.parquet", sink.getvalue())


def run(
    bucket: Bucket,
    *,
    later: bool = False,
    retention: Retention | None = None,
    say: Callable[[str], None] = lambda _: None,
    **request: Any,
) -> Compacted:
    """Compact; `later`: when the sources of what was merged may be deleted."""
    now = time.time_ns() // 1_000_000 + GRACE_MS + 60_000
    days = (times.from_millis(now) - DAY).days if later else 7
    return compact.compact(
        request=CompactRequest(**{"days": days, **request}),
        predictions=bucket,
        retention=retention or Retention(),
        now=now if later else SOON,
        say=say,
    )


def names(bucket: Bucket, folder: str = FOLDERS[0]) -> list[str]:
    """The objects of a day's folder."""
    return [entry.key.removeprefix(folder) for entry in bucket.list(folder)]


def merged_in(bucket: Bucket, folder: str = FOLDERS[0]) -> list[str]:
    """The merged ones among them."""
    return [name for name in names(bucket, folder) if name.startswith("compact-")]


def distinct_rows(bucket: Bucket) -> set[str]:
    """Every row of both logs, as a reader may find it."""
    tables = [
        pq.read_table(pa.BufferReader(stored.data))
        for folder in FOLDERS
        for entry in bucket.list(folder)
        if (stored := bucket.get(entry.key)) is not None
    ]
    return {repr(sorted(row.items())) for table in tables for row in table.to_pylist()}


def version_keys(bucket: Bucket) -> set[str]:
    """The keys of everything of which a version is left."""
    return {version.key for version in list_versions(bucket)}


@contextmanager
def killed(bucket: Bucket, number: int, *, after: bool) -> Iterator[list[str]]:
    """Kill whoever writes before or after the write of that number, from 0; yields the writes."""
    events, seen = bucket.client.meta.events, list[str]()

    def before(model: Any, **_: Any) -> None:
        if len(seen) >= number + after:  # other threads don't outlive it either
            raise Killed
        seen.append(model.name)

    def done(**_: Any) -> None:
        if after and len(seen) > number:
            raise Killed

    writes = ("PutObject", "DeleteObject", "DeleteObjects")
    for operation in writes:
        events.register(f"before-call.s3.{operation}", before, unique_id=f"kill-{operation}")
        events.register(f"after-call.s3.{operation}", done, unique_id=f"killed-{operation}")
    try:
        yield seen
    finally:
        for operation in writes:
            events.unregister(f"before-call.s3.{operation}", unique_id=f"kill-{operation}")
            events.unregister(f"after-call.s3.{operation}", unique_id=f"killed-{operation}")
