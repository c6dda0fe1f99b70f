"""`open`: the links to the API, MLflow and the latest drift reports."""

import argparse
import webbrowser

from domain import keys
from ops.commands.up import urls
from ops.console import facts
from ops.errors import OpsError
from ops.target import Target

LINK_SECONDS = 900


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to open in a browser, if anything."""
    parser.add_argument(
        "what",
        nargs="?",
        choices=("dashboard", "api", "mlflow", "report"),
        help="open this in a browser",
    )


def run(args: argparse.Namespace, target: Target) -> str:
    """The command."""
    deployment = target.deployment
    if args.what == "mlflow" and target.laptop is None:
        raise OpsError(
            "MLflow is reached from inside the stage's network only.",
            'Forward its port, as docs/aws.md says under "Where to look".',
        )
    reports = latest_reports(target)
    print(facts([*urls(target), *reports]))
    links = {
        "dashboard": f"{deployment.api_url}/",
        "api": f"{deployment.api_url}/openapi.json",
        "mlflow": deployment.mlflow_url,
        "report": reports[0][1] if reports else None,
    }
    link = links.get(args.what)
    if link is not None and not webbrowser.open(link):
        print(f"There is no browser here; open this yourself: {link}")
    if not reports:
        print("There is no drift report yet.")
        return target.command("drift") + " --last-rows 1000"
    return target.command("open") + " report"


def latest_reports(target: Target) -> list[tuple[str, str]]:
    """``(name, link)`` of the HTML reports of the run that was written last.

    The links are presigned with the operator's own credentials and live a quarter of an hour.
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
