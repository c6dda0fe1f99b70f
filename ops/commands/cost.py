"""`cost`: what a stage costs a month, from its templates as synthesised now and dated prices."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ops.bill.cost_idle import Line, Stage, idle, prices
from ops.bill.cost_usage import drift_runs, predictions, trainings
from ops.console import table
from ops.errors import OpsError
from ops.laptop import ROOT, Laptop
from ops.local.deploy import cdk_env
from ops.target import Target


def arguments(parser: argparse.ArgumentParser) -> None:
    """How much use to reckon with."""
    parser.add_argument("--predictions", type=_count, default=100_000, help="a month (%(default)s)")
    parser.add_argument("--trainings", type=_count, default=4, help="a month (%(default)s)")


def run(args: argparse.Namespace, target: Target) -> str:
    """The command."""
    with tempfile.TemporaryDirectory() as folder:
        synthesise(target.stage, Path(folder))
        stage = Stage.read(Path(folder))
    at_rest = idle(stage)
    used = [
        *predictions(stage, args.predictions),
        *trainings(stage, args.trainings),
        *drift_runs(stage),
    ]
    _print(f"Stage {target.stage}, idle, USD a month", at_rest)
    _print("and in use", used)
    print(f"\nTogether: {total(at_rest) + total(used):.2f} USD a month.")
    print(f"Prices of {prices()['region']} as of {prices()['as_of']}, without free tiers.")
    unknown = stage.not_priced()
    if unknown:
        print(f"Not in the price table: {', '.join(sorted(unknown))}.")
    return f"look at the prices' sources in {Path('ops', 'prices.toml')}"


def total(lines: Iterable[Line]) -> float:
    """The sum."""
    return sum(line.usd for line in lines)


def synthesise(stage: str, folder: Path) -> None:
    """Write the stage's templates for AWS; needs no account. Raises OpsError."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    context |= {"target": "aws", "stage": stage, "mail_from": "nobody@example.org"}
    environ = cdk_env(Laptop(folder=folder), os.environ)
    environ |= {"CDK_CONTEXT_JSON": json.dumps(context), "CDK_OUTDIR": str(folder)}
    result = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        lines = result.stderr.strip().splitlines() or ["no reason given"]
        raise OpsError(f"The stage can't be synthesised: {lines[-1]}", "make setup")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("a whole number, 0 or more")
    return int(text)


def _print(title: str, lines: list[Line]) -> None:
    rows = [(line.item, line.what, f"{line.usd:8.2f}") for line in lines]
    print(f"\n{title}\n")
    print(table(("resource", "what", "USD"), [*rows, ("", "sum", f"{total(lines):8.2f}")]))
