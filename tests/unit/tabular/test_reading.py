"""Reading the log: windows, versions, copies, damage."""

import io
import json
import math
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.contract import Contract
from domain.contract.feature import OTHER
from domain.contract.records import SAMPLE_KEYS
from domain.drift.window import LastRows, Window
from domain.errors import BadBundle
from tabular import log_objects
from tabular.labels import UNKNOWN, join_labels
from tabular.log_objects import Damage, LogObjects, touched_days
from tabular.models import Models, NoReference
from tabular.reading import Contents, read_window, resolve_window
from tests.unit.monitoring import DAY, NOON, log, publish_model, records, scored

START = times.to_millis(DAY)
END = START + 86_400_000


def read(bucket: Bucket, *, start: int = START, end: int = END, limit: int = 10_000) -> Contents:
    return read_window(
        log=LogObjects(bucket), models=Models(bucket), start=start, end=end, sample_rows=limit
    )


def lines(table: pa.Table, **changes: list[Any]) -> list[dict[str, Any]]:
    """Rows as the fallback holds them; `changes` replace the first values of a column."""
    rows: list[dict[str, Any]] = table.to_pylist()
    for name, values in changes.items():
        for row, value in zip(rows, values, strict=False):
            row[name] = value
    return rows


def fall_back(bucket: Bucket, rows: list[dict[str, Any]], *, extra: bytes = b"") -> None:
    key = keys.fallback("log", DAY.date(), "u")
    bucket.put(key, b"".join(json.dumps(row).encode() + b"\n" for row in rows) + extra)


def test_rows_of_stream_and_fallback_are_read_alike(
    moto_bucket: Bucket, contract: Contract
) -> None:
    version = publish_model(moto_bucket, contract)
    table = records(scored(60, seed=3), contract, version=version)
    log(moto_bucket, table.slice(0, 40))
    fall_back(moto_bucket, lines(table.slice(40)))
    whole = read(moto_bucket).samples[version].finish().table
    expected = table.select(["prediction_id", "age", "gender", "probability"])
    assert whole.select(expected.column_names).to_pylist() == expected.to_pylist()


def test_a_window_is_half_open_and_looks_into_the_neighbouring_partitions(
    moto_bucket: Bucket, contract: Contract
) -> None:
    version = publish_model(moto_bucket, contract)
    at = [START - 1, START, END - 1, END]
    table = records(scored(4, seed=3), contract, version=version)
    table = table.set_column(1, "predicted_at", pa.array(at))
    for position, days in enumerate((-1, -1, 1, 1)):
        part = table.slice(position, 1)
        log(moto_bucket, part, name=str(position), day=DAY + timedelta(days=days))
    found = read(moto_bucket).samples[version].finish().table
    assert [START, END - 1] == found["predicted_at"].to_pylist()


def test_a_window_holds_the_rows_of_a_predictor_whose_clock_is_minutes_ahead(
    moto_bucket: Bucket, contract: Contract
) -> None:
    version = publish_model(moto_bucket, contract)
    stored_at = time.time_ns() // 1_000_000
    at = stored_at + times.CLOCK_SKEW_MS - 1000
    table = records(scored(5, seed=3), contract, version=version, at=at)
    log(moto_bucket, table, day=times.from_millis(stored_at))
    found = read(moto_bucket, start=at, end=at + times.DAY_MS)
    assert 5 == found.samples[version].logged


def test_each_version_is_read_by_its_own_contract(moto_bucket: Bucket, contract: Contract) -> None:
    document = contract.to_dict()
    document["features"] = [f for f in document["features"] if f["name"] != "bmi"]
    document["segments"] = []
    narrow = Contract.from_dict(document)
    old, new = (
        publish_model(moto_bucket, narrow, number=1),
        publish_model(moto_bucket, contract, number=2),
    )
    frame = scored(20, seed=3)
    log(moto_bucket, records(frame, narrow, version=old), name="old")
    log(moto_bucket, records(frame, contract, version=new), name="new")
    samples = read(moto_bucket).samples
    columns = {version: sample.finish().table.column_names for version, sample in samples.items()}
    assert (False, True) == ("bmi" in columns[old], "bmi" in columns[new])


