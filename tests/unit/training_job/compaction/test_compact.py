"""A day of small objects becomes one, and no reader finds a row less or counts one twice."""

import io
import pickle
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.s3 import Bucket, Listed
from domain import keys, times
from domain.contract.contract import Contract
from domain.drift.summary import Summary
from domain.retention import Retention
from lambdas.retrain_guard.retrain import Training
from monitoring_job.reports import reports
from stacks.training.task_state import TIMEOUT_HOURS
from tabular.footers import count_rows
from tabular.labelled import LabelledRows, read_labelled
from tabular.log_objects import Damage, LogObjects
from tabular.log_queries import LogQueries
from tabular.log_rows import find_rows
from tabular.merged_objects import ListedMerged, read_merged
from tabular.models import Models
from tabular.reading import read_window
from tests.unit.monitoring import DAY, NOON, World, log, records, scored
from tests.unit.tabular.test_log_queries import DuckAthena
from tests.unit.training_job.compaction.world import (
    FOLDERS,
    MALFORMED,
    OBJECTS,
    ROWS,
    SOON,
    distinct_rows,
    fill,
    killed,
    log_malformed,
    make_bucket,
    merged_in,
    names,
    run,
    version_keys,
)
from training_job.compaction import compact
from training_job.compaction.compact import LEAST_OBJECTS
from training_job.compaction.compact_request import GRACE_MS, CompactRequest
from training_job.compaction.merging import write_merged
from training_job.errors import BadInput
from training_job.evaluation.replay import LoggedRequests, sample_requests

START = times.to_millis(DAY)


@pytest.fixture
def bucket(moto_aws: None) -> Bucket:
    return make_bucket()


@pytest.fixture
def no_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data_drift", "prediction_drift", "target_drift", "performance"):
        monkeypatch.setattr(reports, name, lambda **_: "a page")


def test_small_objects_are_merged_first_and_deleted_once_nobody_reads_them(
    bucket: Bucket, contract: Contract
) -> None:
    fill(bucket, contract)
    rows = distinct_rows(bucket)
    first = run(bucket)
    assert (2 * OBJECTS, 2, 0) == (first.merged, first.objects, first.deleted)
    assert OBJECTS * (ROWS + 2) + OBJECTS * ROWS // 2 == first.rows
    assert [OBJECTS + 1] * 2 == [len(names(bucket, folder)) for folder in FOLDERS]
    assert rows == distinct_rows(bucket)
    again = run(bucket)
    assert (0, 0, 0) == (again.merged, again.objects, again.deleted)
    last = run(bucket, later=True)
    assert (0, 2 * OBJECTS) == (last.merged, last.deleted)
    assert [1, 1] == [len(merged_in(bucket, folder)) for folder in FOLDERS]
    assert [1, 1] == [len(names(bucket, folder)) for folder in FOLDERS]
    assert rows == distinct_rows(bucket)
    nothing = run(bucket, later=True)
    assert (0, 0, 0, 0) == (nothing.merged, nothing.deleted, nothing.withdrawn, nothing.left)


def test_sources_are_deleted_however_long_ago_they_were_merged(
    bucket: Bucket, contract: Contract
) -> None:
    fill(bucket, contract)
    run(bucket)
    assert 2 * OBJECTS == run(bucket, later=True, days=2).deleted
    assert [1, 1] == [len(names(bucket, folder)) for folder in FOLDERS]


def test_what_was_deleted_can_be_recovered(bucket: Bucket, contract: Contract) -> None:
    fill(bucket, contract)
    before = version_keys(bucket)
    run(bucket)
    run(bucket, later=True)
    assert before < version_keys(bucket)


def test_a_merged_object_has_the_types_of_the_logs_table_and_names_its_sources(
    bucket: Bucket, contract: Contract
) -> None:
    fill(bucket, contract)
    run(bucket)
    [entry] = [e for e in bucket.list(FOLDERS[0]) if keys.parse_compacted(e.key)]
    one = read_merged(bucket, entry)
    assert one is not None
    assert [f"{number:04d}.parquet" for number in range(OBJECTS)] == [s.name for s in one.sources]
    stored = {e.key.removeprefix(FOLDERS[0]): e for e in bucket.list(FOLDERS[0])}
    assert [stored[s.name].etag for s in one.sources] == [s.etag for s in one.sources]
    assert sum(s.rows for s in one.sources) == one.rows == count_rows(bucket, entry.key)
    newest = max(times.to_millis(stored[s.name].modified) for s in one.sources)
    assert newest == keys.parse_compacted(entry.key)
    found = bucket.get(entry.key)
    assert found is not None
    merged = pq.read_table(pa.BufferReader(found.data))
    small = bucket.get(f"{FOLDERS[0]}0000.parquet")
    assert small is not None
    kinds = pq.read_schema(pa.BufferReader(small.data))
    assert [(f.name, f.type) for f in kinds] == [(f.name, f.type) for f in merged.schema]


