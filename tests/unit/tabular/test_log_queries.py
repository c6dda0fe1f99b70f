"""A window read by SQL and the same window streamed: both find the same."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import sqlglot

from adapters.athena import Column, QueryFailed
from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.contract import Contract
from domain.contract.records import sample_key
from domain.drift.drift import Outcome
from monitoring_job.reports import reports
from tabular.log_objects import LogObjects
from tabular.log_queries import LogQueries, Span, count_sql, sample_sql
from tabular.models import Models
from tabular.reading import Contents, read_window
from tests.unit.monitoring import DAY, NOON, World, log, publish_model, records, scored
from tests.unit.tabular.test_reading import BAD_ROWS, END, START, fall_back, lines

TYPES = {"BIGINT": "bigint", "DOUBLE": "double", "BOOLEAN": "boolean"}


@dataclass
class DuckAthena:
    """Runs queries over the bucket's Parquet objects in this process, as the emulator does."""

    bucket: Bucket
    folder: Path
    asked: list[str] = field(default_factory=list)

    def query_columns(self, sql: str) -> tuple[list[Column], Any]:
        self.asked.append(sql)
        for entry in self.bucket.list("log/"):
            path = self.folder / entry.key
            path.parent.mkdir(parents=True, exist_ok=True)
            self.bucket.download(entry.key, path)
        files = f"'{self.folder}/log/*/*', union_by_name=true, hive_types={{'dt': 'VARCHAR'}}"
        view = f"CREATE VIEW prediction_log AS SELECT * FROM read_parquet({files})"  # noqa: S608 - a folder of the test
        try:
            with duckdb.connect() as connection:
                connection.execute(view)
                answer = connection.execute(sql)
                described, rows = answer.description or [], answer.fetchall()
        except duckdb.Error as error:
            raise QueryFailed(str(error)) from None
        columns = [Column(c[0], TYPES.get(str(c[1]), "varchar")) for c in described]
        return columns, iter([[_to_text(value) for value in row] for row in rows])


def _to_text(value: Any) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.fixture
def no_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidently's pages take seconds, and are drawn from the same columns as the verdict."""
    for name in ("data_drift", "prediction_drift", "target_drift", "performance"):
        monkeypatch.setattr(reports, name, lambda **_: "a page")


@pytest.fixture
def athena(moto_bucket: Bucket, tmp_path: Path) -> DuckAthena:
    """Athena over the bucket."""
    return DuckAthena(moto_bucket, tmp_path)


def _queries(athena: Any, from_rows: int = 0) -> LogQueries:
    return LogQueries(athena, from_rows)


def _read(bucket: Bucket, queries: LogQueries | None, *, limit: int = 10_000) -> Contents:
    return read_window(
        log=LogObjects(bucket),
        models=Models(bucket),
        start=START,
        end=END,
        sample_rows=limit,
        queries=queries,
    )


def _damage(table: pa.Table, column: str, values: list[Any]) -> pa.Table:
    """The table with other first values of a column."""
    position = table.column_names.index(column)
    kind = table.schema.field(column).type
    changed = [*values, *table[column].to_pylist()[len(values) :]]
    return table.set_column(position, column, pa.array(changed, kind))


def _copies(table: pa.Table) -> pa.Table:
    later = np.asarray(table["predicted_at"]) + 5_000
    return table.set_column(1, "predicted_at", pa.array(later))


def _beside_the_window(table: pa.Table) -> pa.Table:
    at = [START - 1, START, END - 1, END, START - 4 * times.DAY_MS, None]
    return _damage(table, "predicted_at", at)


