"""`drift`: run the monitoring job over a window now."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

from typer import Option

from domain import times
from domain.drift import window
from domain.drift.drift import Outcome
from domain.drift.run_result import RunResult, RunResults
from domain.errors import BadRecord, BadWindow
from domain.retention import Retention
from domain.typed_json import Json, decode, encode
from ops.console import Answer, Progress, facts, table, write_answer
from ops.errors import OpsError
from ops.target import Target

if TYPE_CHECKING:
    from rich.console import RenderableType

PATIENCE_SECONDS = 900.0
"""Lambda's own limit."""
FLAGS = ("mail", "scheduled")
"""Fields of a request that say nothing about its window."""


def run(
    target: Target,
    *,
    day: Annotated[str | None, Option(help="One UTC day, e.g. 2026-01-31 (yesterday).")] = None,
    days: Annotated[
        int | None,
        Option(
            min=1,
            max=window.MAXIMUM_DAYS,
            help="So many days, of which --day is the last; 28 for a look-back.",
        ),
    ] = None,
    start: Annotated[str | None, Option(help="From this instant, ISO 8601, UTC.")] = None,
    end: Annotated[str | None, Option(help="To this instant.")] = None,
    last_rows: Annotated[
        int | None,
        Option(min=1, max=window.MAXIMUM_ROWS, help="The latest predictions, so many."),
    ] = None,
    first: Annotated[
        str | None, Option("--from", help="Backfill day by day, from this UTC day.")
    ] = None,
    last: Annotated[str | None, Option("--to", help="To this day, included (yesterday).")] = None,
    mail: Annotated[bool, Option("--mail", help="Send the mail when there is drift.")] = False,
    as_scheduled: Annotated[
        bool,
        Option("--as-scheduled", help="Open or close the incident, as the schedule's runs do."),
    ] = False,
) -> Answer:
    """Compare a window of predictions with the model's reference.

    Only scheduled runs open, continue or close an incident, and ask for a training. --as-scheduled
    makes this run one of them: with --day for a day on which the schedule did not run, and with
    --days 28 for a week without its look-back at late labels.
    """
    asked_window = {"day": day, "start": start, "end": end, "last_rows": last_rows, "days": days}
    asked: dict[str, Json] = {n: value for n, value in asked_window.items() if value is not None}
    if first is not None or last is not None:
        if first is None or asked or mail or as_scheduled:
            raise OpsError(
                "A backfill takes --from and --to only.", "python -m ops drift --from 2026-01-01"
            )
        return backfill(target, first, last)
    if day is not None and days is not None:
        asked = {name: value for name, value in asked.items() if name != "day"}
        asked["time"] = _find_end(day)
    flags = {"mail": mail, "scheduled": as_scheduled}
    runs = watch_drift(target, asked | {name: True for name, given in flags.items() if given})
    reports = [link for found in runs for link in found.reports.values()]
    next_step = f"Open a report: {reports[0]}" if reports else "python -m ops simulate"
    if last_rows is None and all(found.outcome is Outcome.NO_DATA for found in runs):
        next_step = "Compare the latest predictions: python -m ops drift --last-rows 1000"
    return Answer(
        data=[encode(found) for found in runs],
        shown=[part for found in runs for part in describe_run(found)],
        next_step=next_step,
    )


def _find_end(day: str) -> str:
    """The end of a day, as the scheduler names the time of a run over the days before it."""
    try:
        return times.start_of(date.fromisoformat(day) + times.DAY).isoformat()
    except (ValueError, OverflowError):
        raise OpsError("--day must be a day such as 2026-01-31.", "Correct it.") from None


