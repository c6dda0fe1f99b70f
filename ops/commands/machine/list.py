"""`list`: the deployments of this machine, or of a stage of an account."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Annotated

from typer import Option

from domain import times
from domain.deployment_status import DeploymentStatus
from domain.typed_json import Json, encode
from ops.console import Answer, table
from ops.contract_changes import read_deployed_contract
from ops.errors import OpsError
from ops.outputs import require_writable
from ops.target import Target

HEADER = ("name", "predicts", "champion", "last verdict", "open incident", "dashboard")
STOPPED = "stopped"
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem;color-scheme:light dark}"
    "table{border-collapse:collapse}th,td{text-align:left;padding:.3rem .8rem;"
    "border-bottom:1px solid #8886}"
)
NAME_TAG, STAGE_TAG = "Deployment", "Stage"
"""Tags of everything that the stacks make."""


def run(
    target: Target,
    *,
    html: Annotated[
        Path | None, Option(help="Also write the list to this file, as a page for a browser.")
    ] = None,
) -> Answer:
    """List the deployments here, or of a stage of an account.

    Each with what it predicts, its champion, the last drift run's verdict, what an open incident is
    about, and the address of its dashboard. It changes nothing.
    """
    from ops.local import emulator

    if html is not None:
        require_writable(html, "--html")
    laptop = target.laptop
    if laptop is not None and emulator.daemon(laptop).pid() is None:
        names = sorted(laptop.contracts)
        return Answer(
            data=[{"name": name, "running": False} for name in names],
            shown=[table(HEADER[:2], [(name, STOPPED) for name in names])] if names else [NONE],
            next_step="python -m ops up",
        )
    found = [(each.name, _read(each)) for each in list_deployments(target)]
    if not found:
        return Answer(data=[], shown=[NONE], next_step=target.deploy_command)
    rows = [(name, *_describe(status)) for name, status in found]
    if html is not None:
        html.write_text(render_page(target.stage, rows), encoding="utf-8")
    return Answer(
        data=[{"name": name, "running": True, **_encode(status)} for name, status in found],
        shown=[table(HEADER, rows)],
        next_step="python -m ops status --name NAME says more about one of them.",
    )


NONE = "There is no deployment."


def list_deployments(target: Target) -> list[Target]:
    """Every deployment of the target's stage, by name; in an account by the tags of its event bus.

    On this machine the folder knows them, also one whose first deployment didn't finish.
    """
    if target.laptop is not None:
        return [target.named(name) for name in sorted(target.laptop.contracts)]
    client = target.client("resourcegroupstaggingapi")
    pages = client.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": NAME_TAG}, {"Key": STAGE_TAG, "Values": [target.stage]}],
        ResourceTypeFilters=["events:event-bus"],
    )
    names = {
        tag["Value"]
        for page in pages
        for found in page["ResourceTagMappingList"]
        for tag in found["Tags"]
        if tag["Key"] == NAME_TAG
    }
    return [target.named(name) for name in sorted(names)]


def render_page(stage: str, rows: Sequence[Sequence[str]]) -> str:
    """The list as a page without scripts; the last column is an address."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    head = "".join(f"<th>{escape(name)}</th>" for name in HEADER)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}<td>{_link(url)}</td></tr>\n"
        for *cells, url in rows
    )
    title = f"Deployments of stage {escape(stage)}"
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{STYLE}</style>\n<h1>{title}</h1>\n<p>As of {now}.</p>\n"
        f"<table>\n<tr>{head}</tr>\n{body}</table>\n</html>\n"
    )


def _link(url: str) -> str:
    return f'<a href="{escape(url)}">open</a>' if url else ""


def _read(target: Target) -> DeploymentStatus | str:
    """A deployment's status, or the sentence why there is none."""
    from adapters.deployment_status import read_status

    try:
        contract = read_deployed_contract(target)
        return read_status(
            models=target.bucket("models"),
            reports=target.bucket("reports"),
            target=contract.target if contract else "",
            api_url=target.deployment.api_url,
        )
    except OpsError as error:  # half deployed
        return str(error)


def _encode(status: DeploymentStatus | str) -> dict[str, Json]:
    return {"problems": [status]} if isinstance(status, str) else encode(status)


def _describe(status: DeploymentStatus | str) -> tuple[str, ...]:
    if isinstance(status, str):
        return "", "", status, "", ""
    verdict = "no drift run yet"
    if status.outcome is not None and status.window_end is not None:
        end = times.from_millis(status.window_end).strftime("%Y-%m-%d %H:%M UTC")
        verdict = f"{status.outcome}, window until {end}"
    return (
        status.target,
        status.champion or "none yet",
        "; ".join((verdict, *status.problems)),
        ", ".join(status.incident) or "none",
        f"{status.api_url}/",
    )
