"""`open`: the links to the API, MLflow and the latest drift reports."""

import webbrowser
from enum import StrEnum
from typing import Annotated

from typer import Argument

from domain import keys
from ops.commands.machine.up import list_links
from ops.console import Answer, facts, write_line
from ops.errors import OpsError
from ops.target import Target

LINK_SECONDS = 900


class Page(StrEnum):
    """What can be opened in a browser."""

    DASHBOARD = "dashboard"
    API = "api"
    MLFLOW = "mlflow"
    REPORT = "report"


def run(
    target: Target,
    page: Annotated[Page | None, Argument(help="Open this in a browser.")] = None,
) -> Answer:
    """Show the links, or open one in a browser."""
    deployment = target.deployment
    if page is Page.MLFLOW and target.laptop is None:
        raise OpsError(
            "MLflow is reached from inside the stage's network only.",
            'Forward its port, as docs/aws.md says under "Where to look".',
        )
    reports = latest_reports(target)
    links = {
        Page.DASHBOARD: f"{deployment.api_url}/",
        Page.API: f"{deployment.api_url}/openapi.json",
        Page.MLFLOW: deployment.mlflow_url,
        Page.REPORT: reports[0][1] if reports else None,
    }
    link = links[page] if page else None
    if link is not None and not webbrowser.open(link):
        write_line(f"There is no browser here; open this yourself: {link}")
    found = [*list_links(target), *reports]
    if not reports:
        return Answer(
            data=dict(found),
            shown=[facts(found), "There is no drift report yet."],
            next_step="python -m ops drift --last-rows 1000",
        )
    return Answer(data=dict(found), shown=[facts(found)], next_step="python -m ops open report")


def latest_reports(target: Target) -> list[tuple[str, str]]:
    """``(name, link)`` of the HTML reports of the run that was written last.

    The links are presigned with the operator's own credentials and expire after 15 minutes.
    """
    bucket = target.bucket("reports")
    pages = [entry for entry in bucket.list(keys.RUNS) if entry.key.endswith(".html")]
    if not pages:
        return []
    folder = max(pages, key=lambda entry: entry.modified).key.rsplit("/", 1)[0]
    return [
        (entry.key.rsplit("/", 1)[1], bucket.presigned(entry.key, seconds=LINK_SECONDS))
        for entry in pages
        if entry.key.startswith(folder + "/")
    ]
