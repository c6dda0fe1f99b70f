"""Before a training starts: whether its tasks are large enough for the rows in raw/."""

import gzip
import io
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from adapters.s3 import Bucket
from ops import executions
from ops.bill import training_size
from ops.bill.training_size import estimate_rows, find_shortage
from ops.commands.models import train

CSV = b"age,diabetes\n" + b"".join(b"%d,0\n" % (20 + row % 60) for row in range(50_000))


class Deployed:
    """A stage whose training task has 2 vCPUs and 8 GB; `environment` is the task's."""

    laptop: Any = None
    names = SimpleNamespace(training="circle-dev-training")

    def __init__(
        self, bucket: Bucket | None = None, environment: dict[str, str] | None = None
    ) -> None:
        self._bucket, self._environment = bucket, environment or {}
        self.error: Exception | None = None

    def bucket(self, _: str) -> Any:
        return self._bucket

    def client(self, _: str) -> Any:
        return self

    def describe_task_definition(self, *, taskDefinition: str) -> Any:
        assert taskDefinition == self.names.training
        if self.error:
            raise self.error
        variables = [{"name": n, "value": v} for n, v in self._environment.items()]
        return {
            "taskDefinition": {
                "cpu": "2048",
                "memory": "8192",
                "containerDefinitions": [{"environment": variables}],
            }
        }


def _parquet(rows: int) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"age": list(range(rows))}), buffer)
    return buffer.getvalue()


def test_rows_are_estimated_by_the_largest_file_of_each_format(moto_bucket: Bucket) -> None:
    files = {
        "raw/a.csv": CSV,
        "raw/b/c.CSV": CSV[: len(CSV) // 2],
        "raw/d.csv.gz": gzip.compress(CSV),
        "raw/e.parquet": _parquet(30_000),
        "raw/f.parquet": _parquet(30_000),
        "raw/_temporary/g.csv": CSV,
        "raw/notes.txt": CSV,
        "raw/empty.csv": b"",
        "scoring/h.csv": CSV,
    }
    for key, data in files.items():
        moto_bucket.put(key, data)
    assert pytest.approx(185_000, rel=0.03) == estimate_rows(moto_bucket, "raw/")
    assert pytest.approx(50_000, rel=0.01) == estimate_rows(moto_bucket, "raw/a.csv")
    assert 0 == estimate_rows(moto_bucket, "raw/none/")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.parquet"])
def test_a_file_that_cannot_be_read_counts_nothing(moto_bucket: Bucket, name: str) -> None:
    moto_bucket.put(f"raw/{name}", b"damaged")
    assert 0 == estimate_rows(moto_bucket, "raw/")


@pytest.mark.parametrize(
    ("rows", "asked", "environment", "named"),
    [
        (1_000_000, {}, {}, None),
        (100_000_000, {}, {}, "training_memory"),
        (30_000_000, {"trials": 500}, {}, "tune would take"),
        (30_000_000, {}, {"TRIALS": "500"}, "tune would take"),
        (10**9, {"engine": "dask", "workers": 2}, {}, "a task has 8 GB"),
        (10**9, {}, {"ENGINE": "dask", "WORKERS": "2"}, "engine dask, workers"),
        (10_000_000, {"engine": "dask", "workers": 4}, {}, None),
        (10**9, {"engine": "dask", "scheduler": "tcp://10.0.0.7:8786"}, {}, None),
        (10**9, {}, {"ENGINE": "dask", "SCHEDULER": "tcp://10.0.0.7:8786"}, None),
    ],
)
def test_a_shortage_is_one_sentence_with_the_settings_to_choose(
    monkeypatch: pytest.MonkeyPatch,
    rows: int,
    asked: dict[str, Any],
    environment: dict[str, str],
    named: str | None,
) -> None:
    monkeypatch.setattr(training_size, "estimate_rows", lambda *_: rows)
    target: Any = Deployed(environment=environment)
    found = find_shortage(target, **asked)
    assert (named is None) == (found is None)
    if found is not None and named is not None:
        assert named in found
        assert f"{rows:,} rows" in found
        assert "training_cpu" in found
        assert "docs/capacity.md" in found


def test_on_this_machine_its_own_memory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_size, "estimate_rows", lambda *_: 100_000_000)
    monkeypatch.setattr(training_size, "_machine_mib", lambda: 1024 * 1024)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    target: Any = Deployed()
    target.laptop = object()
    assert find_shortage(target) is None


def test_what_cannot_be_asked_is_no_shortage(moto_bucket: Bucket) -> None:
    target: Any = Deployed(moto_bucket)
    target.error = ClientError({"Error": {"Code": "AccessDenied"}}, "DescribeTaskDefinition")
    assert find_shortage(target) is None


def test_a_training_starts_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training_size, "estimate_rows", lambda *_: 500_000_000)
    monkeypatch.setattr(executions, "find_running", lambda *_: None)
    monkeypatch.setattr(executions, "start", lambda *_: "arn")
    target: Any = Deployed()
    assert {"execution": "arn"} == train.run(target, no_wait=True).data
    assert "raw/ holds about 500,000,000 rows" in capsys.readouterr().err
