"""A compaction of a day's log: what it takes, and what it saves those who read the day.

A folder stands in for the bucket, so no time of a server or a network is measured; the number of
requests says what these would add. Each merge runs in a process of its own, whose peak includes
Python and its libraries. ``--rows`` measures a larger or a smaller day.

The day of 1,440 objects is also read and sampled before its compaction, between the two calls, and
after them, with the same result.
"""

import argparse
import io
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.s3 import Bucket
from benchmarks.harness import Figure, main, measure_alone
from benchmarks.monitoring import cost
from domain import keys, times
from domain.retention import Retention
from domain.training.steps import Compacted
from tabular.log_objects import LogObjects
from tabular.models import Models
from tabular.reading import read_window
from tabular.sample import SampledRows
from training_job.compaction.compact import SMALL_BYTES, compact
from training_job.compaction.compact_request import GRACE_MS, CompactRequest

OBJECTS = 1_440
"""One a minute."""
READ_ROWS = 70 * OBJECTS
ROWS = 1_000_000
LARGE_OBJECTS = 30
LARGE_ROWS = 280_000
"""Rows of an object that is just small enough to be merged: it takes the most memory."""
COUNTED = ("get_object", "put_object", "delete_objects", "download_file", "paginate")
FOLDER = keys.stream("log", cost.DAY.date())
MERGED_AT = times.to_millis(cost.DAY + 3 * times.DAY)


class CountedFolders(cost.Folders):
    """Counts the calls of S3 that are made."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.calls: Counter[str] = Counter()

    def __getattribute__(self, name: str) -> Any:
        """Count a call of S3 when its method is looked up."""
        if name in COUNTED:
            object.__getattribute__(self, "calls")[name] += 1
        return object.__getattribute__(self, name)


class Measured(NamedTuple):
    """What a piece of work returned and took: CPU seconds and calls of S3."""

    result: Any
    seconds: float
    requests: int


def measure(seed: int, rows: int = ROWS) -> Iterator[Figure]:
    """Merge days of several shapes; read one of them before, between and after."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        yield from _measure_reading(Path(name), seed)
    for objects, of_each in (
        (OBJECTS, rows // OBJECTS),
        (OBJECTS, 4 * rows // OBJECTS),
        (LARGE_OBJECTS, LARGE_ROWS),
    ):
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            yield from _measure_merge(Path(name), seed, objects, of_each)


def _measure_reading(folder: Path, seed: int) -> Iterator[Figure]:
    measure_alone(_make, folder, seed, OBJECTS, READ_ROWS // OBJECTS)
    client: Any = CountedFolders(folder)
    bucket = Bucket(client, "bucket")
    deleted_at = time.time_ns() // 1_000_000 + GRACE_MS + 60_000
    steps: dict[str, Callable[[], Any]] = {
        "reading before": lambda: _read(bucket),
        "merging": lambda: _compact(bucket, now=MERGED_AT),
        "reading between": lambda: _read(bucket),
        "deleting": lambda: _compact(bucket, now=deleted_at),
        "reading after": lambda: _read(bucket),
    }
    found = {step: _measure(client, work) for step, work in steps.items()}
    for step, one in found.items():
        what = f"{OBJECTS:,} objects of {READ_ROWS // OBJECTS} rows, {step}"
        yield Figure(f"{what}: CPU seconds", one.seconds, "s")
        yield Figure(f"{what}: requests", one.requests, "")
    samples = [one.result for step, one in found.items() if step.startswith("reading")]
    assert [one.logged for one in samples] == [READ_ROWS] * 3
    tables = [one.table.sort_by("prediction_id") for one in samples]
    assert tables[0].equals(tables[1]) and tables[0].equals(tables[2])


def _measure(client: CountedFolders, work: Callable[[], Any]) -> Measured:
    client.calls.clear()
    cpu = time.process_time()
    done = work()
    return Measured(done, time.process_time() - cpu, client.calls.total())


def _measure_merge(folder: Path, seed: int, objects: int, rows: int) -> Iterator[Figure]:
    largest, _, _ = measure_alone(_make, folder, seed, objects, rows)
    assert largest <= SMALL_BYTES
    done, seconds, peak = measure_alone(_merge, folder)
    assert (objects, objects * rows) == (done.merged, done.rows)
    what = f"{objects * rows / 1e6:.3g} M rows in {objects:,} objects"
    yield Figure(f"{what}: merge, rows/s per core", done.rows / seconds, "rows/s", ">= 100000")
    # The task has 2 GiB; half of it is left for what the machine and wider rows add.
    yield Figure(f"{what}: merge, peak memory", peak / 1e9, "GB", "<= 1.0")


def _make(folder: Path, seed: int, objects: int, rows: int) -> tuple[int, float]:
    """Write the day in small objects of so many rows each; returns the bytes of the largest."""
    cpu = time.process_time()
    cost.make(folder, READ_ROWS, seed)
    bucket = cost.bucket_of(folder)
    [made] = bucket.list(FOLDER)
    bucket.delete_all([made.key])
    [model] = {key.removeprefix(keys.BUNDLES).partition("/")[0] for key in _list_bundles(bucket)}
    held, chunks, largest = pa.table({}), cost.logged(objects * rows, seed, model), 0
    for number in range(objects):
        while held.num_rows < rows:
            more = next(chunks).drop_columns(["label"])
            held = pa.concat_tables([held, more]).combine_chunks() if held.num_rows else more
        sink = io.BytesIO()
        pq.write_table(held.slice(0, rows), sink, compression="snappy")
        held = held.slice(rows)
        bucket.put(f"{FOLDER}{number:05d}.parquet", sink.getvalue())
        largest = max(largest, len(sink.getvalue()))
    return largest, time.process_time() - cpu


def _list_bundles(bucket: Bucket) -> list[str]:
    return [entry.key for entry in bucket.list(keys.BUNDLES)]


def _read(bucket: Bucket) -> SampledRows:
    """Stream and sample the day."""
    start = times.to_millis(cost.DAY)
    contents = read_window(
        log=LogObjects(bucket),
        models=Models(bucket),
        start=start,
        end=start + times.DAY_MS,
        sample_rows=READ_ROWS * 2,
    )
    [sample] = contents.samples.values()
    return sample.finish()


def _merge(folder: Path) -> tuple[Compacted, float]:
    """Merge the day, as the task does."""
    cpu = time.process_time()
    done = _compact(cost.bucket_of(folder), now=MERGED_AT)
    return done, time.process_time() - cpu


def _compact(bucket: Bucket, *, now: int) -> Compacted:
    """Compact whatever is closed then (UTC milliseconds)."""
    done = compact(
        request=CompactRequest(days=(times.from_millis(now) - cost.DAY).days),
        predictions=bucket,
        retention=Retention(),
        now=now,
        say=lambda _: None,
    )
    assert done.merged or done.deleted
    return done


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--rows", type=int, default=ROWS)
    args, sys.argv[1:] = parser.parse_known_args()
    main("compaction", lambda seed: measure(seed, args.rows))
