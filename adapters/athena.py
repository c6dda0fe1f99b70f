"""SQL over the logs: run a query, wait for it, read its rows."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient


class QueryFailed(Exception):
    """Athena ended the query without a result; the message is Athena's reason."""


class QueryTooSlow(Exception):
    """The query took longer than it may, and was stopped."""


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
        """``(column names, rows)``; values are texts, None for NULL.

        Raises QueryFailed and QueryTooSlow.
        """
        execution = self.client.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": self.database},
            WorkGroup=self.workgroup,
        )["QueryExecutionId"]
        self._wait(execution)
        pages = self.client.get_paginator("get_query_results").paginate(QueryExecutionId=execution)
        rows = (
            [cell.get("VarCharValue") for cell in row.get("Data", [])]
            for page in pages
            for row in page["ResultSet"]["Rows"]
        )
        header = next(rows, [])
        return [name or "" for name in header], rows

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
