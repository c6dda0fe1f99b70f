"""`cost`: what a stage costs a month, from its templates as synthesised now and dated prices."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

from rich.console import RenderableType
from rich.table import Table
from typer import Option

from domain.deployment import DEFAULT_NAME
from domain.plural import write_count
from ops.bill import capacity
from ops.bill.cost_idle import Line, Stage, estimate_idle, read_prices
from ops.bill.cost_usage import (
    DAYS,
    estimate_drift_runs,
    estimate_predictions,
    estimate_trainings,
)
from ops.console import Answer, Progress, facts, table
from ops.errors import OpsError
from ops.laptop import ROOT, Laptop
from ops.local.deploy import cdk_env
from ops.target import Target


def run(
    target: Target,
    *,
    predictions: Annotated[int, Option(min=0, help="Predictions a month.")] = 100_000,
    trainings: Annotated[int, Option(min=0, help="Trainings a month.")] = 4,
    rows: Annotated[
        int | None,
        Option(min=1, help="Rows of training data: adds time, memory and settings of each step."),
    ] = None,
    tracking: Annotated[
        str | None, Option(help="Another deployment whose tracking server it would use.")
    ] = None,
) -> Answer:
    """Estimate what a stage costs a month. It needs no account."""
    with Progress("cost") as progress, tempfile.TemporaryDirectory() as folder:
        progress.note("synthesising the stage's templates")
        synthesise(target.stage, Path(folder), name=target.name, tracking=tracking)
        stage = Stage.read(Path(folder))
    at_rest = estimate_idle(stage)
    training = (
        None if rows is None else capacity.plan_training(rows, partial(capacity.price_task, stage))
    )
    logged = capacity.plan_predictions(round(predictions / DAYS), stage)
    used = estimate_use(stage, predictions=predictions, trainings=trainings, training=training)
    everything = total(at_rest) + total(used)
    unknown = sorted(stage.not_priced())
    server = total(estimate_idle(stage.tracking))
    shown: list[RenderableType] = [
        f"Stage {target.stage}, idle, USD a month\n",
        _tabulate(at_rest),
        "\nand in use\n",
        _tabulate(used),
        f"\nTogether: {everything:.2f} USD a month. {_describe_tracking(server, target.name)}",
        f"Prices of {read_prices().region} as of {read_prices().as_of}, without free tiers.",
    ]
    if training is not None:
        shown += _show_capacity(training, logged)
    if unknown:
        shown.append(f"Not in the price table: {', '.join(unknown)}.")
    return Answer(
        data={
            "stage": target.stage,
            "usd_a_month": round(everything, 2),
            "tracking_usd_a_month": round(server, 2),
            "idle": [asdict(line) for line in at_rest],
            "in_use": [asdict(line) for line in used],
            "prices_as_of": read_prices().as_of,
            "not_priced": unknown,
            "training": training and asdict(training),
            "predictions": asdict(logged),
        },
        shown=shown,
        next_step="The sources of the prices are in ops/bill/prices.toml",
    )


def estimate_use(
    stage: Stage, *, predictions: int, trainings: int, training: capacity.Training | None = None
) -> list[Line]:
    """What so much use adds to the bill. `training`: what one costs; None for an assumed time."""
    if training is None:
        of_trainings = estimate_trainings(stage, trainings)
    else:
        what = f"{trainings} of {write_count(training.rows, 'row')}"
        of_trainings = [Line("training", what, trainings * training.usd)]
    return [
        *estimate_predictions(stage, predictions),
        *of_trainings,
        *estimate_drift_runs(stage),
    ]


def total(lines: Iterable[Line]) -> float:
    """The sum in USD."""
    return sum(line.usd for line in lines)


def synthesise(
    stage: str, folder: Path, *, name: str = DEFAULT_NAME, tracking: str | None = None
) -> None:
    """Write the stage's templates for AWS; needs no account. Raises OpsError."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    context |= {"target": "aws", "name": name, "stage": stage, "mail_from": "nobody@example.org"}
    context |= {} if tracking is None else {"tracking": tracking}
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
        raise OpsError(f"The stage can't be synthesised: {lines[-1]}", _next_step(lines[-1]))


def _show_capacity(
    training: capacity.Training, predictions: capacity.Predictions
) -> list[RenderableType]:
    names_and_cells = zip(
        capacity.PREDICTIONS_HEADER, capacity.list_predictions(predictions), strict=True
    )
    rows = write_count(training.rows, "row")
    return [
        f"\nA training on {rows}, by measured rates (docs/capacity.md)\n",
        table(
            capacity.TRAINING_HEADER[1:-1],
            [cells[1:-1] for cells in capacity.list_training(training)],
        ),
        f"\nSettings for it: {training.settings}\n\nSo many predictions\n",
        facts(names_and_cells),
    ]


def _describe_tracking(usd: float, name: str) -> str:
    if not usd:
        return "It has no tracking server of its own."
    return (
        f"{usd:.2f} of them are its tracking server, which another deployment of the stage does"
        f" without: --tracking {name}."
    )


def _next_step(reason: str) -> str:
    if reason.startswith("Unknown stage"):
        return "Choose a stage of cdk.json: python -m ops --stage dev cost"
    return "make setup"


def _tabulate(lines: list[Line]) -> Table:
    rows = [(line.item, line.what, f"{line.usd:8.2f}") for line in lines]
    return table(("resource", "what", "USD"), [*rows, ("", "sum", f"{total(lines):8.2f}")])
