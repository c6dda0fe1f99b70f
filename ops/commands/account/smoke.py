"""`smoke`: the loop once, as small as it can be, on a stage that serves nobody yet."""

import secrets
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from domain import keys
from domain.contract.contract import Contract
from domain.model.champion import Champion
from domain.training.steps import Prepared, Promoted
from ops import executions
from ops.api import Api, describe_problem
from ops.commands.data import query, sample_data
from ops.commands.machine import mail
from ops.commands.models import train
from ops.commands.monitoring.drift import watch_drift
from ops.console import Answer, Checklist, Progress, facts
from ops.contract_changes import find_contract
from ops.errors import OpsError
from ops.local.processes import wait_until
from ops.loop import Batch, await_champion, count_logged, predict
from ops.samples.scenarios import Disturbance, Scenario, choose_scenario
from ops.target import Target

if TYPE_CHECKING:
    from domain.drift.run_result import RunResult
    from ops.bill.cost_idle import Line

ROWS = 10_000
TRIALS = 2
PREDICTIONS = 300
LABELS = 20
PLACE = f"{keys.RAW}smoke/"
NAME = "smoke"
"""Start of the names of its executions, by which it knows its own champion."""
LAPTOP_WAIT, ACCOUNT_WAIT = (60.0, 0.5), (1800.0, 15.0)
"""How long a record may take to its log, and the pause between two looks, in seconds.

Firehose may buffer for a quarter of an hour.
"""


def run(
    target: Target,
    *,
    data: Annotated[Path | None, Option(help="Train on this file instead of made-up rows.")] = None,
    scenario: Annotated[
        Scenario | None,
        Option(help="How the predictions are changed (shift, if there is a number)."),
    ] = None,
) -> Answer:
    """Run the loop once on a new stage: train, predict, label, find drift, mail.

    It then says what it cost and what it left behind. It refuses a stage with a champion of yours:
    its made-up predictions and labels would count in your drift runs.
    """
    if scenario is Scenario.NONE:
        raise OpsError("Without a shift there is no mail.", "Choose another --scenario.")
    require_own_champion(target)
    contract = find_contract(target)
    stations, left = Checklist(), dict[str, str]()
    with stations.station("train") as station, _raw_file(target, contract, data) as key:
        result = train.follow(target, _start(target, key), trials=TRIALS)
        verdict = train.describe_verdict(result).data
        promoted, prepared = result.step(Promoted), result.step(Prepared)
        left["execution"] = result.execution
        if prepared:
            left["dataset"] = target.bucket("data").uri(f"{keys.DATASETS}{prepared.dataset_id}/")
        if promoted:
            left["model version"] = f"{promoted.version}, in the registry and the models bucket"
        station.result = f"{verdict['version']}, {'promoted' if result.promoted else 'kept out'}"
    with stations.station("predict") as station:
        champion = await_champion(target)
        wanted = Disturbance(scenario=scenario or choose_scenario(contract))
        batch = predict(target, wanted, predictions=PREDICTIONS, seed=1)
        station.result = f"{batch.sent.answered} of {PREDICTIONS} answered"
    with stations.station("log") as station:
        _await_logged(target, batch)
        left["predictions"] = f"{batch.sent.answered}, made up and shifted, in today's log"
        station.result = f"{batch.sent.answered} in the log"
    with stations.station("label") as station:
        _label(target, champion, batch)
        left["labels"] = f"{LABELS}, made up"
        station.result = f"{LABELS} in the log"
    with stations.station("drift") as station:
        found = find_drift(target, batch)
        left["drift run"] = found.run_id
        station.result = f"{found.outcome}: {', '.join(found.drifted)}"
    with stations.station("mail") as station:
        left["mail"] = station.result = read_mail(target, found)
    seconds = {name: stations.seconds[name] for name in ("train", "drift")}
    with stations.station("cost") as station:
        lines, idle = _estimate(target, seconds, batch.sent.answered)
        cost = sum(line.usd for line in lines)
        station.result = f"{cost:.2f} USD"
    return Answer(
        data={
            "works": True,
            "seconds": stations.seconds,
            "usd": round(cost, 4),
            "usd_lines": [asdict(line) for line in lines],
            "usd_a_month_idle": round(idle, 2),
            "left_behind": left,
        },
        shown=[
            "It works: a model was trained, it answered, its predictions and labels were logged, "
            "and the shift was found and mailed.",
            "It left behind:",
            facts(left.items()),
            f"It cost at most {cost:.2f} USD, at list prices and without Spot. Idle, the stage "
            f"costs {idle:.2f} USD a month.",
            f"The training rows under {keys.RAW} were removed again. The predictions count in "
            "today's drift run.",
        ],
        next_step="python -m ops doctor",
    )


def require_own_champion(target: Target) -> None:
    """Raise OpsError on a stage whose champion another training made."""
    champion = target.champion()
    if champion is not None and not champion.execution.rsplit(":", 1)[-1].startswith(NAME):
        name = "" if target.name == NAME else f" NAME={NAME}"
        raise OpsError(
            f"{target.names.base} serves {champion.version}, and made-up predictions would count "
            "in its drift runs.",
            f"Try a deployment of its own: make deploy{name} STAGE={target.stage} "
            f"MAIL_FROM=ADDRESS, then make smoke{name} STAGE={target.stage}",
        )