def test_copies_are_removed_and_the_earliest_kept(moto_bucket: Bucket, contract: Contract) -> None:
    version = publish_model(moto_bucket, contract)
    table = records(scored(50, seed=3), contract, version=version)
    later = table.set_column(1, "predicted_at", pa.array(np.asarray(table["predicted_at"]) + 5_000))
    log(moto_bucket, later, name="a-read-first")
    log(moto_bucket, table, name="b")
    sample = read(moto_bucket).samples[version]
    taken = sample.finish()
    found = taken.table
    assert (100, 50, 50) == (taken.logged, found.num_rows, taken.copies)
    assert found["predicted_at"].to_pylist() == table["predicted_at"].to_pylist()


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


BAD_ROWS: dict[str, list[Any]] = {
    "prediction_id": [None, 7, "", "x" * 10_000],
    "predicted_at": [None, "noon", 2**70, True],
    "model_version": [None, "9-00000000", "../../champion", 3],
    "probability": [None, 1.7, float("nan"), "0.5"],
    "sample_key": [None, -1, SAMPLE_KEYS, 0.5],
}


@pytest.mark.parametrize("column", BAD_ROWS)
def test_malformed_rows_are_counted_by_reason_and_left_out(
    moto_bucket: Bucket, contract: Contract, column: str
) -> None:
    version = publish_model(moto_bucket, contract)
    table = records(scored(10, seed=3), contract, version=version)
    fall_back(moto_bucket, lines(table, **{column: BAD_ROWS[column]}))
    contents = read(moto_bucket)
    assert contents.damage.malformed == Counter({column: 4})
    found = contents.samples[version].finish().table
    assert found["prediction_id"].to_pylist() == table["prediction_id"].to_pylist()[4:]


def test_lines_that_are_no_rows_are_counted(moto_bucket: Bucket, contract: Contract) -> None:
    version = publish_model(moto_bucket, contract)
    table = records(scored(3, seed=3), contract, version=version)
    extra = b"not json\n[1]\n\xff\xfe\n" + b"[" * 100_000 + b"\n"
    fall_back(moto_bucket, lines(table), extra=extra)
    contents = read(moto_bucket)
    assert contents.damage.malformed == Counter({"not a JSON object": 4})
    assert 3 == contents.samples[version].logged


def test_rows_of_a_day_nearby_are_nobodys_concern(moto_bucket: Bucket, contract: Contract) -> None:
    version = publish_model(moto_bucket, contract)
    table = records(scored(3, seed=3), contract, version=version)
    fall_back(moto_bucket, lines(table, predicted_at=[START - 1, END], probability=[None, None]))
    contents = read(moto_bucket)
    assert (Counter(), 1) == (contents.damage.malformed, contents.samples[version].logged)


@pytest.mark.parametrize("at", [0, START - 4 * 86_400_000, END + 4 * 86_400_000, 2**62])
def test_a_time_that_its_partition_cannot_hold_is_malformed(
    moto_bucket: Bucket, contract: Contract, at: int
) -> None:
    version = publish_model(moto_bucket, contract)
    table = records(scored(3, seed=3), contract, version=version)
    fall_back(moto_bucket, lines(table, predicted_at=[at]))
    contents = read(moto_bucket)
    assert contents.damage.malformed == Counter({"predicted_at": 1})
    assert 2 == contents.samples[version].logged


