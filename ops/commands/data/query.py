"""`query`: SQL over the logs and the views of `domain.contract.views`, through Athena."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from domain.contract.views import VIEWS
from domain.plural import agree, write_count
from domain.retention import Retention
from ops.console import Answer, table
from ops.errors import OpsError
from ops.outputs import require_writable
from ops.target import Target

if TYPE_CHECKING:
    from rich.console import RenderableType

    from adapters.athena import Column

DEFAULT = """
SELECT dt AS day, model_version, count(*) AS predictions,
       round(avg(probability), 4) AS mean_probability
FROM predictions GROUP BY dt, model_version ORDER BY dt, model_version
"""
MAXIMUM_ROWS = 1000
"""Rows that are shown as a table; --json and --csv have no limit."""


def run(
    target: Target,
    sql: Annotated[
        str,
        Argument(
            help=f"SQL, which may read the views {', '.join(VIEWS)}, or the name of one of them.",
            show_default="counts per day and version",
        ),
    ] = DEFAULT,
    *,
    csv_file: Annotated[
        Path | None, Option("--csv", metavar="FILE", help="Write all rows to this CSV file.")
    ] = None,
) -> Answer:
    """Run SQL over the prediction log and the labels."""
    if csv_file is not None:
        require_writable(csv_file, "--csv")
    columns, rows = _query(target, sql)
    header = [column.name for column in columns]
    data = [
        {column.name: column.parse(cell) for column, cell in zip(columns, row, strict=True)}
        for row in rows
    ]
    if csv_file is not None:
        with csv_file.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)
        are = agree(len(rows), "is", "are")
        return Answer(data=data, shown=[f"{write_count(len(rows), 'row')} {are} in {csv_file}."])
    shown: list[RenderableType] = [table(header, rows[:MAXIMUM_ROWS]), *describe_expiry(target)]
    if len(rows) <= MAXIMUM_ROWS:
        return Answer(data=data, shown=shown, next_step="python -m ops drift --last-rows 1000")
    return Answer(
        data=data,
        shown=[*shown, f"... and {write_count(len(rows) - MAXIMUM_ROWS, 'more row')}."],
        next_step="Add --csv FILE or --json for all of them, or a LIMIT.",
    )


def describe_expiry(target: Target) -> list[str]:
    """How far back the log reaches, where its records expire."""
    days = Retention.parse(target.deployment.retention).log
    if days is None:
        return []
    return [f"Records that are older than {write_count(days, 'day')} have expired."]


def query(target: Target, sql: str) -> tuple[list[str], list[list[str | None]]]:
    """``(column names, rows)``, values as texts; raises OpsError with Athena's reason."""
    columns, rows = _query(target, sql)
    return [column.name for column in columns], rows


def _query(target: Target, sql: str) -> "tuple[list[Column], list[list[str | None]]]":
    from adapters.athena import Athena, QueryFailed
    from ops.sql_views import expand_views

    try:
        statement = expand_views(sql)
    except ValueError as error:
        raise OpsError(str(error), "Write one SQL statement, or the name of a view.") from None
    deployment = target.deployment
    client = target.client("athena", timeout_seconds=60)
    athena = Athena(client, database=deployment.database, workgroup=deployment.workgroup)
    try:
        columns, rows = athena.query_columns(statement)
        return columns, list(rows)
    except QueryFailed as error:
        views = f"The views are {', '.join(VIEWS)}."
        raise OpsError(f"Athena refused the query: {error}", f"Correct the SQL. {views}") from None
