"""`train`: one execution of the training state machine, watched until it ends."""

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from domain import keys
from domain.failures import split_cause
from domain.training.steps import Evaluated, Prepared, Promoted, StepResult
from ops.console import Progress, facts
from ops.errors import OpsError
from ops.target import Target
from training_job.search import history
from training_job.settings import Settings

POLL_SECONDS = 1.0
DEFAULT_TRIALS = next(int(field.default) for field in fields(Settings) if field.name == "trials")  # type: ignore[arg-type]  # it has a default
R = TypeVar("R", bound=StepResult)
METRICS = ("f1", "roc_auc", "pr_auc", "precision", "recall", "brier")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The execution's input."""
    parser.add_argument("--trials", type=int, help="how many parameter sets to try")
    parser.add_argument(
        "--raw-prefix", type=keys.place, help=f"train on this folder or file (all of {keys.RAW})"
    )
    parser.add_argument("--seed", type=int, help="of the search")
    parser.add_argument("--minimum-f1", type=float, help="the gate's least F1")
    parser.add_argument("--no-wait", action="store_true", help="start it and return")


def run(args: argparse.Namespace, target: Target) -> str:
    """The command."""
    asked = ("trials", "raw_prefix", "seed", "minimum_f1")
    document = {name: getattr(args, name) for name in asked if getattr(args, name) is not None}
    execution = start(target, document)
    if args.no_wait:
        print(f"Started {execution}.")
        return target.command("status")
    result = wait(target, execution, trials=args.trials or DEFAULT_TRIALS)
    print_verdict(result)
    return target.command("simulate")


@dataclass(frozen=True, slots=True)
class Result:
    """A succeeded execution and the results of its steps."""

    execution: str
    output: Mapping[str, object]

    def step(self, kind: type[R]) -> R | None:
        """What a step returned; None when it didn't run."""
        return kind.of(self.output)

    @property
    def promoted(self) -> bool:
        """Whether there is a new champion."""
        promoted = self.step(Promoted)
        return promoted is not None and promoted.promoted


def start(target: Target, document: Mapping[str, Any]) -> str:
    """Start an execution; returns its ARN."""
    answer = target.client("stepfunctions").start_execution(
        stateMachineArn=target.deployment.state_machine_arn, input=json.dumps(document)
    )
    return str(answer["executionArn"])


def wait(target: Target, execution: str, *, trials: int | None = None) -> Result:
    """Follow it to its end; raises OpsError with the named error of one that failed."""
    client = target.client("stepfunctions", timeout_seconds=30)
    name = execution.rsplit(":", 1)[-1]
    with Progress("train", total=trials, unit=" trials") as progress:
        while True:
            found = client.describe_execution(executionArn=execution)
            if found["status"] != "RUNNING":
                break
            state = _state(client, execution)
            progress.note(state)
            if state == "Tune":
                ended = history.read_finished(target.bucket("models"), name)
                best = max((f1 for f1 in ended if f1 is not None), default=None)
                progress.detail("" if best is None else f"best F1 {best:.4f}")
                progress.reach(len(ended))
            time.sleep(POLL_SECONDS)
    if found["status"] != "SUCCEEDED":
        error, cause = _failure(client, execution, found)
        todo, _ = split_cause(error, cause)
        raise OpsError(
            f"The execution ended as {found['status']}: {why(client, execution, found)}",
            _advice(target, todo),
        )
    return Result(execution, json.loads(found["output"]))


def print_verdict(result: Result) -> None:
    """What was judged and why."""
    evaluated, promoted = result.step(Evaluated), result.step(Promoted)
    metrics = evaluated.metrics if evaluated else {}
    ended = promoted or evaluated
    print("Promoted." if result.promoted else "The champion stays.")
    pairs = [("version", ended.version)] if ended else []
    pairs += [(name, f"{metrics[name]:.4f}") for name in METRICS if name in metrics]
    prepared = result.step(Prepared)
    left_out = prepared.left_out if prepared else ()
    reasons = ended.reasons if ended else ()
    pairs += [("reason", reason) for reason in reasons if reason not in left_out]
    if prepared:
        kept = sum(prepared.rows.values())
        pairs.append(("data", f"{kept:,} rows of {prepared.rows_read:,} read"))
    pairs += [("data", sentence) for sentence in left_out]
    print(facts(pairs))


def _state(client: Any, execution: str) -> str:
    """The state that was entered last."""
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=execution, reverseOrder=True, includeExecutionData=False
    )
    for page in pages:
        for event in page["events"]:
            if "stateEnteredEventDetails" in event:
                return str(event["stateEnteredEventDetails"]["name"])
    return "starting"


def why(client: Any, execution: str, found: Mapping[str, Any]) -> str:
    """A failed execution's error and its sentence."""
    error, cause = _failure(client, execution, found)
    _, sentence = split_cause(error, cause)
    return ": ".join(part for part in (error, sentence) if part) or "no reason was given."


def _failure(client: Any, execution: str, found: Mapping[str, Any]) -> tuple[str, str]:
    """``(error, cause)``, whole though Step Functions may cut them short."""
    error, cause = found.get("error"), found.get("cause")
    if not cause:
        answer = client.get_execution_history(
            executionArn=execution, reverseOrder=True, maxResults=10
        )
        for event in answer["events"]:
            details = event.get("executionFailedEventDetails", {})
            error, cause = error or details.get("error"), cause or details.get("cause")
    return str(error or ""), str(cause or "")


def _advice(target: Target, todo: str) -> str:
    if target.laptop is not None:
        return f"{todo} Logs: {target.folder / 'logs' / 'tasks'}"
    return f"{todo} Logs: CloudWatch, log group of the task."