NOT_UTF8 = pa.array([b"\xff\xfe", b"Male", b"\xff"]).view(pa.string())
POISONED_OBJECTS: dict[str, tuple[bytes | pa.Table, dict[str, int]]] = {
    "empty objects only": (b"{}\n{}\n", {"predicted_at": 2}),
    "unused columns only": (b'{"source": "api"}\n', {"predicted_at": 1}),
    "Parquet without a used column": (pa.table({"threshold": [0.5] * 3}), {"predicted_at": 3}),
    "Parquet without a column": (pa.table({"source": ["api"] * 3}), {"predicted_at": 3}),
    "version that is no UTF-8": (pa.table({"model_version": NOT_UTF8}), {"predicted_at": 3}),
    "lists that are no UTF-8": (
        pa.table({"prediction_id": pa.ListArray.from_arrays([0, 1, 2, 3], NOT_UTF8)}),
        {"unreadable": 3},
    ),
}


@pytest.mark.parametrize("stream", ["log", "labels"])
@pytest.mark.parametrize("name", POISONED_OBJECTS)
def test_no_content_of_an_object_ends_the_reading(
    moto_bucket: Bucket, contract: Contract, stream: str, name: str
) -> None:
    version = publish_model(moto_bucket, contract)
    table = records(scored(3, seed=3), contract, version=version)
    log(moto_bucket, table, name="good")
    content, malformed = POISONED_OBJECTS[name]
    if isinstance(content, bytes):
        moto_bucket.put(keys.fallback(stream, DAY.date(), "u"), content)
    else:
        key = f"{keys.stream(stream, DAY.date())}poison.parquet"
        moto_bucket.put(key, _parquet(content))
    contents = read(moto_bucket)
    taken = contents.samples[version].finish()
    if stream == "labels":
        found = join_labels(
            {version: taken.table},
            log=LogObjects(moto_bucket),
            start=START,
            now=END,
            damage=contents.damage,
        )
        assert [UNKNOWN] * 3 == found[version].tolist()
        assert contents.damage.malformed["unreadable"] in (0, 3)
    else:
        assert contents.damage.malformed == Counter(malformed)
        newest = LastRows(3, DAY + times.DAY)
        start, _ = resolve_window(
            log=LogObjects(moto_bucket), models=Models(moto_bucket), wanted=newest
        )
        assert NOON == start
    assert 3 == taken.logged


def test_bytes_that_are_no_text_cost_their_row_alone(
    moto_bucket: Bucket, contract: Contract
) -> None:
    version = publish_model(moto_bucket, contract)
    table = records(scored(3, seed=3), contract, version=version)
    position = table.column_names.index("gender")
    log(moto_bucket, table.set_column(position, "gender", NOT_UTF8))
    found = read(moto_bucket).samples[version].finish().table
    assert [OTHER, "Male", OTHER] == found["gender"].to_pylist()


def test_a_large_object_that_expired_since_the_listing_is_counted(
    moto_bucket: Bucket, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_objects, "SMALL_BYTES", 0)
    publish_model(moto_bucket, contract)
    key = keys.fallback("log", DAY.date(), "u")
    moto_bucket.put(key, b"{}")
    entries = list(moto_bucket.list(key))
    moto_bucket.delete(key)
    damage = Damage()
    assert [] == list(LogObjects(moto_bucket).read_batches(entries, damage))
    assert damage.unreadable == Counter({key: 1})


def test_an_unreadable_object_is_counted_and_the_others_read(
    moto_bucket: Bucket, contract: Contract
) -> None:
    version = publish_model(moto_bucket, contract)
    table = records(scored(3, seed=3), contract, version=version)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    moto_bucket.put(f"{keys.stream('log', DAY.date())}0.parquet", b"no parquet")
    moto_bucket.put(f"{keys.stream('log', DAY.date())}1.parquet", buffer.getvalue()[:-9])
    log(moto_bucket, table, name="2")
    contents = read(moto_bucket)
    assert 2 == contents.damage.unreadable.total()
    assert 3 == contents.samples[version].logged


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("bmi", [None, "27", float("nan"), 5.0, 10**400, True], [None, *["invalid"] * 5]),
        ("hypertension", [None, 1, 0, 2, "1", True], [None, 1.0, 0.0, *["invalid"] * 3]),
        ("gender", [None, "Male", "male", 1, "<b>", ["Male"]], [None, "Male", *[OTHER] * 4]),
    ],
)
def test_what_breaks_the_contract_is_kept_as_invalid(
    moto_bucket: Bucket, contract: Contract, column: str, values: list[Any], expected: list[Any]
) -> None:
    version = publish_model(moto_bucket, contract)
    table = records(scored(6, seed=3), contract, version=version)
    fall_back(moto_bucket, lines(table, **{column: values}))
    found = read(moto_bucket).samples[version].finish().table[column].to_pylist()
    assert expected == ["invalid" if _is_nan(value) else value for value in found]