def _summaries(bucket: Bucket, contract: Contract, queries: LogQueries | None) -> list[Summary]:
    world = World(bucket, contract)
    world.queries = queries
    return world.run()


@pytest.mark.usefixtures("no_pages")
@pytest.mark.parametrize("by_sql", [False, True])
def test_a_drift_run_finds_the_same_before_between_and_after(
    bucket: Bucket, contract: Contract, tmp_path: Path, by_sql: bool
) -> None:
    log_malformed(bucket, contract, version=fill(bucket, contract))

    def read(place: str) -> list[Summary]:
        athena: Any = DuckAthena(bucket, tmp_path / place)
        return _summaries(bucket, contract, LogQueries(athena, 0) if by_sql else None)

    [before] = read("before")
    run(bucket)
    [between] = read("between")
    run(bucket, later=True)
    [after] = read("after")
    assert before == after
    assert OBJECTS * ROWS == before.rows.distinct
    assert MALFORMED == before.rows.malformed
    assert _without_copies(before) == _without_copies(between)
    # Athena's table holds the sources and the merged object.
    twice = OBJECTS * (ROWS + 2) if by_sql else 0
    assert before.rows.copies + twice == between.rows.copies


def _without_copies(summary: Summary) -> Any:
    return replace(summary, rows=replace(summary.rows, logged=0, copies=0))


def _read(bucket: Bucket, entries: Iterable[Listed]) -> tuple[int, Damage]:
    """How many rows are in these objects, and what can't be read."""
    damage = Damage()
    return sum(batch.rows for batch in LogObjects(bucket).read_batches(entries, damage)), damage


def _list(bucket: Bucket, stream: str = "log") -> list[Listed]:
    return list(LogObjects(bucket).list_objects([DAY.date()], stream=stream))


