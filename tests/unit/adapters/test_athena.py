"""Rows of a query, with and without Athena's header, and values of each type."""

from typing import Any

import pytest

from adapters.athena import Athena, Column


class Results:
    """Athena's client; every query ends with these pages of rows."""

    def __init__(self, names: list[str], *pages: list[list[str | None]]) -> None:
        self.names, self.pages = names, pages

    def start_query_execution(self, **_: Any) -> dict[str, str]:
        return {"QueryExecutionId": "1"}

    def get_query_execution(self, **_: Any) -> dict[str, Any]:
        return {"QueryExecution": {"Status": {"State": "SUCCEEDED"}}}

    def get_paginator(self, _: str) -> "Results":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        metadata = {"ColumnInfo": [{"Name": name, "Type": "varchar"} for name in self.names]}
        return [
            {
                "ResultSet": {
                    "ResultSetMetadata": metadata,
                    "Rows": [{"Data": [_cell(value) for value in row]} for row in rows],
                }
            }
            for rows in self.pages
        ]


def _cell(value: str | None) -> dict[str, str]:
    return {} if value is None else {"VarCharValue": value}


@pytest.mark.parametrize(
    ("names", "pages", "rows"),
    [
        (["one", "two"], [[["one", "two"], ["1", None]]], [["1", None]]),
        (["one"], [[["one"], ["one"]], [["one"]]], [["one"], ["one"]]),
        (["tab_name"], [[["labels"], ["log"]]], [["labels"], ["log"]]),
        (["tab_name"], [[]], []),
        (["a", "b"], [[["b", "a"]]], [["b", "a"]]),
    ],
)
def test_a_first_row_is_dropped_only_if_it_repeats_the_columns_names(
    names: list[str], pages: list[list[list[str | None]]], rows: list[list[str | None]]
) -> None:
    client: Any = Results(names, *pages)
    found, values = Athena(client, "d", "w").query("SELECT 1")
    assert (names, rows) == (found, list(values))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("bigint", "12", 12),
        ("integer", "-1", -1),
        ("double", "0.5", 0.5),
        ("double", "1.0E-4", 0.0001),
        ("decimal(10,2)", "1.50", 1.5),
        ("double", "NaN", "NaN"),
        ("double", "-Infinity", "-Infinity"),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("varchar", "12", "12"),
        ("date", "2026-01-31", "2026-01-31"),
        ("bigint", None, None),
    ],
)
def test_a_value_has_the_type_of_its_column(kind: str, text: str | None, value: Any) -> None:
    parsed = Column("any", kind).parse(text)
    assert (type(value), value) == (type(parsed), parsed)