def test_a_column_of_another_type_or_none_at_all_is_no_obstacle(
    moto_bucket: Bucket, contract: Contract
) -> None:
    version = publish_model(moto_bucket, contract)
    table = records(scored(3, seed=3), contract, version=version).drop_columns(["hba1c_level"])
    position = table.column_names.index("bmi")
    log(moto_bucket, table.set_column(position, "bmi", pa.array(["27", "x", None])))
    found = read(moto_bucket).samples[version].finish().table
    assert 3 == found["hba1c_level"].null_count
    assert np.isnan(found["bmi"].to_pylist()[0])
    assert 1 == found["bmi"].null_count


def test_large_objects_pass_through_a_file(
    moto_bucket: Bucket, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_objects, "SMALL_BYTES", 100)
    version = publish_model(moto_bucket, contract)
    table = records(scored(50, seed=3), contract, version=version)
    log(moto_bucket, table.slice(0, 30))
    fall_back(moto_bucket, lines(table.slice(30)))
    assert 50 == read(moto_bucket).samples[version].logged


@pytest.mark.parametrize(("wanted", "first"), [(1, 99), (40, 60), (100, 0), (500, 0)])
def test_the_last_rows_start_with_the_nth_latest_prediction(
    moto_bucket: Bucket, contract: Contract, wanted: int, first: int
) -> None:
    version = publish_model(moto_bucket, contract)
    table = records(scored(100, seed=3), contract, version=version)
    log(moto_bucket, table.slice(0, 50), day=DAY)
    log(moto_bucket, table.slice(30, 70), name="with-copies", day=DAY + timedelta(days=1))
    before = DAY + timedelta(days=1)
    start, end = resolve_window(
        log=LogObjects(moto_bucket), models=Models(moto_bucket), wanted=LastRows(wanted, before)
    )
    assert (start, end) == (NOON + first * 1_000, times.to_millis(before))


def test_the_last_rows_of_an_empty_log_are_the_day_before(
    moto_bucket: Bucket, contract: Contract
) -> None:
    publish_model(moto_bucket, contract)
    models = Models(moto_bucket)
    window = resolve_window(log=LogObjects(moto_bucket), models=models, wanted=LastRows(5, DAY))
    assert (START - 86_400_000, START) == window


def test_old_partitions_are_left_alone_once_the_last_rows_are_certain(
    moto_bucket: Bucket, contract: Contract
) -> None:
    version = publish_model(moto_bucket, contract)
    log(moto_bucket, records(scored(20, seed=3), contract, version=version))
    moto_bucket.put(f"{keys.stream('log', (DAY - timedelta(days=9)).date())}a.parquet", b"broken")
    read_keys: list[str] = []

    class Watched(LogObjects):
        def _get(self, key: str) -> bytes:
            read_keys.append(key)
            return super()._get(key)

    wanted = LastRows(10, DAY + times.DAY)
    resolve_window(log=Watched(moto_bucket), models=Models(moto_bucket), wanted=wanted)
    assert [f"{keys.stream('log', DAY.date())}a.parquet"] == read_keys


def test_partitions_reach_one_day_around_the_window() -> None:
    days = touched_days(Window(DAY, DAY + timedelta(hours=25)).days())
    assert [
        "2026-01-30",
        "2026-01-31",
        "2026-02-01",
        "2026-02-02",
    ] == [day.isoformat() for day in days]