@contextmanager
def _raw_file(target: Target, contract: Contract, data: Path | None) -> Iterator[str]:
    """The training's file in a folder of its own, which is removed again."""
    bucket = target.bucket("data")
    with tempfile.TemporaryDirectory(prefix="smoke-") as folder:
        path = data or Path(folder) / "rows.csv"
        if data is None:
            sample_data.make(rows=ROWS, seed=1, path=path, contract=contract)
        elif not data.is_file() or not keys.is_table(data.name):
            raise OpsError(
                f"{data} is no file that holds rows.", f"Name a {', '.join(keys.FORMATS)} file."
            )
        key = f"{PLACE}{secrets.token_hex(4)}/{path.name}"
        bucket.upload(path, key)
    try:
        yield key
    finally:
        bucket.delete(key)


def _start(target: Target, key: str) -> str:
    return executions.start(target, {"trials": TRIALS, "raw_prefix": key}, name=NAME)


def _await_logged(target: Target, batch: Batch) -> None:
    """Wait until every answered prediction is in the log; raises OpsError."""
    sent = batch.sent.answered
    if sent != PREDICTIONS:
        reasons = "; ".join(batch.sent.problems)
        raise OpsError(
            f"{sent} of {PREDICTIONS} predictions were answered: {reasons}.",
            "Read the log of the predictor function.",
        )

    def logged() -> bool:
        return count_logged(target, PREDICTIONS, batch).distinct >= sent

    await_records(target, logged, "The log lacks some of the predictions")


def _label(target: Target, champion: Champion, batch: Batch) -> None:
    """Label some predictions, and wait until the labels are in their log; raises OpsError."""
    label = target.models.load_bundle(champion.model).contract.target
    chosen = sorted(batch.sent.prediction_ids)[:LABELS]
    labels = [{"prediction_id": one, label: n % 2 == 0} for n, one in enumerate(chosen)]
    api = Api(target.deployment.api_url, target.api_key())
    status, body = api.post("/labels", {"labels": labels}, idempotency_key=uuid.uuid4().hex)
    if status != 200:
        raise OpsError(
            f"The API refused labels: {describe_problem(status, body)}.",
            "Read the log of the labels function.",
        )
    named = ", ".join(f"'{one}'" for one in chosen)
    sql = f"SELECT count(*) FROM outcomes WHERE prediction_id IN ({named})"  # noqa: S608 - ids of the API's own

    def logged() -> bool:
        _, rows = query.query(target, sql)
        return rows == [[str(LABELS)]]

    await_records(target, logged, f"The log lacks some of {LABELS} labels")


def await_records(target: Target, condition: Callable[[], bool], problem: str) -> None:
    """Wait for records in a log; raises OpsError with the problem when they don't come."""
    seconds, pause = ACCOUNT_WAIT if target.laptop is None else LAPTOP_WAIT
    began = time.monotonic()
    with Progress("log") as progress:
        progress.note("waiting until the records are written")
        if not wait_until(condition, seconds=seconds, pause=pause):
            waited = time.monotonic() - began
            raise OpsError(f"{problem} after {waited:.0f} s.", "python -m ops doctor")


def find_drift(target: Target, batch: Batch) -> "RunResult":
    """Compare the shifted predictions with the reference; raises OpsError unless it is found."""
    (found,) = watch_drift(target, batch.window | {"mail": True}) or (None,)
    if found is None or not found.drifted:
        outcome = found.outcome if found else "no run"
        raise OpsError(
            f"The drift run did not find the shift: {outcome}.",
            f"Read the log of the function {target.deployment.drift_function}.",
        )
    return found


def read_mail(target: Target, found: "RunResult") -> str:
    """What became of the mail; raises OpsError unless it was sent."""
    if found.mail != "sent":
        problems = " ".join(found.problems)
        raise OpsError(
            f"The mail was not sent ({found.mail}). {problems}".rstrip(), "python -m ops doctor"
        )
    if target.laptop is None:
        function = target.client("lambda").get_function_configuration(
            FunctionName=target.deployment.drift_function
        )
        return f"sent to {function['Environment']['Variables']['MAIL_TO']}; look there"
    newest = mail.read_mails(target.laptop)[-1]
    return f"{newest.subject} (to {', '.join(newest.recipients)})"


def _estimate(
    target: Target, seconds: dict[str, float], predictions: int
) -> "tuple[list[Line], float]":
    """What this run cost at most, and what the idle stage costs a month, in USD."""
    from ops.bill.cost_idle import Stage, estimate_idle
    from ops.bill.cost_usage import estimate_once
    from ops.commands.account import cost

    with tempfile.TemporaryDirectory() as folder, Progress("cost") as progress:
        progress.note("synthesising the stage's templates")
        cost.synthesise(target.stage, Path(folder), name=target.name)
        stage = Stage.read(Path(folder))
    lines = estimate_once(
        stage,
        predictions=predictions,
        training_seconds=seconds["train"],
        drift_seconds=seconds["drift"],
    )
    return lines, cost.total(estimate_idle(stage))
