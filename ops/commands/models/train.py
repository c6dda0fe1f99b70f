"""`train`: one execution of the training machine, watched until it ends or waits for an answer."""

from dataclasses import fields
from enum import StrEnum
from typing import Annotated, Any

from typer import Option

from domain import keys
from domain.drift.window import MAXIMUM_DAYS
from domain.plural import write_count
from domain.training.steps import Evaluated, Prepared, Promoted, Tuned
from ops import executions, proposals
from ops.bill.training_size import find_shortage
from ops.console import Answer, Progress, facts, write_line
from ops.errors import OpsError
from ops.executions import Result
from ops.target import Target
from training_job.cluster.engine import MAXIMUM_WORKERS
from training_job.settings import (
    MAXIMUM_SEARCH_MINUTES,
    MAXIMUM_SEED,
    MAXIMUM_TRIALS,
    Settings,
)

DEFAULT_TRIALS = next(int(field.default) for field in fields(Settings) if field.name == "trials")  # type: ignore[arg-type]  # it has a default


class EngineName(StrEnum):
    """What computes the steps over rows."""

    LOCAL = "local"
    DASK = "dask"


APPROVE = "python -m ops approve, or python -m ops reject --reason TEXT"
MORE_TIME = "--search-minutes N gives it more"
METRICS = ("f1", "saved_cost", "roc_auc", "pr_auc", "precision", "recall", "brier")


def run(
    target: Target,
    *,
    trials: Annotated[
        int | None,
        Option(
            min=1, max=MAXIMUM_TRIALS, help=f"How many parameter sets to try ({DEFAULT_TRIALS})."
        ),
    ] = None,
    search_minutes: Annotated[
        int | None,
        Option(
            min=1,
            max=MAXIMUM_SEARCH_MINUTES,
            help="When the search ends, whatever trials are missing (2 on this machine).",
        ),
    ] = None,
    raw_prefix: Annotated[
        str | None, Option(help=f"Train on this folder or file instead of all of {keys.RAW}.")
    ] = None,
    seed: Annotated[int | None, Option(min=0, max=MAXIMUM_SEED, help="Seed of the search.")] = None,
    minimum_f1: Annotated[
        float | None,
        Option(
            min=0, max=1, help="The lowest F1 that the gate accepts, instead of the contract's."
        ),
    ] = None,
    production_days: Annotated[
        int | None,
        Option(
            min=0,
            max=MAXIMUM_DAYS,
            help="Learn from labelled predictions of so many days; 0 for none.",
        ),
    ] = None,
    engine: Annotated[EngineName | None, Option(help="What computes.")] = None,
    workers: Annotated[
        int | None,
        Option(min=1, max=MAXIMUM_WORKERS, help="With dask: how many tasks to start."),
    ] = None,
    scheduler: Annotated[
        str | None, Option(help="With dask: the address of a cluster that is there already.")
    ] = None,
    no_wait: Annotated[bool, Option("--no-wait", help="Start it and return.")] = False,
) -> Answer:
    """Train and evaluate a model, and promote it if it is better."""
    place = keys.RAW if raw_prefix is None else keys.place(raw_prefix)
    if not place.startswith(keys.RAW):
        raise OpsError(
            f"--raw-prefix must name a folder or a file under {keys.RAW}.",
            f"Correct it, for example: --raw-prefix {keys.RAW}2026/",
        )
    if engine is not EngineName.DASK and (workers is not None or scheduler is not None):
        raise OpsError("--workers and --scheduler are for dask.", "Add --engine dask.")
    asked = {
        "trials": trials,
        "search_minutes": search_minutes,
        "raw_prefix": None if raw_prefix is None else place,
        "seed": seed,
        "minimum_f1": minimum_f1,
        "engine": engine,
        "workers": workers,
        "scheduler": scheduler,
        "production": None if production_days is None else _choose_production(production_days),
    }
    _refuse_second(target)
    shortage = find_shortage(
        target,
        place=place,
        trials=trials,
        engine=engine,
        workers=workers,
        scheduler=scheduler,
    )
    if shortage:
        write_line(shortage)
    execution = executions.start(
        target, {name: value for name, value in asked.items() if value is not None}
    )
    if no_wait:
        return Answer(
            data={"execution": execution},
            shown=[f"Started {execution}."],
            next_step="python -m ops status",
        )
    try:
        return describe_verdict(follow(target, execution, trials=trials or DEFAULT_TRIALS))
    except AwaitsApproval:
        return _describe_proposal(target, execution)


