"""SQL over the logs: run a query, wait for it, read its rows."""

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient


class QueryFailed(Exception):
    """Athena ended the query without a result; the message is Athena's reason."""


class QueryTooSlow(Exception):
    """The query took longer than it may, and was stopped."""


INTEGERS = ("tinyint", "smallint", "int", "integer", "bigint")
FRACTIONS = ("float", "real", "double", "decimal")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result; `type` such as ``bigint``."""

    name: str
    type: str

    def parse(self, text: str | None) -> int | float | bool | str | None:
        """A value as what it is. NaN and infinity, which JSON doesn't know, stay texts."""
        if text is None:
            return None
        if self.type in INTEGERS:
            return int(text)
        if self.type.startswith(FRACTIONS):
            number = float(text)
            return number if math.isfinite(number) else text
        return text == "true" if self.type == "boolean" else text


@dataclass(frozen=True, slots=True)
class Athena:
    """One database in one workgroup; the workgroup says where results go.

    `patience_seconds`: how long a query may take; None: as long as Athena lets it.
    """

    client: "AthenaClient"
    database: str
    workgroup: str
    pause_seconds: float = 0.2
    patience_seconds: float | None = None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def query(self, sql: str) -> tuple[list[str], Iterator[list[str | None]]]:
        """Run a query; returns ``(column names, rows)``, values as texts, None for NULL.

        Raises QueryFailed and QueryTooSlow.
        """
        columns, rows = self.query_columns(sql)
        return [column.name for column in columns], rows

    def query_columns(self, sql: str) -> tuple[list[Column], Iterator[list[str | None]]]:
        """The same with the columns' types."""
        execution = self.client.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": self.database},
            WorkGroup=self.workgroup,
        )["QueryExecutionId"]
        self._wait(execution)
        paginator = self.client.get_paginator("get_query_results")
        pages = iter(paginator.paginate(QueryExecutionId=execution))
        first = next(pages)["ResultSet"]
        described = first["ResultSetMetadata"]["ColumnInfo"]
        columns = [Column(column["Name"], column["Type"]) for column in described]
        rows = _rows(first)
        if rows[:1] == [
            [column.name for column in columns]
        ]:  # results of SELECT start with their names, those of SHOW don't
            del rows[0]
        rest = (row for page in pages for row in _rows(page["ResultSet"]))
        return columns, itertools.chain(rows, rest)

    def _wait(self, execution: str) -> None:
        start = self.clock()
        while True:
            status = self.client.get_query_execution(QueryExecutionId=execution)["QueryExecution"][
                "Status"
            ]
            if status["State"] == "SUCCEEDED":
                return
            if status["State"] in ("FAILED", "CANCELLED"):
                raise QueryFailed(status.get("StateChangeReason", status["State"]))
            if self.patience_seconds is not None and self.clock() - start > self.patience_seconds:
                self.client.stop_query_execution(QueryExecutionId=execution)
                raise QueryTooSlow(execution)
            self.sleep(self.pause_seconds)


def _rows(result: Any) -> list[list[str | None]]:
    return [[cell.get("VarCharValue") for cell in row.get("Data", [])] for row in result["Rows"]]