def _fill_folders(bucket: Bucket, contract: Contract) -> None:
    """Two versions, copies, damaged rows and tries, in stream and fallback."""
    old, new = (publish_model(bucket, contract, number=number) for number in (1, 2))
    first = records(scored(900, seed=3), contract, version=old)
    second = records(scored(700, seed=4), contract, version=new, at=NOON + 1)
    log(bucket, first, name="a")
    log(bucket, _copies(first.slice(100, 300)), name="b", day=DAY + times.DAY)
    log(bucket, second.slice(0, 600), name="c")
    fall_back(bucket, lines(second.slice(550)))
    for number, (name, values) in enumerate(BAD_ROWS.items()):
        kind = second.schema.field(name).type
        of_its_type = [value for value in values if _fits(value, kind)]
        own = records(scored(20, seed=5), contract, version=new, at=NOON + 10 + number)
        damaged = _damage(own, name, of_its_type)
        log(bucket, damaged, name=name, day=DAY - timedelta(days=1))
    near = records(scored(20, seed=6), contract, version=old, at=NOON + 3)
    log(bucket, _beside_the_window(near), name="near")
    log(bucket, _damage(near, "source", ["test"] * 20), name="tried")
    other = records(scored(20, seed=7), contract, version=old, at=NOON + 4)
    odd = _damage(other, "bmi", [None, float("nan"), 5.0, float("inf")])
    log(bucket, _damage(odd, "gender", [None, "male", "<b>", "'"]), name="odd")


def _fits(value: Any, kind: pa.DataType) -> bool:
    try:
        pa.array([value], kind)
    except (pa.ArrowException, OverflowError):
        return False
    return not isinstance(value, bool)


@pytest.mark.parametrize("limit", [10_000, 500, 90])
def test_sql_and_streaming_find_the_same_rows_and_counts(
    moto_bucket: Bucket, contract: Contract, athena: DuckAthena, limit: int
) -> None:
    _fill_folders(moto_bucket, contract)
    streamed = _read(moto_bucket, None, limit=limit)
    queried = _read(moto_bucket, _queries(athena), limit=limit)
    assert 3 == len(athena.asked)
    assert streamed.damage.malformed.total() > 12
    assert +streamed.damage.malformed == +queried.damage.malformed
    assert streamed.samples.keys() == queried.samples.keys()
    for version, sample in streamed.samples.items():
        expected, found = sample.finish(), queried.samples[version].finish()
        assert replace(expected, table=pa.table({})) == replace(found, table=pa.table({}))
        assert expected.table.combine_chunks().equals(found.table.combine_chunks()) or (
            expected.table.to_pandas().equals(found.table.to_pandas())  # NaN equals no NaN
        )


def test_more_rows_of_one_key_than_fit_are_chosen_alike(
    moto_bucket: Bucket, contract: Contract, athena: DuckAthena
) -> None:
    version = publish_model(moto_bucket, contract)
    table = records(scored(300, seed=3), contract, version=version)
    log(moto_bucket, _damage(table, "sample_key", [7] * 300))
    expected, found = (
        _read(moto_bucket, queries, limit=100).samples[version].finish()
        for queries in (None, _queries(athena))
    )
    assert 100 == found.table.num_rows
    assert expected.table["prediction_id"].to_pylist() == found.table["prediction_id"].to_pylist()
    assert (expected.logged, expected.share) == (found.logged, found.share)


def test_rows_of_unknown_versions_are_malformed_as_when_streamed(
    moto_bucket: Bucket, contract: Contract, athena: DuckAthena
) -> None:
    forged, version = (publish_model(moto_bucket, contract, number=number) for number in (1, 2))
    moto_bucket.put(keys.bundle(forged), b"forged")
    for number, name in enumerate((forged, "9-00000000", "it's", version)):
        log(moto_bucket, records(scored(5, seed=3), contract, version=name), name=str(number))
    contents = _read(moto_bucket, _queries(athena))
    assert (Counter(model_version=15), [version]) == (
        +contents.damage.malformed,
        list(contents.samples),
    )


@dataclass
class NoAthena:
    """Refuses every query, and remembers that it was asked."""

    asked: int = 0

    def query_columns(self, sql: str) -> Any:
        self.asked += 1
        raise QueryFailed(f"HIVE_BAD_DATA: {sql}")


