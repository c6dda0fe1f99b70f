"""`demo`: the whole loop on this machine, from data to the alert mail, with its figures."""

import html
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from domain import keys, times
from domain.contract import views
from domain.drift.run_result import RunResult
from domain.model.champion import Champion
from domain.typed_json import Json
from ops import executions
from ops.api import Api
from ops.commands import mail, query, sample_data, train, up, upload
from ops.commands.drift import run_drift
from ops.commands.simulate import Sent, simulate
from ops.console import Answer, Checklist, write_answer
from ops.errors import OpsError
from ops.laptop import Laptop
from ops.local.demo_figures import (
    ChampionFigures,
    Figures,
    RowsSent,
    SentMail,
    list_failures,
    tabulate,
)
from ops.local.processes import wait_until
from ops.samples.scenarios import Scenario
from ops.target import Target

DEFAULT_TRIALS = 10
CHAMPION_CACHE_SECONDS = 60
"""How long a warm predictor may serve the previous champion."""


def run(
    target: Target,
    *,
    port: up.Port = None,
    mlflow_port: up.MlflowPort = None,
    mlflow_db: up.MlflowDb = None,
    contract: up.ContractPath = None,
    mail_to: up.MailTo = None,
    data: Annotated[
        Path | None, Option(help="Your own CSV or Parquet file (made-up patients).")
    ] = None,
    rows: Annotated[int, Option(help="Rows of made-up patients.")] = sample_data.DEFAULT_ROWS,
    seed: Annotated[int, Option(help="Seed of patients and predictions.")] = 1,
    trials: Annotated[int, Option(help="Trials of the search.")] = DEFAULT_TRIALS,
    predictions: Annotated[int, Option(min=1, help="Predictions of each kind.")] = 1000,
    scenario: Annotated[
        Scenario, Option(help="How the second kind of predictions is shifted.")
    ] = Scenario.GLUCOSE,
) -> Answer:
    """Run the whole loop, from data to the alert mail.

    It starts everything, trains, predicts, compares an undisturbed and a shifted window with the
    reference, and reads the mail that the shift sends.
    """
    if scenario is Scenario.NONE:
        raise OpsError("The demo shows a shift, so it needs one.", "Choose another --scenario.")
    laptop = target.require_laptop("demo")
    figures, stations = Figures(), Checklist()
    path = laptop.folder / "demo.json"
    with stations.station("data") as station:
        data = data or _sample(laptop.folder, rows=rows, seed=seed)
        upload.plan([data], keys.RAW)
        station.result = str(data)
    with stations.station("up"):
        laptop = up.start(
            target,
            port=port,
            mlflow_port=mlflow_port,
            mlflow_db=mlflow_db,
            contract=contract,
            mail_to=mail_to,
        )
        target = Target.on_laptop(laptop)
    with stations.station("upload") as station:
        uploaded = upload.upload(target, [data], replace=True, if_exists=upload.IfExists.OVERWRITE)
        station.result = str(uploaded.shown[-1])
    with stations.station("train") as station:
        verdict = train.describe_verdict(
            train.follow(target, executions.start(target, {"trials": trials}), trials=trials)
        )
        figures.training = verdict.data
        station.result = _describe_training(verdict.data)
    batch = partial(_predict, target, predictions=predictions, seed=seed)
    with stations.station("predict") as station:
        champion = _await_champion(target)
        undisturbed = batch(Scenario.NONE)
        station.result = f"{undisturbed.sent.answered} answered"
    with stations.station("drift") as station:
        figures.runs["undisturbed"] = run_drift(target, undisturbed.window)
        station.result = _describe_runs(figures.runs["undisturbed"])
    with stations.station("predict shifted") as station:
        shifted = batch(scenario)
        station.result = f"{shifted.sent.answered} answered"
    with stations.station("drift shifted") as station:
        known = {found.message_id for found in mail.read_mails(laptop)}
        figures.runs["shifted"] = run_drift(target, shifted.window | {"mail": True})
        new = [found for found in mail.read_mails(laptop) if found.message_id not in known]
        station.result = _describe_runs(figures.runs["shifted"])
    links = [link for found in figures.runs["shifted"] for link in found.reports.values()]
    figures.mail = [_describe_mail(found, links, laptop) for found in new]
    with stations.station("query") as station:
        for name, sent in (("undisturbed", undisturbed), ("shifted", shifted)):
            figures.predictions[name] = _count_logged(target, predictions, sent)
        logged = sum(count.distinct for count in figures.predictions.values())
        station.result = f"{logged} predictions in the log"
    figures.champion = _read_card(target, champion)
    figures.urls = dict(up.list_links(target))
    figures.seconds = stations.seconds
    figures.failures = list_failures(figures)
    path.write_text(json.dumps(asdict(figures), indent=2))
    if figures.failures:
        write_answer(Answer(data=asdict(figures), shown=[tabulate(figures)]), as_json=False)
        raise OpsError(" ".join(figures.failures), f"See {path} and {laptop.folder / 'logs'}")
    return Answer(
        data=asdict(figures),
        shown=[tabulate(figures)],
        next_step=(
            "python -m ops open report shows the report, python -m ops down stops everything."
        ),
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """Predictions of one kind, answered between two whole seconds."""

    sent: Sent
    start: datetime
    end: datetime

    @property
    def window(self) -> dict[str, Json]:
        """The drift request for exactly these predictions."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat()}


def _sample(folder: Path, *, rows: int, seed: int) -> Path:
    path = folder / f"sample-{rows}-{seed}.csv"
    if not path.exists():
        sample_data.make(rows=rows, seed=seed, path=path)
    return path


def _describe_training(verdict: Mapping[str, Any]) -> str:
    f1 = verdict["metrics"].get("f1")
    figure = f", F1 {f1:.4f}" if f1 is not None else ""
    return f"{verdict['version']}{figure}, {'promoted' if verdict['promoted'] else 'kept out'}"


def _describe_runs(runs: Sequence[RunResult]) -> str:
    return ", ".join(found.outcome for found in runs) or "no run"


def _describe_mail(found: mail.Mail, links: Sequence[str], laptop: Laptop) -> SentMail:
    """A mail, its file, and those of the reports' links in it that lead to a page."""
    return SentMail(
        subject=found.subject,
        to=found.recipients,
        file=str(found.save(laptop)),
        opens=tuple(link for link in links if html.escape(link) in found.html and _opens(link)),
    )


def _await_champion(target: Target) -> Champion:
    """The champion, once the API serves it."""
    champion = target.champion()
    if champion is None:
        raise OpsError(
            "The gate refused the model, so nothing can be predicted.",
            "Look at the reasons in python -m ops status; give more rows or more --trials.",
        )
    if champion.previous is not None:
        since = time.time() - champion.promoted_at / 1000
        time.sleep(max(0.0, CHAMPION_CACHE_SECONDS + 1 - since))
    api = Api(target.deployment.api_url, target.api_key())
    served = lambda: api.get("/health")[1].get("version") == champion.version  # noqa: E731
    if not wait_until(served, seconds=30, pause=1):
        raise OpsError(f"The API doesn't serve {champion.version}.", "python -m ops status")
    return champion


def _predict(target: Target, scenario: Scenario, *, predictions: int, seed: int) -> Batch:
    """Send rows and wait for the next whole second, so that two windows don't overlap."""
    start = datetime.now(UTC).replace(microsecond=0)
    sent = simulate(target, rows=predictions, rate=500, batch=5, scenario=scenario, seed=seed)
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()))
    return Batch(sent, start, end)


def _opens(link: str) -> bool:
    """Whether a report's link, without any key, leads to a page."""
    try:
        with urllib.request.urlopen(link, timeout=30) as answer:
            return bool(answer.headers.get_content_type() == "text/html" and answer.read(1))
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False


def _count_logged(target: Target, rows: int, batch: Batch) -> RowsSent:
    """Rows sent and answered, and rows that Athena finds in the log."""
    days = sorted({batch.start.date().isoformat(), batch.end.date().isoformat()})
    _, found = query.query(
        target,
        f"SELECT count(*), count(DISTINCT prediction_id) FROM {views.LOG}"  # noqa: S608 - texts and numbers of our own
        f" WHERE dt IN ({', '.join(repr(day) for day in days)})"
        f" AND predicted_at >= {times.to_millis(batch.start)}"
        f" AND predicted_at < {times.to_millis(batch.end)}",
    )
    logged, distinct = (int(cell or 0) for cell in found[0])
    return RowsSent(sent=rows, answered=batch.sent.answered, logged=logged, distinct=distinct)


def _read_card(target: Target, champion: Champion) -> ChampionFigures:
    metrics = target.card(champion.version).metrics
    return ChampionFigures(version=champion.version, seq=champion.seq, metrics=metrics)
