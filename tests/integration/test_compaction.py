"""A compaction on the emulator: Athena's views say the same before, between and after."""

import json
import time
from collections.abc import Callable
from typing import Any

from adapters.athena import Athena
from adapters.s3 import Bucket
from adapters.s3_versions import list_versions
from domain import keys, times
from domain.contract.contract import Contract
from domain.contract.records import LABEL_COLUMNS, LabelRecord, prediction_log_columns
from domain.retention import Retention
from domain.training.steps import Compacted
from ops.sql_views import expand_views
from stacks.storage.day_table import JSON, PARQUET
from tests.integration.record_streams import create_stream
from tests.repository import CONTRACT_TOML
from tests.unit.monitoring import DAY, records, scored
from tests.unit.training_job.compaction.world import FOLDERS, OBJECTS, ROWS, fill
from training_job.compaction.compact import LEAST_OBJECTS, compact
from training_job.compaction.compact_request import GRACE_MS, CompactRequest

CONTRACT = Contract.parse(CONTRACT_TOML.read_text())
QUESTIONS = (
    "SELECT * FROM predictions ORDER BY prediction_id",
    "SELECT * FROM outcomes ORDER BY prediction_id",
    "SELECT * FROM labelled ORDER BY prediction_id",
    "label_coverage",
)


def _create_tables(aws: Callable[[str], Any], bucket: Bucket) -> Athena:
    """Both logs with their fallbacks, as the Storage stack makes them."""
    name = bucket.name.replace("-", "_")
    aws("glue").create_database(DatabaseInput={"Name": name})
    logs = {
        "prediction_log": ("log", prediction_log_columns(CONTRACT)),
        "labels": ("labels", LABEL_COLUMNS),
    }
    for table, (log, columns) in logs.items():
        for suffix, place, kind in (("", "", PARQUET), ("_fallback", keys.FALLBACK, JSON)):
            listed = [{"Name": column, "Type": of} for column, of in columns.items()]
            descriptor = {
                "Columns": listed,
                "Location": f"s3://{bucket.name}/{place}{log}/",
                "InputFormat": kind.input_format,
                "OutputFormat": kind.output_format,
                "SerdeInfo": {"SerializationLibrary": kind.library},
            }
            aws("glue").create_table(
                DatabaseName=name,
                TableInput={
                    "Name": f"{table}{suffix}",
                    "PartitionKeys": [{"Name": "dt", "Type": "string"}],
                    "StorageDescriptor": descriptor,
                },
            )
    results = {"OutputLocation": f"s3://{bucket.name}/athena/"}
    aws("athena").create_work_group(Name=name, Configuration={"ResultConfiguration": results})
    return Athena(aws("athena"), name, name)


def _ask(athena: Athena) -> list[list[list[str | None]]]:
    return [list(athena.query(expand_views(question))[1]) for question in QUESTIONS]


def _compact(bucket: Bucket, *, later: bool = False) -> Compacted:
    now = time.time_ns() // 1_000_000 + (GRACE_MS + 60_000) * later
    return compact(
        request=CompactRequest(days=3_000),
        predictions=bucket,
        retention=Retention(),
        now=now,
        say=lambda _: None,
    )


def test_the_views_say_the_same_before_between_and_after(
    aws: Callable[[str], Any], bucket: Bucket
) -> None:
    bucket.client.put_bucket_versioning(
        Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"}
    )
    version = fill(bucket, CONTRACT)
    extra = records(scored(1, seed=9), CONTRACT, version=version, at=times.to_millis(DAY) + 1)
    label = LabelRecord(label=True, observed_at=1, received_at=1, prediction_id="nobody's")
    (row,) = extra.to_pylist()
    bucket.put(keys.fallback("log", DAY.date(), "a"), json.dumps(row).encode())
    bucket.put(keys.fallback("labels", DAY.date(), "a"), label.to_json())
    athena = _create_tables(aws, bucket)
    before = _ask(athena)
    assert [OBJECTS * ROWS + 1, OBJECTS * ROWS // 2 + 1] == [len(rows) for rows in before[:2]]
    assert 2 * OBJECTS == _compact(bucket).merged
    assert before == _ask(athena)
    assert 2 * OBJECTS == _compact(bucket, later=True).deleted
    assert [1, 1] == [len(list(bucket.list(folder))) for folder in FOLDERS]
    assert before == _ask(athena)
    kept = [one for one in list_versions(bucket, FOLDERS[0]) if not one.is_latest]
    assert OBJECTS == len(kept)  # can be recovered


def test_what_firehose_writes_is_merged(aws: Callable[[str], Any], bucket: Bucket) -> None:
    stream = create_stream(aws, bucket, "labels", LABEL_COLUMNS)
    for number in range(LEAST_OBJECTS):
        one = LabelRecord(
            label=True, observed_at=number, received_at=number, prediction_id=str(number)
        )
        aws("firehose").put_record(DeliveryStreamName=stream, Record={"Data": one.to_json()})
    today = times.from_millis(time.time_ns() // 1_000_000).date()
    deadline = time.monotonic() + 30
    while (found := len(list(bucket.list("labels/")))) < LEAST_OBJECTS:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    done = compact(
        request=CompactRequest(days=7),
        predictions=bucket,
        retention=Retention(),
        now=times.to_millis(times.start_of(today) + 3 * times.DAY),
        say=lambda _: None,
    )
    assert (LEAST_OBJECTS, 1, 0) == (done.merged, done.objects, done.left)
