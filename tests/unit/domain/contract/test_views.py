"""The views over both logs, run by DuckDB on tables as Glue defines them."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import duckdb
import pytest

from domain import keys
from domain.contract.records import LABEL_COLUMNS, PREDICTION_COLUMNS
from domain.contract.views import LOG, VIEWS, predictions_between
from ops.commands.data.query import DEFAULT
from ops.sql_views import expand_views
from tests.repository import ROOT
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.predictor_world import World, ok

DOCUMENTED = ROOT / "docs" / "api.md"
DUCKDB_TYPES = {"string": "VARCHAR", "bigint": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN"}


@pytest.fixture
def logs() -> Iterator[duckdb.DuckDBPyConnection]:
    """The four tables, empty."""
    connection = duckdb.connect()
    for table, columns in (("prediction_log", PREDICTION_COLUMNS), ("labels", LABEL_COLUMNS)):
        for name in (table, f"{table}_fallback"):
            types = ", ".join(f"{c} {DUCKDB_TYPES[t]}" for c, t in columns.items())
            connection.execute(f"CREATE TABLE {name} (dt VARCHAR, {types})")
    yield connection
    connection.close()


def _insert(logs: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        marks = ", ".join("?" for _ in row)
        logs.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", [*row.values()])  # noqa: S608 - names of our own


def _prediction(prediction_id: str, at: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "dt": "2026-01-01",
        "prediction_id": prediction_id,
        "predicted_at": at,
        "model_version": "1-aaaaaaaa",
        "predicted": True,
        **changes,
    }


def _label(prediction_id: str | None, label: bool, observed: int, **changes: Any) -> dict[str, Any]:
    return {
        "dt": "2026-01-03",
        "prediction_id": prediction_id,
        "label": label,
        "observed_at": observed,
        "received_at": observed,
        **changes,
    }


def _rows(logs: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return logs.execute(expand_views(sql)).fetchall()


def test_a_prediction_counts_once_wherever_it_is_and_the_earliest_stays(
    logs: duckdb.DuckDBPyConnection,
) -> None:
    _insert(logs, "prediction_log", [_prediction("a", 5), _prediction("b", 1)])
    _insert(
        logs,
        "prediction_log_fallback",
        [_prediction("a", 3, model_version="2-bbbbbbbb"), _prediction("c", 2)],
    )
    sql = "SELECT prediction_id, predicted_at, model_version FROM predictions ORDER BY 1"
    assert [("a", 3, "2-bbbbbbbb"), ("b", 1, "1-aaaaaaaa"), ("c", 2, "1-aaaaaaaa")] == _rows(
        logs, sql
    )


def test_the_label_observed_last_wins_and_of_these_the_one_received_last(
    logs: duckdb.DuckDBPyConnection,
) -> None:
    labels = [
        _label("late", True, 9),
        _label("late", False, 2, received_at=50),  # arrived last, but saw less
        _label("twice", True, 4, received_at=5),
        _label("twice", False, 4, received_at=6),
        _label("once", True, 1),
    ]
    _insert(logs, "labels", labels[:3])
    _insert(logs, "labels_fallback", labels[3:])
    expected = [("late", True), ("once", True), ("twice", False)]
    assert expected == _rows(logs, "SELECT prediction_id, label FROM outcomes ORDER BY 1")


def test_a_label_by_reference_reaches_every_prediction_with_it(
    logs: duckdb.DuckDBPyConnection,
) -> None:
    predictions = [_prediction(name, reference="visit-1") for name in "ab"]
    _insert(logs, "prediction_log", [*predictions, _prediction("c", reference="visit-2")])
    _insert(logs, "prediction_log_fallback", [_prediction("d")])
    by_reference = [
        _label(None, True, 5, reference="visit-1"),
        _label(None, False, 3, reference="visit-2"),
        _label(None, True, 9, reference="nobody's"),
        _label(None, True, 8, reference="nobody's"),
    ]
    by_id = [_label("b", False, 6), _label("c", True, 2), _label("d", True, 1)]
    _insert(logs, "labels", by_reference[:2] + by_id[:1])
    _insert(logs, "labels_fallback", by_reference[2:] + by_id[1:])
    sql = "SELECT prediction_id, label, observed_at FROM outcomes ORDER BY observed_at"
    assert [("d", True, 1), ("c", False, 3), ("a", True, 5), ("b", False, 6), (None, True, 9)] == (
        _rows(logs, sql)
    )
    assert [4] == [n for (n,) in _rows(logs, "SELECT count(*) FROM labelled")]
    unknown = "SELECT sum(labelled), sum(unknown_labels) FROM label_coverage"
    assert [(4, 1)] == _rows(logs, unknown)


def test_coverage_per_day_counts_unknown_ids_apart(logs: duckdb.DuckDBPyConnection) -> None:
    predictions = [_prediction(name) for name in "abc"] + [_prediction("d", dt="2026-01-02")]
    _insert(logs, "prediction_log", predictions)
    labels = [
        _label("a", True, 1),
        _label("a", False, 2),  # contradicts: this one wins, the model was wrong
        _label("b", True, 1),
        _label("unknown", True, 1),
        _label("unknown", True, 2),
        _label("nobody", False, 1, dt="2026-01-02"),
    ]
    _insert(logs, "labels", labels)
    assert [
        ("2026-01-01", 3, 2, 0.6667, 1, 0),
        ("2026-01-02", 1, 0, 0.0, 0, 1),
        ("2026-01-03", 0, 0, None, 0, 1),
    ] == _rows(logs, "label_coverage")
    joined = "SELECT prediction_id, label, predicted FROM labelled ORDER BY 1"
    assert [("a", False, True), ("b", True, True)] == _rows(logs, joined)


def test_the_predictions_of_some_days_are_those_of_the_view_and_read_no_other_day(
    logs: duckdb.DuckDBPyConnection,
) -> None:
    _insert(logs, "prediction_log", [_prediction("a", 5), _prediction("a", 5, model_version="2")])
    _insert(
        logs, "prediction_log_fallback", [_prediction("a", 3), _prediction("b", dt="2026-01-04")]
    )
    some = predictions_between(date(2025, 12, 31), date(2026, 1, 2))
    assert [("a", 3)] == _rows(logs, f"SELECT prediction_id, predicted_at FROM {some}")  # noqa: S608 - of our own
    whole = predictions_between(date(2025, 12, 31), date(2026, 1, 4))
    found = _rows(logs, f"SELECT * FROM {whole} ORDER BY prediction_id")  # noqa: S608 - of our own
    assert found == _rows(logs, "SELECT * FROM predictions ORDER BY prediction_id")


def test_a_log_from_before_references_is_read_too(logs: duckdb.DuckDBPyConnection) -> None:
    """The emulator knows only the columns that some object has."""
    _insert(logs, "prediction_log", [_prediction("a", reference="visit-1")])
    _insert(logs, "prediction_log_fallback", [_prediction("b")])
    _insert(logs, "labels", [_label(None, True, 1, reference="visit-1")])
    _insert(logs, "labels_fallback", [_label("b", False, 1)])
    for table in ("prediction_log_fallback", "labels_fallback"):
        logs.execute(f"ALTER TABLE {table} DROP COLUMN reference")
    logs.execute("ALTER TABLE prediction_log_fallback DROP COLUMN subject")
    sql = "SELECT prediction_id, reference, label FROM labelled ORDER BY 1"
    assert [("a", "visit-1", True), ("b", None, False)] == _rows(logs, sql)


def test_the_default_query_counts_each_prediction_once(logs: duckdb.DuckDBPyConnection) -> None:
    twice = [_prediction("a", probability=0.25), _prediction("b", probability=0.5)]
    _insert(logs, "prediction_log", twice)
    _insert(logs, "prediction_log_fallback", twice)
    assert [("2026-01-01", "1-aaaaaaaa", 2, 0.375)] == _rows(logs, DEFAULT)
    assert [(4,)] == _rows(logs, f"SELECT count(*) FROM {LOG}")  # noqa: S608 - of our own


def test_a_request_sent_again_after_a_503_counts_once(
    logs: duckdb.DuckDBPyConnection, world: World
) -> None:
    """Of the first try some records reach the stream, and the rest can be stored nowhere."""
    world.firehose.refuses = lambda line: zlib.crc32(line) % 2 == 0
    world.s3.failing[keys.FALLBACK] = "offline"
    batch, headers = {"instances": [VALID] * 40}, {"Idempotency-Key": "visit-1"}
    assert 503 == world.predict(batch, headers=headers)["statusCode"]
    assert 0 < len(world.firehose.rows) < 40
    world.s3.failing.clear()
    answers = ok(world.predict(batch, headers=headers))["predictions"]
    for table, rows in (
        ("prediction_log", world.firehose.rows),
        ("prediction_log_fallback", world.fallback_rows),
    ):
        own = [{n: r[n] for n in PREDICTION_COLUMNS} | {"dt": "2026-01-01"} for r in rows]
        _insert(logs, table, own)
    stored = _rows(logs, "SELECT prediction_id FROM predictions")
    assert sorted((a["prediction_id"],) for a in answers) == sorted(stored)
    assert len(world.firehose.rows) + len(world.fallback_rows) > len(answers)


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_answers_on_empty_logs_and_is_documented(
    logs: duckdb.DuckDBPyConnection, view: str
) -> None:
    assert [] == _rows(logs, view)
    assert f"`{view}`" in DOCUMENTED.read_text()


def test_predictions_that_somebody_only_tried_are_in_no_view(
    logs: duckdb.DuckDBPyConnection,
) -> None:
    rows = [_prediction("a"), _prediction("b") | {"source": "test"}, _prediction("c")]
    _insert(logs, "prediction_log", [*rows[:2], rows[2] | {"source": None}])
    found = _rows(logs, "SELECT prediction_id FROM predictions ORDER BY 1")
    assert [("a",), ("c",)] == found
