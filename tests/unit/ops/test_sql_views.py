"""`ops query` puts the views before a query of any shape, and leaves the rest of it alone."""

from collections.abc import Iterator

import duckdb
import pytest

from domain.contract.records import LABEL_COLUMNS, PREDICTION_COLUMNS
from ops.sql_views import expand_views

DUCKDB_TYPES = {"string": "VARCHAR", "bigint": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN"}


@pytest.fixture(scope="module")
def logs() -> Iterator[duckdb.DuckDBPyConnection]:
    """Three predictions, of which two have a label."""
    connection = duckdb.connect()
    for table, columns in (("prediction_log", PREDICTION_COLUMNS), ("labels", LABEL_COLUMNS)):
        types = ", ".join(f"{c} {DUCKDB_TYPES[t]}" for c, t in columns.items())
        for name in (table, f"{table}_fallback"):
            connection.execute(f"CREATE TABLE {name} (dt VARCHAR, {types})")
    for prediction in "abc":
        connection.execute(
            "INSERT INTO prediction_log (dt, prediction_id, predicted_at, predicted) "
            "VALUES ('2026-01-01', ?, 1, true)",
            [prediction],
        )
    for prediction in "ab":
        connection.execute(
            "INSERT INTO labels (dt, prediction_id, label, observed_at, received_at) "
            "VALUES ('2026-01-02', ?, true, 1, 1)",
            [prediction],
        )
    yield connection
    connection.close()


SHAPES = {
    "plain": ("SELECT count(*) FROM predictions", 3),
    "upper case": ("select count(*) from PREDICTIONS", 3),
    "quoted": ('SELECT count(*) FROM "predictions"', 3),
    "leading line comment": ("-- all of them\nSELECT count(*) FROM predictions", 3),
    "leading block comment": ("/* with care */ SELECT count(*) FROM predictions", 3),
    "comment before WITH": (
        "-- x\nWITH m AS (SELECT * FROM predictions) SELECT count(*) FROM m",
        3,
    ),
    "the name in a text": ("SELECT count(*) FROM labelled WHERE 'predictions' <> 'with'", 2),
    "qualified by the name": ("SELECT count(predictions.dt) FROM predictions", 3),
    "an alias": ("SELECT count(p.dt) FROM predictions p", 3),
    "a subquery": ("SELECT n FROM (SELECT count(*) AS n FROM predictions) AS x", 3),
    "a join": (
        "SELECT count(*) FROM predictions JOIN outcomes USING (prediction_id)",
        2,
    ),
    "in parentheses": ("(SELECT count(*) FROM predictions)", 3),
    "recursive": (
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 4)"
        " SELECT count(*) FROM t CROSS JOIN predictions",
        12,
    ),
    "an own table expression with a view's name": (
        "WITH predictions AS (SELECT 1 AS x) SELECT count(*) FROM predictions",
        1,
    ),
    "an own one that reads the view of that name": (
        "WITH predictions AS (SELECT * FROM predictions WHERE prediction_id = 'a')"
        " SELECT count(*) FROM predictions",
        1,
    ),
    "an own one beside a view that reads the view": (
        "WITH predictions AS (SELECT 1 AS x) SELECT count(*) FROM labelled, predictions",
        2,
    ),
    "a comment behind the semicolon": ("SELECT count(*) FROM predictions; -- ; all", 3),
    "a byte order mark": ("\ufeffSELECT count(*) FROM predictions", 3),
    "characters of several bytes before it": (
        "SELECT count(*) FROM predictions WHERE '\U0001fa7a' <> (SELECT 'é' FROM labelled LIMIT 1)",
        3,
    ),
    "a trailing semicolon": ("SELECT count(*) FROM predictions;", 3),
}


@pytest.mark.parametrize(("sql", "expected"), SHAPES.values(), ids=SHAPES)
def test_a_query_of_any_shape_may_read_a_view(
    logs: duckdb.DuckDBPyConnection, sql: str, expected: int
) -> None:
    assert [(expected,)] == logs.execute(expand_views(sql)).fetchall()


@pytest.mark.parametrize("prefix", ["EXPLAIN", "-- why\nexplain", "EXPLAIN ANALYZE", "EXPLAIN\n"])
def test_explain_explains_the_query_with_its_views(
    logs: duckdb.DuckDBPyConnection, prefix: str
) -> None:
    sql = " ".join([prefix, "SELECT count(*) FROM labelled"])
    plan = logs.execute(expand_views(sql)).fetchall()
    assert "labels" in str(plan)


def test_trinos_options_of_explain_stay_before_the_views() -> None:
    sql = expand_views("EXPLAIN (TYPE LOGICAL) SELECT count(*) FROM predictions")
    assert sql.startswith("EXPLAIN (TYPE LOGICAL) WITH circle_predictions AS (")


def test_the_name_of_a_view_is_a_whole_query(logs: duckdb.DuckDBPyConnection) -> None:
    for sql in ("label_coverage", " Label_Coverage ; ", "-- x\nlabel_coverage", '"label_coverage"'):
        rows = logs.execute(expand_views(sql)).fetchall()
        assert [("2026-01-01", 3, 2, 0.6667, 2, 0)] == rows


@pytest.mark.parametrize(
    "sql", ["SELECT 1", "SELECT * FROM prediction_log", "SELEC predictions", "SHOW TABLES"]
)
def test_a_statement_without_a_view_stays_as_it_is(sql: str) -> None:
    assert sql == expand_views(sql)


@pytest.mark.parametrize("sql", ["", "  \n", ";", "-- nothing", "/* nothing */"])
def test_an_empty_text_is_a_sentence(sql: str) -> None:
    with pytest.raises(ValueError, match=r"^The query is empty\.$"):
        expand_views(sql)


def test_several_statements_are_a_sentence() -> None:
    with pytest.raises(ValueError, match="several statements"):
        expand_views("SELECT 1; SELECT 2")


def test_a_query_that_is_nested_too_deeply_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        expand_views("SELECT " + "(" * 5_000 + "1" + ")" * 5_000)