def test_a_forged_bundle_makes_its_rows_nobodys(moto_bucket: Bucket, contract: Contract) -> None:
    version = publish_model(moto_bucket, contract)
    log(moto_bucket, records(scored(5, seed=3), contract, version=version))
    moto_bucket.put(keys.bundle(version), b"forged")
    contents = read(moto_bucket)
    assert (contents.samples, contents.damage.malformed) == ({}, Counter({"model_version": 5}))


def test_a_stray_folder_among_the_bundles_is_no_version(
    moto_bucket: Bucket, contract: Contract
) -> None:
    version = publish_model(moto_bucket, contract)
    moto_bucket.put(f"{keys.BUNDLES}x/readme", b"")
    table = records(scored(2, seed=3), contract, version=version)
    fall_back(moto_bucket, lines(table, model_version=["x"]))
    contents = read(moto_bucket)
    assert contents.damage.malformed == Counter({"model_version": 1})
    assert 1 == contents.samples[version].logged


def test_a_bundle_that_fails_is_fetched_once(moto_bucket: Bucket, contract: Contract) -> None:
    version = publish_model(moto_bucket, contract)
    moto_bucket.put(keys.bundle(version), b"forged")
    models = Models(moto_bucket)
    with pytest.raises(BadBundle):
        models.bundle(version)
    moto_bucket.delete(keys.bundle(version))
    with pytest.raises(BadBundle) as again:
        models.bundle(version)
    assert "missing" not in str(again.value)


def test_an_older_version_is_held_to_the_hash_in_its_name(
    moto_bucket: Bucket, contract: Contract
) -> None:
    old = publish_model(moto_bucket, contract, number=1)
    new = publish_model(moto_bucket, contract, number=2)
    assert Models(moto_bucket).bundle(old).contract == contract
    stored = moto_bucket.get(keys.bundle(new))
    assert stored is not None
    moto_bucket.put(keys.bundle(old), stored.data)
    log(moto_bucket, records(scored(5, seed=3), contract, version=old))
    assert read(moto_bucket).damage.malformed == Counter({"model_version": 5})


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"no parquet",
        _parquet(pa.table({"age": [1.0]})),
        _parquet(pa.table({"probability": [0.5, None]})),
        _parquet(pa.table({"probability": [0.5, math.inf]})),
        _parquet(pa.table({"probability": ["high"]})),
    ],
)
def test_a_missing_or_broken_reference_is_named(
    moto_bucket: Bucket, contract: Contract, content: bytes | None
) -> None:
    version = publish_model(moto_bucket, contract)
    moto_bucket.delete(keys.reference(version))
    if content is not None:
        moto_bucket.put(keys.reference(version), content)
    with pytest.raises(NoReference, match=version):
        Models(moto_bucket).reference(version)


def test_predictions_that_somebody_only_tried_are_in_no_window(
    moto_bucket: Bucket, contract: Contract
) -> None:
    version = publish_model(moto_bucket, contract)
    table = records(scored(60, seed=3), contract, version=version)
    log(moto_bucket, table.slice(0, 40))
    fall_back(moto_bucket, lines(table.slice(40), source=["test"] * 5))
    found = read(moto_bucket)
    assert 55 == len(found.samples[version].finish().table)
    assert Counter() == +found.damage.malformed
    assert "source" not in found.samples[version].finish().table.column_names
    wanted = LastRows(60, before=times.from_millis(END))
    models, stored = Models(moto_bucket), LogObjects(moto_bucket)
    start, _ = resolve_window(log=stored, models=models, wanted=wanted)
    tried = set(table.slice(40, 5)["prediction_id"].to_pylist())
    counted = [r for r in table.to_pylist() if r["prediction_id"] not in tried]
    assert min(row["predicted_at"] for row in counted) == start
