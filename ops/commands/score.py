"""`score`: one execution that scores files with the champion, watched until it ends."""

import argparse
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from adapters.s3 import Bucket, Listed
from domain import keys
from domain.training.steps import Scored
from ops.commands import train
from ops.commands.upload import check
from ops.console import Progress, facts
from ops.errors import OpsError
from ops.target import Target

POLL_SECONDS = 1.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to score, and where the scores go."""
    parser.add_argument(
        "--input", required=True, help="a local file, or a key or folder of the data bucket"
    )
    parser.add_argument(
        "--output",
        help=f"a folder under {keys.SCORING} of the data bucket, or a local one, into which the"
        f" scores are copied (a folder of the input and the model, under {keys.SCORING}out/)",
    )
    parser.add_argument("--model-version", help="score with this one (the champion)")
    parser.add_argument("--log", action="store_true", help="let them join the prediction log")


def run(args: argparse.Namespace, target: Target) -> str:
    """The command."""
    bucket = target.bucket("data")
    source = _source(bucket, args.input)
    inputs = _tables(bucket, source)
    document: dict[str, Any] = {"input": source} | ({"log": True} if args.log else {})
    if args.output and args.output.startswith(keys.SCORING):
        folder, document["output"] = None, f"{args.output.rstrip('/')}/"
        document |= {"version": args.model_version} if args.model_version else {}
    else:
        folder = Path(args.output) if args.output else None
        version = document["version"] = args.model_version or _champion(target)
        document["output"] = keys.scoring_output(_digest(inputs), version, log=args.log)
    output = document["output"]
    print_summary(score(target, document, size=sum(entry.size for entry in inputs)))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for entry in bucket.list(output):
            bucket.download(entry.key, folder / entry.key.removeprefix(output))
        return f"Read the Parquet files in {folder}"
    if args.log:
        return target.command("query")
    return f"Read the Parquet files in {bucket.uri(output)}"


def _source(bucket: Bucket, given: str) -> str:
    """The key or folder to score; a local file is uploaded first, unless it is there."""
    path = Path(given)
    if not path.exists():
        return keys.place(given)
    check([path])
    with path.open("rb") as file:
        key = keys.scoring_upload(hashlib.file_digest(file, "sha256").hexdigest(), path.name)
    if not bucket.exists(key):
        bucket.upload(path, key)
        print(f"Uploaded {path} as {key}.")
    return key


def _tables(bucket: Bucket, source: str) -> list[Listed]:
    found = [entry for entry in bucket.list(source) if keys.is_table(entry.key)]
    if not found:
        raise OpsError(
            f"{source} is neither a local file nor anything to score in the data bucket.",
            "Name a file, or a key or folder of the bucket.",
        )
    return found


def _digest(inputs: list[Listed]) -> str:
    """Of what a listing says: another one when a file was added, changed or removed."""
    listed = [(entry.key, entry.size, entry.modified.isoformat()) for entry in inputs]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def _champion(target: Target) -> str:
    champion = target.champion()
    if champion is None:
        raise OpsError("No model serves yet, so nothing can be scored.", target.command("train"))
    return champion.version


def score(target: Target, document: dict[str, Any], *, size: int) -> Scored:
    """Start the execution and follow it; returns its summary, raises OpsError when it failed.

    `size`: of the input, in bytes.
    """
    execution = train.start(target, {"score": document})
    client, data = target.client("stepfunctions", timeout_seconds=30), target.bucket("data")
    with Progress("score", total=size, unit=" bytes") as progress:
        progress.note("starting")
        while (found := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
            _tell(progress, data, document["output"])
            time.sleep(POLL_SECONDS)
    if found["status"] != "SUCCEEDED":
        raise OpsError(
            f"The scoring ended as {found['status']}: {train.why(client, execution, found)}",
            "Correct what it names; the same command then goes on where it was.",
        )
    return Scored.from_dict(json.loads(found["output"])[Scored.step])


def _tell(progress: Progress, data: Bucket, output: str) -> None:
    """How far it is, in bytes of the input and rows."""
    stored = data.get(keys.scoring_progress(output))
    if stored is not None:
        done = json.loads(stored.data)
        progress.detail(f"{done['rows']:,} rows, {done['refused']:,} refused")
        progress.reach(done["bytes"])
    elif data.exists(keys.scoring_plan(output)):
        progress.note("at work")
        progress.detail("")


def print_summary(scored: Scored) -> None:
    """How many rows were scored, and why some were refused."""
    pairs = [
        ("version", scored.model_version),
        ("rows scored", f"{scored.rows - scored.refused:,}"),
        ("positive", f"{scored.positives:,}"),
        ("rows refused", f"{scored.refused:,}"),
    ]
    pairs += [("reason", f"{r.reason} ({r.rows:,} rows)") for r in scored.top_reasons]
    print(facts(pairs))