def backfill(target: Target, first: str, last: str | None) -> Answer:
    """Run a drift run for each day, the earliest first; it moves no incident and mails nobody."""
    days = _list_days(first, last)
    found: list[RunResult] = []
    try:
        with Progress("drift", total=len(days), unit=" days") as progress:
            for day in days:
                found += run_drift(target, {"day": day.isoformat()})
                progress.advance()
    except OpsError as error:
        # What is done is done, and shown.
        write_answer(_describe_backfill(found), as_json=False)
        rest = f"python -m ops drift --from {day} --to {days[-1]}"
        raise OpsError(f"{day}: {error}", f"{error.next_step} Then: {rest}") from None
    return _describe_backfill(found, next_step="python -m ops open")


def _list_days(first: str, last: str | None) -> list[date]:
    now = datetime.now(UTC)
    try:
        begin = date.fromisoformat(first)
        end = date.fromisoformat(last) if last else now.date() - times.DAY
        asked = {"start": begin.isoformat(), "end": (end + times.DAY).isoformat()}
        wanted = window.parse(asked, now=now)
        return wanted.days() if isinstance(wanted, window.Window) else []
    except (ValueError, OverflowError, BadWindow):
        raise OpsError(
            f"--from and --to must be days such as 2026-01-31, in order, since 1970, not in the "
            f"future, and at most {window.MAXIMUM_DAYS}.",
            "Correct them and run the command again.",
        ) from None


def _describe_backfill(runs: Sequence[RunResult], next_step: str = "") -> Answer:
    rows = [(r.run_id, r.outcome.value, str(r.rows), ", ".join(r.drifted)) for r in runs]
    return Answer(
        data=[encode(found) for found in runs],
        shown=[table(("run", "outcome", "rows", "drifted"), rows)],
        next_step=next_step,
    )


def watch_drift(target: Target, request: Mapping[str, Json]) -> tuple[RunResult, ...]:
    """Run `run_drift`, and show meanwhile that it runs."""
    check_window(target, request)
    with Progress("drift") as progress:
        progress.note("comparing the window with the reference")
        return run_drift(target, request)


def check_window(target: Target, request: Mapping[str, Json]) -> None:
    """Raise OpsError for a window that no run can compare."""
    now = datetime.now(UTC)
    try:
        wanted = window.parse({k: v for k, v in request.items() if k not in FLAGS}, now=now)
        Retention.parse(target.deployment.retention).check_window(wanted, now=now)
    except BadWindow as error:
        raise OpsError(str(error), "Correct the window and run the command again.") from None


def run_drift(target: Target, request: Mapping[str, Json]) -> tuple[RunResult, ...]:
    """Invoke the drift function and wait; raises OpsError when it can't run."""
    check_window(target, request)
    from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

    # No second try: the first one may still be running.
    client = target.client("lambda", timeout_seconds=PATIENCE_SECONDS, attempts=1)
    try:
        answer = client.invoke(
            FunctionName=target.deployment.drift_function, Payload=json.dumps(request).encode()
        )
    except (ReadTimeoutError, ConnectionClosedError):
        raise OpsError(
            "The connection was lost before the answer came; the run itself continues.",
            "Look for the run: python -m ops open dashboard",
        ) from None
    payload = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError") or not isinstance(payload, dict):
        details = payload if isinstance(payload, dict) else {}
        reason = details.get("errorMessage") or details.get("errorType") or "no reason was given"
        raise OpsError(
            f"The drift run failed: {str(reason).splitlines()[0]}",
            f"Read the log of the function {target.deployment.drift_function}.",
        )
    try:
        return decode(RunResults, payload).runs
    except BadRecord as error:
        raise OpsError(
            f"The drift function's answer can't be read: {error}",
            "Deploy again, so that the function and this command have one version.",
        ) from None


def describe_run(found: RunResult) -> "list[RenderableType]":
    """One run's outcome and the links to its reports."""
    pairs = [
        ("version", found.version or "-"),
        ("rows", str(found.rows)),
        ("drifted", ", ".join(found.drifted) or "nothing"),
        ("mail", found.mail),
    ]
    return [f"{found.run_id}: {found.outcome}", facts([*pairs, *found.reports.items()])]