def _refuse_second(target: Target) -> None:
    """Raise OpsError while a training runs or waits for an approval.

    Only the training lock decides: of two that start at once, it refuses one in its first step.
    """
    from adapters.executions import current_state

    running = executions.find_running(target, "train")
    if running is None:
        return
    name = running.rsplit(":", 1)[-1]
    if current_state(target.client("stepfunctions"), running) == proposals.WAITING:
        raise OpsError(f"The model of {name} waits for an approval.", APPROVE)
    raise OpsError(
        f"{name} is training, and only one training runs at a time.",
        f"python -m ops status shows when it has ended, or python -m ops stop {name} ends it.",
    )


class AwaitsApproval(OpsError):
    """A training whose model passed the gate, at a stage where a person decides."""


def _describe_proposal(target: Target, execution: str) -> Answer:
    """What waits; the record of it may follow after some seconds."""
    proposal = proposals.await_proposal(target, execution)
    if proposal is None:
        shown = ["The model waits for an approval."]
        return Answer(data={"execution": execution}, shown=shown, next_step=APPROVE)
    sentence = f"It passed the gate: {proposals.describe(proposal)}."
    reasons = [("reason", reason) for reason in proposal.reasons]
    return Answer(
        data={
            "execution": execution,
            "promoted": False,
            "version": proposal.version,
            "reasons": list(proposal.reasons),
            "expires_at": proposal.expires_at,
        },
        shown=[sentence, facts(reasons)],
        next_step=APPROVE,
    )


def _choose_production(days: int) -> dict[str, int] | bool:
    return {"days": days} if days else False


def follow(target: Target, execution: str, *, trials: int | None = None) -> Result:
    """Follow a training to its end; raises OpsError with the named error of one that failed.

    Raises AwaitsApproval as soon as its model waits for a person's answer.
    """
    from adapters.executions import current_state
    from training_job.search import history

    name = execution.rsplit(":", 1)[-1]
    with Progress("train", total=trials, unit=" trials") as progress:

        def show(client: Any) -> None:
            state = current_state(client, execution)
            progress.note(state)
            if state == proposals.WAITING:
                raise AwaitsApproval("The model waits for an approval.", APPROVE)
            if state == "Tune":
                ended = history.read_finished(target.bucket("models"), name)
                best = min((loss for loss in ended if loss is not None), default=None)
                progress.detail("" if best is None else f"best log loss {best:.4f}")
                progress.reach(len(ended))

        return executions.follow(target, execution, on_poll=show)


def describe_verdict(result: Result) -> Answer:
    """The gate's verdict on a training or on a rollback, with its reasons."""
    evaluated, promoted = result.step(Evaluated), result.step(Promoted)
    prepared, tuned = result.step(Prepared), result.step(Tuned)
    ended = promoted or evaluated
    metrics = dict(evaluated.metrics) if evaluated else {}
    left_out = list(prepared.left_out) if prepared else []
    reasons = [reason for reason in (ended.reasons if ended else ()) if reason not in left_out]
    pairs = [("version", ended.version)] if ended else []
    pairs += [(name, f"{metrics[name]:.4f}") for name in METRICS if name in metrics]
    pairs += [("reason", reason) for reason in reasons]
    if prepared:
        kept = sum(prepared.rows.values())
        pairs.append(("data", f"{write_count(kept, 'row')} of {prepared.rows_read:,} read"))
    if tuned and tuned.timed_out:
        trials = write_count(tuned.trials, "trial")
        pairs.append(("search", f"its time was over after {trials}; {MORE_TIME}"))
    pairs += [("data", sentence) for sentence in left_out]
    refusal, next_step = "The champion stays.", "python -m ops ledger"
    if evaluated and evaluated.rule == "first":
        refusal = "The model does not serve, and no other does yet."
        next_step = (
            f"python -m ops promote {evaluated.version} --reason TEXT lets it serve all the same. "
            "Or change what the reasons name, then train again."
        )
    return Answer(
        data={
            "execution": result.execution,
            "promoted": result.promoted,
            "version": ended.version if ended else None,
            "metrics": metrics,
            "reasons": reasons,
            "left_out": left_out,
        },
        shown=["Promoted." if result.promoted else refusal, facts(pairs)],
        next_step="python -m ops simulate" if result.promoted else next_step,
    )
