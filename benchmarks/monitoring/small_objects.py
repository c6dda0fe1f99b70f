"""``python -m benchmarks.monitoring.small_objects``: a day of 1,440 small objects, compacted.

The day holds 100,800 predictions, one object a minute. It is read and sampled before its
compaction, between the two calls, and after them. A folder stands in for the bucket, so no time of
a server or a network is measured; the number of requests says what these would add.

Prints ``name=value`` pairs: `seconds` of CPU time, and `requests`.
"""

import io
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.s3 import Bucket
from benchmarks.monitoring import cost
from domain import keys, times
from domain.retention import Retention
from tabular.log_objects import LogObjects
from tabular.models import Models
from tabular.reading import read_window
from tabular.sample import SampledRows
from training_job.compaction.compact import GRACE_MS, compact
from training_job.compaction.compact_request import CompactRequest

OBJECTS = 1_440
ROWS = 70 * OBJECTS
SEED = 1
COUNTED = ("get_object", "put_object", "delete_objects", "download_file", "paginate")


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


def make(folder: Path) -> None:
    """Write the day in small objects."""
    cost.make(folder, ROWS, SEED)
    bucket = cost.bucket_of(folder)
    day = keys.stream("log", cost.DAY.date())
    large = [entry.key for entry in bucket.list(day)]
    tables = [pq.read_table(folder / "bucket" / key, partitioning=None) for key in large]
    whole = pa.concat_tables(tables)
    bucket.delete_all(large)
    for number in range(OBJECTS):
        sink = io.BytesIO()
        rows = ROWS // OBJECTS
        pq.write_table(whole.slice(number * rows, rows), sink, compression="snappy")
        bucket.put(f"{day}{number:05d}.parquet", sink.getvalue())


def read(bucket: Bucket) -> SampledRows:
    """Stream and sample the day."""
    start = times.to_millis(cost.DAY)
    contents = read_window(
        log=LogObjects(bucket),
        models=Models(bucket),
        start=start,
        end=start + times.DAY_MS,
        sample_rows=ROWS * 2,
    )
    [sample] = contents.samples.values()
    return sample.finish()


def run(bucket: Bucket, *, now: int) -> None:
    """Compact whatever is closed then (UTC milliseconds)."""
    days = (times.from_millis(now) - cost.DAY).days
    done = compact(
        request=CompactRequest(days=days),
        predictions=bucket,
        retention=Retention(),
        now=now,
        say=lambda _: None,
    )
    assert OBJECTS in (done.merged, done.deleted)


def main() -> None:
    """Read, merge, read, delete, read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        client: Any = CountedFolders(folder)
        bucket = Bucket(client, "bucket")
        found = [_measure("before", client, lambda: read(bucket))]
        merged_at = times.to_millis(cost.DAY + 3 * times.DAY)
        _measure("merge", client, lambda: run(bucket, now=merged_at))
        found.append(_measure("between", client, lambda: read(bucket)))
        deleted_at = time.time_ns() // 1_000_000 + GRACE_MS + 60_000
        _measure("delete", client, lambda: run(bucket, now=deleted_at))
        found.append(_measure("after", client, lambda: read(bucket)))
        assert [one.logged for one in found] == [ROWS, 2 * ROWS, ROWS]
        tables = [one.table.sort_by("prediction_id") for one in found]
        assert tables[0].equals(tables[1]) and tables[0].equals(tables[2])


def _measure(what: str, client: CountedFolders, work: Any) -> Any:
    client.calls.clear()
    cpu = time.process_time()
    done = work()
    seconds = time.process_time() - cpu
    print(f"{what}: seconds={seconds:.2f} requests={client.calls.total()}", flush=True)
    return done


if __name__ == "__main__":
    main()
