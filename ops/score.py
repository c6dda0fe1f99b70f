"""`score`: one execution that scores files with the champion, watched until it ends."""

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domain import keys, times
from ops import train
from ops.console import Progress, facts
from ops.errors import OpsError
from ops.target import Target
from ops.upload import check

POLL_SECONDS = 1.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to score, and where the scores go."""
    parser.add_argument(
        "--input", required=True, help="a local file, or a key or prefix of the data bucket"
    )
    parser.add_argument(
        "--output",
        help=f"a folder under {keys.SCORING} of the data bucket, or a local one, into which the"
        f" scores are copied ({keys.SCORING}out/<now>/)",
    )
    parser.add_argument("--model-version", help="score with this one (the champion)")
    parser.add_argument("--log", action="store_true", help="let them join the prediction log")


def run(args: argparse.Namespace, target: Target) -> str:
    """The command."""
    now = times.to_name(datetime.now(UTC))
    folder, output = _destination(args.output, now)
    document: dict[str, Any] = {"input": _source(target, args.input, now), "output": output}
    if args.model_version:
        document["version"] = args.model_version
    if args.log:
        document["log"] = True
    summary = score(target, document)
    print_summary(summary)
    bucket = target.bucket("data")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for entry in bucket.list(output):
            bucket.download(entry.key, folder / entry.key.removeprefix(output))
        return f"Read the Parquet files in {folder}"
    if args.log:
        return target.command("query")
    return f"Read the Parquet files in {bucket.uri(output)}"


def _source(target: Target, given: str, now: str) -> str:
    """The key or prefix to score; a local file is uploaded first."""
    path = Path(given)
    if path.exists():
        check([path])
        key = keys.scoring_upload(f"{now}/{path.name}")
        target.bucket("data").upload(path, key)
        print(f"Uploaded {path} as {key}.")
        return key
    if not next(target.bucket("data").list(given), None):
        raise OpsError(
            f"{given} is neither a local file nor anything in the data bucket.",
            "Name a file, or a key or prefix of the bucket.",
        )
    return given


def _destination(given: str | None, now: str) -> tuple[Path | None, str]:
    """``(local folder, folder in the bucket)`` of the scores."""
    if given is None:
        return None, f"{keys.SCORING}out/{now}/"
    if given.startswith(keys.SCORING):
        return None, f"{given.rstrip('/')}/"
    return Path(given), f"{keys.SCORING}out/{now}/"


def score(target: Target, document: dict[str, Any]) -> dict[str, Any]:
    """Start the execution and follow it; returns its summary, raises OpsError when it failed."""
    execution = train.start(target, {"score": document})
    client, data = target.client("stepfunctions", timeout_seconds=30), target.bucket("data")
    with Progress("score", unit=" rows") as progress:
        while (found := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
            parts = [e.key for e in data.list(document["output"]) if e.key.endswith(".parquet")]
            progress.note(f"{len(parts)} parts are done" if parts else "starting")
            time.sleep(POLL_SECONDS)
    if found["status"] != "SUCCEEDED":
        raise OpsError(
            f"The scoring ended as {found['status']}: {train.why(client, execution, found)}",
            "Correct what it names; with the same --output it goes on where it was.",
        )
    return dict(train.Result(execution, json.loads(found["output"])).step("score"))


def print_summary(summary: dict[str, Any]) -> None:
    """What was scored, and why some rows weren't."""
    scored = summary["rows"] - summary["refused"]
    pairs = [
        ("version", str(summary["model_version"])),
        ("rows scored", f"{scored:,}"),
        ("positive", f"{summary['positives']:,}"),
        ("rows refused", f"{summary['refused']:,}"),
    ]
    pairs += [("reason", f"{r['reason']} ({r['rows']:,} rows)") for r in summary["top_reasons"]]
    print(facts(pairs))
