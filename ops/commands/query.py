"""`query`: SQL over the logs and the views of `domain.contract.views`, through Athena."""

import argparse

from adapters.athena import Athena, QueryFailed
from domain.contract.views import VIEWS, expanded
from ops.console import table
from ops.errors import OpsError
from ops.target import Target

DEFAULT = """
SELECT dt AS day, model_version, count(*) AS predictions,
       round(avg(probability), 4) AS mean_probability
FROM predictions GROUP BY dt, model_version ORDER BY dt, model_version
"""
MAXIMUM_ROWS = 1000


def arguments(parser: argparse.ArgumentParser) -> None:
    """The statement."""
    views = ", ".join(VIEWS)
    parser.add_argument(
        "sql",
        nargs="?",
        default=DEFAULT,
        help=f"SQL (counts per day and version); it may name the views {views}, or be one of them",
    )


def run(args: argparse.Namespace, target: Target) -> str:
    """The command."""
    header, rows = query(target, args.sql)
    print(table(header, rows[:MAXIMUM_ROWS]))
    if len(rows) > MAXIMUM_ROWS:
        print(f"... and {len(rows) - MAXIMUM_ROWS:,} more rows; LIMIT them.")
    return target.command("drift")


def query(target: Target, sql: str) -> tuple[list[str], list[list[str | None]]]:
    """``(column names, rows)``; raises OpsError with Athena's reason."""
    deployment = target.deployment
    client = target.client("athena", timeout_seconds=60)
    athena = Athena(client, database=deployment.database, workgroup=deployment.workgroup)
    try:
        header, rows = athena.query(expanded(sql))
        return header, list(rows)
    except QueryFailed as error:
        raise OpsError(f"Athena refused the query: {error}", "Correct the SQL.") from None
