"""SQL over the logs: run a query, wait for it, read its rows."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient


class QueryFailed(Exception):
    """Athena ended the query without a result; the message is Athena's reason."""


@dataclass(frozen=True, slots=True)
class Athena:
    """One database in one workgroup; the workgroup says where results go."""

    client: "AthenaClient"
    database: str
    workgroup: str
    pause_seconds: float = 0.2
    sleep: Callable[[float], None] = time.sleep

    def query(self, sql: str) -> tuple[list[str], Iterator[list[str | None]]]:
        """``(column names, rows)``; values are texts, None for NULL. Raises QueryFailed."""
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
        while True:
            status = self.client.get_query_execution(QueryExecutionId=execution)["QueryExecution"][
                "Status"
            ]
            if status["State"] == "SUCCEEDED":
                return
            if status["State"] in ("FAILED", "CANCELLED"):
                raise QueryFailed(status.get("StateChangeReason", status["State"]))
            self.sleep(self.pause_seconds)