@pytest.mark.parametrize(("from_rows", "asked"), [(299, 1), (300, 0), (10_000_000, 0)])
def test_only_a_window_with_more_rows_than_the_setting_is_queried(
    moto_bucket: Bucket, contract: Contract, from_rows: int, asked: int
) -> None:
    version = publish_model(moto_bucket, contract)
    log(moto_bucket, records(scored(300, seed=3), contract, version=version))
    athena = NoAthena()
    contents = _read(moto_bucket, _queries(athena, from_rows))
    assert (asked, 300) == (athena.asked, contents.samples[version].logged)


def test_a_window_that_athena_refuses_is_streamed_and_no_value_is_logged(
    moto_bucket: Bucket,
    contract: Contract,
    athena: DuckAthena,
    caplog: pytest.LogCaptureFixture,
) -> None:
    version = publish_model(moto_bucket, contract)
    log(moto_bucket, records(scored(300, seed=3), contract, version=version))
    moto_bucket.put(f"{keys.stream('log', DAY.date())}0.parquet", b"secret value")
    contents = _read(moto_bucket, _queries(athena))
    assert (1, 300) == (contents.damage.unreadable.total(), contents.samples[version].logged)
    assert ["QueryFailed" in message and "secret" not in message for message in caplog.messages]


@pytest.mark.usefixtures("no_pages")
@pytest.mark.parametrize("shift", [0.0, 12.0])
def test_a_drift_run_by_sql_reaches_the_same_verdict(
    moto_bucket: Bucket, contract: Contract, athena: DuckAthena, shift: float
) -> None:
    version = publish_model(moto_bucket, contract)
    frame = scored(1_000, seed=7)
    for week in range(5):
        day = DAY - timedelta(days=7 * week)
        at = NOON - 7 * week * times.DAY_MS
        rows = frame.assign(age=frame["age"] + (0.0 if week else shift))
        log(moto_bucket, records(rows, contract, version=version, at=at), day=day)
    world = World(moto_bucket, contract)
    expected = world.run()
    world.queries = _queries(athena)
    found = world.run()
    assert [Outcome.DATA_DRIFT if shift else Outcome.STABLE] == [s.outcome for s in found]
    assert expected == found
    assert bool(athena.asked)


@pytest.mark.slow
@pytest.mark.usefixtures("no_pages")
def test_a_million_rows_get_the_same_verdict(
    moto_bucket: Bucket, contract: Contract, athena: DuckAthena
) -> None:
    version = publish_model(moto_bucket, contract)
    frame = scored(100_000, seed=7)
    for part in range(10):
        rows = records(
            frame.assign(age=frame["age"] + 3), contract, version=version, at=NOON + part
        )
        ids = [f"{part}/{number}" for number in range(len(frame))]
        rows = _damage(
            _damage(rows, "prediction_id", ids), "sample_key", list(map(sample_key, ids))
        )
        at = NOON + np.arange(len(frame)) // 10
        log(moto_bucket, _damage(rows, "predicted_at", at.tolist()), name=str(part))
    world = World(moto_bucket, contract)
    expected = world.run()
    world.queries = _queries(athena, 500_000)
    assert expected == world.run()
    assert (1_000_000, Outcome.DATA_DRIFT) == (expected[0].rows.logged, expected[0].outcome)
    assert athena.asked


@pytest.mark.parametrize(
    "write",
    [
        lambda span: count_sql(span, ["1-0a1b2c3d"]),
        lambda span: sample_sql(span, "it's", cutoff=7, limit=9),
    ],
)
def test_the_queries_are_trinos(write: Callable[[Span], str]) -> None:
    sql = write(Span([DAY.date()], START, END))
    [parsed] = sqlglot.parse(sql, dialect="trino", error_level=sqlglot.ErrorLevel.RAISE)
    assert parsed is not None
    assert ["prediction_log"] == [table.name for table in parsed.find_all(sqlglot.exp.Table)]
    assert not list(parsed.find_all(sqlglot.exp.Anonymous))  # functions that Trino hasn't