@pytest.mark.parametrize(("stream", "rows"), [("log", ROWS + 2), ("labels", ROWS // 2)])
def test_between_merge_and_delete_a_reader_opens_the_merged_object_alone(
    bucket: Bucket, contract: Contract, stream: str, rows: int
) -> None:
    version = fill(bucket, contract)
    sources = _list(bucket, stream)
    run(bucket)
    log(bucket, records(scored(3, seed=9), contract, version=version, at=START), name="late")
    merged, *late = _list(bucket, stream)
    assert isinstance(merged, ListedMerged)
    assert tuple(sources) == merged.sources
    assert (stream == "log") == len(late)
    assert (OBJECTS * rows, Damage()) == _read(bucket, [merged])


@pytest.mark.parametrize("damaged", [False, True], ids=["withdrawn", "damaged"])
def test_where_a_listed_merged_object_cannot_be_read_its_sources_are(
    bucket: Bucket, contract: Contract, damaged: bool
) -> None:
    version = fill(bucket, contract)
    run(bucket)
    listed = _list(bucket)
    [merged] = pickle.loads(pickle.dumps(listed))  # noqa: S301 - as a worker of a cluster gets it
    bucket.delete(merged.key)
    if damaged:
        bucket.put(merged.key, b"damaged")
    rows, damage = _read(bucket, [merged])
    assert OBJECTS * (ROWS + 2) == rows
    assert {merged.key: 1} == damage.unreadable
    source = LogObjects(bucket)
    kept: Any = SimpleNamespace(list_objects=lambda _: listed, bucket=source.bucket)
    found = list(find_rows(kept, DAY.date(), {f"{version}/{NOON}/{ROWS}"}))
    assert [f"{version}/{NOON}/{ROWS}"] == [row["prediction_id"] for row in found]


@pytest.mark.parametrize("what", ["is gone", "has changed", "holds less"])
def test_where_an_erasure_or_a_delete_was_cut_off_everything_is_read(
    bucket: Bucket, contract: Contract, what: str
) -> None:
    fill(bucket, contract)
    run(bucket)
    [merged] = merged_in(bucket)
    key = f"{FOLDERS[0]}{merged if what == 'holds less' else '0001.parquet'}"
    stored = bucket.get(key)
    assert stored is not None
    whole = pq.read_table(pa.BufferReader(stored.data))
    bucket.delete(key)
    if what != "is gone":
        sink = io.BytesIO()
        pq.write_table(whole.slice(1), sink)
        bucket.put(key, sink.getvalue())
    assert names(bucket) == [entry.key.removeprefix(FOLDERS[0]) for entry in _list(bucket)]


def test_a_sample_that_is_limited_is_the_same_between_merge_and_delete(
    bucket: Bucket, contract: Contract
) -> None:
    fill(bucket, contract)

    def sample() -> Any:
        found = read_window(
            log=LogObjects(bucket),
            models=Models(bucket),
            start=START,
            end=START + times.DAY_MS,
            sample_rows=OBJECTS * ROWS // 3,
        )
        [one] = found.samples.values()
        return one.finish()

    before = sample()
    run(bucket)
    between = sample()
    assert before.logged == between.logged
    assert before.table.sort_by("prediction_id") == between.table.sort_by("prediction_id")


def _labelled(bucket: Bucket, contract: Contract) -> LabelledRows:
    return read_labelled(
        log=LogObjects(bucket),
        models=Models(bucket),
        contract=contract,
        start=START,
        end=START + times.DAY_MS,
        now=START + 2 * times.DAY_MS,
    )


def _requests(bucket: Bucket, contract: Contract) -> tuple[list[str], int]:
    requests = LoggedRequests(
        LogObjects(bucket), Models(bucket), start=START, end=START + times.DAY_MS
    )
    found = sample_requests(requests, contract, most_rows=100_000)
    assert OBJECTS * ROWS == found.logged
    return found.table["prediction_id"].to_pylist(), found.logged


@pytest.mark.parametrize(
    "read",
    [
        lambda bucket, contract: _describe(_labelled(bucket, contract)),
        _requests,
    ],
    ids=["production rows", "replay"],
)
def test_a_training_reads_the_same_before_between_and_after(
    bucket: Bucket, contract: Contract, read: Callable[[Bucket, Contract], Any]
) -> None:
    fill(bucket, contract)
    before = read(bucket, contract)
    run(bucket)
    assert before == read(bucket, contract)
    run(bucket, later=True)
    assert before == read(bucket, contract)


def _describe(found: LabelledRows) -> Any:
    assert OBJECTS * ROWS == found.coverage.predictions
    assert OBJECTS * ROWS // 2 == found.coverage.labelled
    ids = found.table["prediction_id"].to_pylist()
    return sorted(zip(ids, found.labels.tolist(), found.weights.tolist(), strict=True))


def test_predictions_without_a_label_are_counted_once(bucket: Bucket, contract: Contract) -> None:
    fill(bucket, contract)
    run(bucket)
    for entry in list(bucket.list("labels/")):
        bucket.delete(entry.key)
    assert OBJECTS * ROWS == _labelled(bucket, contract).coverage.predictions


@pytest.mark.parametrize(
    ("age_days", "merged"), [(0, 0), (1, 0), (2, 2 * OBJECTS), (7, 2 * OBJECTS), (8, 0)]
)
def test_a_day_is_merged_once_it_is_closed_and_soon_after(
    bucket: Bucket, contract: Contract, age_days: int, merged: int
) -> None:
    fill(bucket, contract)
    now = times.to_millis(DAY) + age_days * times.DAY_MS + times.HOUR_MS
    found = compact.compact(
        request=CompactRequest(days=7),
        predictions=bucket,
        retention=Retention(log=35, labels=35),
        now=now,
        say=lambda _: None,
    )
    assert merged == found.merged


def test_the_logs_retention_bounds_how_old_a_merged_row_may_be(bucket: Bucket) -> None:
    with pytest.raises(BadInput, match="at most 7"):
        run(bucket, days=8, retention=Retention(log=35))
    assert 0 == run(bucket, days=8, retention=Retention(reports=35)).merged


def test_the_grace_is_longer_than_any_step_that_lists_the_log_and_then_reads_it() -> None:
    reading = max(TIMEOUT_HOURS[step] for step in ("prepare", "evaluate"))
    assert reading * times.HOUR_MS * 2 < GRACE_MS


def test_few_objects_large_ones_and_the_fallback_stay_as_they_are(
    bucket: Bucket, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = fill(bucket, contract, objects=LEAST_OBJECTS - 1)
    before = version_keys(bucket)
    assert 0 == run(bucket).merged
    monkeypatch.setattr(compact, "SMALL_BYTES", 50_000)
    large = records(scored(5_000, seed=8), contract, version=version, at=START)
    log(bucket, large, name="large")
    log(bucket, large.slice(0, 5), name="one-more")
    fallback = keys.fallback("log", DAY.date(), "a")
    bucket.put(fallback, b"{}\n")
    assert LEAST_OBJECTS == run(bucket).merged
    run(bucket, later=True)
    assert ["large.parquet"] == [n for n in names(bucket) if not n.startswith("compact-")]
    assert before | {fallback} < version_keys(bucket)


def test_a_dry_run_says_the_same_and_writes_nothing(bucket: Bucket, contract: Contract) -> None:
    fill(bucket, contract)
    with killed(bucket, 0, after=False):
        planned = run(bucket, dry_run=True)
    done = run(bucket)
    assert (done.merged, done.objects) == (planned.merged, planned.objects)
    with killed(bucket, 0, after=False):
        planned = run(bucket, later=True, dry_run=True)
    assert run(bucket, later=True).deleted == planned.deleted


def test_objects_of_two_contract_versions_become_one_with_the_columns_of_both(
    bucket: Bucket, contract: Contract
) -> None:
    version = fill(bucket, contract)
    older = records(scored(3, seed=9), contract, version=version, at=START)
    newer = older.append_column("a_new_feature", pa.array([1.5, None, 2.5]))
    log(bucket, older.drop_columns(["reference", "bmi"]), name="older")
    log(bucket, newer, name="newer")
    nulls = older.set_column(older.column_names.index("bmi"), "bmi", pa.nulls(3))
    log(bucket, nulls, name="without-values")
    rows = _rows_without_nulls(bucket)
    assert OBJECTS + 3 == run(bucket).merged - OBJECTS
    assert 1 == len(merged_in(bucket))
    run(bucket, later=True)
    assert rows == _rows_without_nulls(bucket)


def _rows_without_nulls(bucket: Bucket) -> set[str]:
    tables = [
        pq.read_table(pa.BufferReader(stored.data))
        for entry in bucket.list(FOLDERS[0])
        if (stored := bucket.get(entry.key)) is not None
    ]
    return {
        repr(sorted((k, v) for k, v in row.items() if v is not None))
        for table in tables
        for row in table.to_pylist()
    }


def test_a_column_of_another_type_goes_into_an_object_of_its_own(
    bucket: Bucket, contract: Contract
) -> None:
    version = fill(bucket, contract)
    texts = records(scored(3, seed=9), contract, version=version, at=START)
    texts = texts.set_column(texts.column_names.index("age"), "age", pa.array(["a", "b", "c"]))
    for number in range(LEAST_OBJECTS):
        log(bucket, texts, name=f"text-{number:04d}")
    run(bucket)
    assert 2 == len(merged_in(bucket))
    strange = texts.append_column("at", pa.array([1, 2, 3], pa.timestamp("ms")))
    log(bucket, strange, name="strange")
    left = run(bucket, days=8)  # too few objects to be looked into
    assert 0 == left.left


@pytest.mark.parametrize("damage", ["not parquet", "cut off", "damaged inside", "a time"])
def test_a_damaged_object_is_named_and_never_deleted(
    bucket: Bucket, contract: Contract, damage: str
) -> None:
    version = fill(bucket, contract)
    table = records(scored(300, seed=9), contract, version=version, at=START)
    log(bucket, table, name="bad")
    key = f"{FOLDERS[0]}bad.parquet"
    stored = bucket.get(key)
    assert stored is not None
    data = bytearray(stored.data)
    if damage == "not parquet":
        data = bytearray(b"a patient's value")
    elif damage == "cut off":
        data = data[:-20]
    elif damage == "damaged inside":
        data[4 : len(data) // 2] = bytes(len(data) // 2 - 4)
    else:
        log(bucket, table.append_column("at", pa.array([1] * 300, pa.timestamp("ms"))), name="bad")
        data = bytearray((bucket.get(key) or stored).data)
    bucket.put(key, bytes(data))
    found = run(bucket)
    assert (2 * OBJECTS, 1) == (found.merged, found.left)
    assert found.reasons[0].startswith(f"{key}: ")
    assert "patient" not in found.reasons[0]
    run(bucket, later=True)
    assert ["bad.parquet"] == [n for n in names(bucket) if not n.startswith("compact-")]
    kept = bucket.get(key)
    assert kept is not None and bytes(data) == kept.data


def test_a_damaged_merged_object_stops_the_work_on_its_day(
    bucket: Bucket, contract: Contract
) -> None:
    fill(bucket, contract)
    run(bucket)
    [name] = merged_in(bucket)
    bucket.put(f"{FOLDERS[0]}{name}", b"damaged")
    found = run(bucket, later=True)
    assert (OBJECTS, 1) == (found.deleted, found.left)  # the labels only
    assert OBJECTS + 1 == len(names(bucket))


def test_an_object_that_arrives_late_stays_and_is_merged_with_others_later(
    bucket: Bucket, contract: Contract
) -> None:
    version = fill(bucket, contract)
    run(bucket)
    late = records(scored(3, seed=9), contract, version=version, at=START)
    log(bucket, late, name="late")
    run(bucket, later=True)
    assert ["late.parquet"] == [n for n in names(bucket) if not n.startswith("compact-")]
    for number in range(LEAST_OBJECTS):
        log(bucket, late, name=f"later-{number}")
    assert LEAST_OBJECTS + 1 == run(bucket).merged
    run(bucket, later=True)
    assert 2 == len(names(bucket))


def test_a_day_of_very_many_objects_becomes_several(
    bucket: Bucket, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bucket, contract, objects=2 * LEAST_OBJECTS + 5)
    monkeypatch.setattr(compact, "MOST_SOURCES", LEAST_OBJECTS)
    rows = distinct_rows(bucket)
    assert 4 * LEAST_OBJECTS == run(bucket).merged
    assert 2 == len(merged_in(bucket))
    run(bucket, later=True)
    assert 7 == len(names(bucket))
    assert rows == distinct_rows(bucket)


def test_two_compactions_at_once_make_the_same_object(
    bucket: Bucket, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bucket, contract)
    rows, write, nested = distinct_rows(bucket), write_merged, list[int]()

    def beside(*given: Any) -> Any:
        if not nested:
            nested.append(1)
            run(bucket)
        return write(*given)

    monkeypatch.setattr(compact, "write_merged", beside)
    found = run(bucket)
    assert (OBJECTS, 0) == (found.merged, found.withdrawn)
    assert [1, 1] == [len(merged_in(bucket, folder)) for folder in FOLDERS]
    run(bucket, later=True)
    assert rows == distinct_rows(bucket)


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_write_no_row_is_lost_and_the_next_ones_complete_it(
    contract: Contract, moto_aws: None, after: bool
) -> None:
    number, done = 0, False
    while not done:
        bucket = make_bucket(f"predictions-{number}")
        fill(bucket, contract, objects=LEAST_OBJECTS)
        rows = distinct_rows(bucket)
        with killed(bucket, number, after=after) as writes:
            try:
                run(bucket)
                assert rows == distinct_rows(bucket)
                run(bucket, later=True)
                done = True
            except BaseException as error:
                assert "Killed" == type(error).__name__
        assert rows == distinct_rows(bucket), writes
        run(bucket)
        run(bucket, later=True)
        assert [1, 1] == [len(names(bucket, folder)) for folder in FOLDERS], writes
        assert rows == distinct_rows(bucket), writes
        number += 1
    assert ["PutObject", "PutObject", "DeleteObjects", "DeleteObjects"] == writes
    assert 5 == number


def test_whoever_listed_before_the_merge_reads_all_rows_until_the_sources_are_deleted(
    bucket: Bucket, contract: Contract
) -> None:
    fill(bucket, contract)
    listed = list(bucket.list(FOLDERS[0]))
    run(bucket)
    assert all(bucket.exists(entry.key) for entry in listed)
    merged = [entry for entry in bucket.list("") if keys.parse_compacted(entry.key) is not None]
    early = compact.compact(
        request=CompactRequest(days=3_000),
        predictions=bucket,
        retention=Retention(),
        now=min(times.to_millis(entry.modified) for entry in merged) + GRACE_MS - 1,
        say=lambda _: None,
    )
    assert 0 == early.deleted
    assert SOON < times.to_millis(listed[0].modified)


def test_merged_labels_are_as_old_as_they_were_for_the_retrain_guard(bucket: Bucket) -> None:
    now = time.time_ns() // 1_000_000
    stored_at = now - 3 * times.DAY_MS
    day = times.from_millis(stored_at).date()
    bucket.put(keys.compacted("labels", day, stored_at, "0" * 16), b"PAR1")
    states: Any = SimpleNamespace(
        get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: [{"executions": []}])
    )
    guard = Training(
        states=states,
        sts=None,
        machine_arn="",
        data=bucket,
        predictions=bucket,
        reports=bucket,
        label_maturity_days=1,
    )
    assert stored_at == guard.situation(now + times.DAY_MS).newest_label_at
