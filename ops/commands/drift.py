"""`drift`: run the monitoring over a window now."""

import argparse
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from domain import times
from domain.drift import window
from domain.errors import BadWindow
from ops.console import Progress, facts, table
from ops.errors import OpsError
from ops.target import Target

PATIENCE_SECONDS = 900.0
"""Lambda's own limit."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The window, and whether to mail."""
    parser.add_argument("--day", help="one UTC day, e.g. 2026-01-31 (yesterday)")
    parser.add_argument("--start", help="from this instant, ISO 8601, UTC")
    parser.add_argument("--end", help="to this instant")
    parser.add_argument("--last-rows", type=int, help="the latest predictions")
    parser.add_argument("--from", dest="first", help="backfill: day by day, from this UTC day")
    parser.add_argument("--to", dest="last", help="to this day, included (yesterday)")
    parser.add_argument("--mail", action="store_true", help="send the mail when there is drift")


def run(args: argparse.Namespace, target: Target) -> str:
    """The command."""
    if args.first is not None or args.last is not None:
        return backfill(args, target)
    asked = ("day", "start", "end", "last_rows")
    request = {name: getattr(args, name) for name in asked if getattr(args, name) is not None}
    runs = drift(target, request | ({"mail": True} if args.mail else {}))
    for found in runs:
        print_run(found)
    reports = [link for found in runs for link in found.get("reports", {}).values()]
    return f"Open a report: {reports[0]}" if reports else target.command("simulate")


def backfill(args: argparse.Namespace, target: Target) -> str:
    """A run for each day, the earliest first; it never moves the incident, and mails nobody."""
    if args.first is None or any((args.day, args.start, args.end, args.last_rows, args.mail)):
        raise OpsError(
            "A backfill takes --from and --to only.", target.command("drift --from 2026-01-01")
        )
    now = datetime.now(UTC)
    try:
        first = date.fromisoformat(args.first)
        last = date.fromisoformat(args.last) if args.last else now.date() - times.DAY
        asked = {"start": first.isoformat(), "end": (last + times.DAY).isoformat()}
        wanted = window.parse(asked, now=now)
        days = wanted.days() if isinstance(wanted, window.Window) else []
    except (ValueError, OverflowError, BadWindow):
        raise OpsError(
            f"--from and --to must be days such as 2026-01-31, in order, since 1970, not in the "
            f"future, and at most {window.MAXIMUM_DAYS}.",
            "Correct them and run the command again.",
        ) from None
    found: list[dict[str, Any]] = []
    try:
        with Progress("drift", total=len(days), unit=" days") as progress:
            for day in days:
                found += drift(target, {"day": day.isoformat()})
                progress.advance()
    except OpsError as error:
        rest = target.command(f"drift --from {day} --to {last}")
        raise OpsError(f"{day}: {error}", f"{error.next_step} Then: {rest}") from None
    finally:  # what is done is done, and shown
        lines = [
            (str(r["run_id"]), str(r["outcome"]), str(r["rows"]), ", ".join(r["drifted"]))
            for r in found
        ]
        print(table(("run", "outcome", "rows", "drifted"), lines))
    return target.command("open")


def drift(target: Target, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Invoke the drift function and wait; raises OpsError when it can't run."""
    try:
        window.parse({k: v for k, v in request.items() if k != "mail"}, now=datetime.now(UTC))
    except BadWindow as error:
        raise OpsError(str(error), "Correct the window and run the command again.") from None
    # No second try: the first one may still be running.
    client = target.client("lambda", timeout_seconds=PATIENCE_SECONDS, attempts=1)
    try:
        answer = client.invoke(
            FunctionName=target.deployment.drift_function, Payload=json.dumps(request).encode()
        )
    except (ReadTimeoutError, ConnectionClosedError):
        raise OpsError(
            "The connection was lost before the answer came; the run goes on without it.",
            f"Look for the run: {target.command('open dashboard')}",
        ) from None
    payload = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError") or not isinstance(payload, dict):
        details = payload if isinstance(payload, dict) else {}
        reason = details.get("errorMessage") or details.get("errorType") or "no reason was given"
        raise OpsError(
            f"The drift run failed: {str(reason).splitlines()[0]}",
            f"Read the log of the function {target.deployment.drift_function}.",
        )
    runs: list[dict[str, Any]] = payload["runs"]
    return runs


def print_run(found: Mapping[str, Any]) -> None:
    """One run's outcome and where its reports are."""
    drifted: Sequence[str] = found.get("drifted") or []
    print(f"{found['run_id']}: {found['outcome']}")
    pairs = [
        ("version", str(found.get("version") or "-")),
        ("rows", str(found.get("rows"))),
        ("drifted", ", ".join(drifted) or "nothing"),
        ("mail", str(found.get("mail"))),
    ]
    print(facts([*pairs, *found.get("reports", {}).items()]))
