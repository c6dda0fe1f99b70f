"""`demo`: the whole loop on this machine, from data to the alert mail, with its figures."""

import hashlib
import html
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from domain import keys
from domain.contract.contract import Contract
from domain.drift.alert_state import AlertState
from domain.drift.incident import Incident
from domain.drift.run_result import RunResult
from domain.model.champion import Champion
from domain.plural import write_count
from domain.typed_json import Json
from ops import executions
from ops.commands.data import sample_data, upload
from ops.commands.machine import mail, up
from ops.commands.models import train
from ops.commands.monitoring.drift import watch_drift
from ops.console import Answer, Checklist, write_answer
from ops.contract_changes import find_contract
from ops.errors import OpsError
from ops.laptop import Laptop
from ops.local.demo_figures import (
    ChampionFigures,
    Figures,
    SentMail,
    list_failures,
    tabulate,
)
from ops.loop import await_champion, count_logged, predict
from ops.samples.scenarios import Disturbance, Scenario, choose_scenario
from ops.target import Target

DEFAULT_TRIALS = 10


def run(
    target: Target,
    *,
    port: up.Port = None,
    mlflow_port: up.MlflowPort = None,
    mlflow_db: up.MlflowDb = None,
    contract: up.ContractPath = None,
    mail_to: up.MailTo = None,
    data: Annotated[
        Path | None, Option(help="Your own CSV or Parquet file (made-up rows).")
    ] = None,
    rows: Annotated[int, Option(help="How many made-up rows.")] = sample_data.DEFAULT_ROWS,
    seed: Annotated[int, Option(help="Seed of rows and predictions.")] = 1,
    trials: Annotated[int, Option(help="Trials of the search.")] = DEFAULT_TRIALS,
    predictions: Annotated[int, Option(min=1, help="Predictions of each kind.")] = 1000,
    scenario: Annotated[
        Scenario | None,
        Option(help="How the second kind of predictions is changed (shift, if there is a number)."),
    ] = None,
) -> Answer:
    """Run the whole loop, from data to the alert mail.

    It starts everything, trains, predicts, compares an undisturbed and a shifted window with the
    reference, and reads the mail that the shift sends. It ends with an open incident. It works with
    any contract, whose rows are made up unless you give some.
    """
    if scenario is Scenario.NONE:
        raise OpsError("The demo shows a shift, so it needs one.", "Choose another --scenario.")
    laptop = target.require_laptop("demo")
    figures, stations = Figures(), Checklist()
    path = laptop.folder / "demo.json"
    with stations.station("data") as station:
        rules = find_contract(target, contract)
        scenario = scenario or choose_scenario(rules)
        data = data or _sample(laptop.folder, rules, rows=rows, seed=seed)
        upload.plan([data], keys.RAW)
        station.result = str(data)
    laptop = up.start(
        target,
        port=port,
        mlflow_port=mlflow_port,
        mlflow_db=mlflow_db,
        contract=contract,
        mail_to=mail_to,
        stations=stations,
    )
    target = Target.on_laptop(laptop)
    with stations.station("upload") as station:
        uploaded = upload.upload(target, [data], replace=True, if_exists=upload.IfExists.OVERWRITE)
        files = len(uploaded.data["uploaded"]) + len(uploaded.data["unchanged"])
        station.result = f"{write_count(files, 'file')} in the data bucket"
    with stations.station("train") as station:
        verdict = train.describe_verdict(
            train.follow(target, executions.start(target, {"trials": trials}), trials=trials)
        )
        figures.training = verdict.data
        station.result = _describe_training(verdict.data)
    batch = partial(predict, target, predictions=predictions, seed=seed)
    with stations.station("predict") as station:
        champion = await_champion(target)
        undisturbed = batch(Disturbance())
        station.result = f"{undisturbed.sent.answered} answered"
    with stations.station("drift") as station:
        figures.runs["undisturbed"] = watch_drift(target, undisturbed.window)
        station.result = _describe_runs(figures.runs["undisturbed"])
    with stations.station("predict shifted") as station:
        shifted = batch(Disturbance(scenario=scenario))
        station.result = f"{shifted.sent.answered} answered. {shifted.sent.change}"
    _find_shift(target, shifted.window, figures, stations)
    with stations.station("query") as station:
        for name, sent in (("undisturbed", undisturbed), ("shifted", shifted)):
            figures.predictions[name] = count_logged(target, predictions, sent)
        logged = sum(count.distinct for count in figures.predictions.values())
        station.result = f"{write_count(logged, 'prediction')} in the log"
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
            "python -m ops open report shows the report. Two days without drift close the "
            f"incident: python -m ops simulate --rows {predictions}, then python -m ops drift "
            f"--as-scheduled --last-rows {predictions}, now and a day later. python -m ops down "
            "stops everything."
        ),
    )


def _sample(folder: Path, contract: Contract, *, rows: int, seed: int) -> Path:
    """A file that is made once: another contract, or way of writing, makes another."""
    content = hashlib.sha256(repr(contract).encode()).hexdigest()[:8]
    path = folder / f"sample-{contract.target}-{content}-{rows}-{seed}.csv"
    if not path.exists():
        sample_data.make(rows=rows, seed=seed, path=path, contract=contract)
    return path


def _describe_training(verdict: Mapping[str, Any]) -> str:
    f1 = verdict["metrics"].get("f1")
    figure = f", F1 {f1:.4f}" if f1 is not None else ""
    return f"{verdict['version']}{figure}, {'promoted' if verdict['promoted'] else 'kept out'}"


def _describe_runs(runs: Sequence[RunResult]) -> str:
    return ", ".join(found.outcome for found in runs) or "no run"


def _find_shift(
    target: Target, window: Mapping[str, Json], figures: Figures, stations: Checklist
) -> None:
    """Compare the shifted predictions with the reference, and read mail and incident."""
    laptop = target.require_laptop("demo")
    with stations.station("drift shifted") as station:
        known = {found.message_id for found in mail.read_mails(laptop)}
        # As the schedule would: that opens an incident, which mails. One that is open stays silent.
        how = "mail" if _read_incident(target).is_open else "scheduled"
        figures.runs["shifted"] = watch_drift(target, {**window, how: True})
        new = [found for found in mail.read_mails(laptop) if found.message_id not in known]
        station.result = _describe_runs(figures.runs["shifted"])
    links = [link for found in figures.runs["shifted"] for link in found.reports.values()]
    figures.mail = [_describe_mail(found, links, laptop) for found in new]
    with stations.station("incident") as station:
        incident = _read_incident(target)
        figures.incident = incident.drifted if incident.is_open else ()
        station.result = f"open: {', '.join(figures.incident)}" if incident.is_open else "none"


def _read_incident(target: Target) -> Incident:
    """The daily runs' incident, which may be closed."""
    state = target.bucket("reports").read(keys.ALERT_STATE, AlertState.from_json) or AlertState()
    return state.incident


def _describe_mail(found: mail.Mail, links: Sequence[str], laptop: Laptop) -> SentMail:
    """A mail, its file, and those of the reports' links in it that lead to a page."""
    return SentMail(
        subject=found.subject,
        to=found.recipients,
        file=str(found.save(laptop)),
        opens=tuple(link for link in links if html.escape(link) in found.html and _opens(link)),
    )


def _opens(link: str) -> bool:
    """Whether a report's link, without any key, leads to a page."""
    try:
        with urllib.request.urlopen(link, timeout=30) as answer:
            return bool(answer.headers.get_content_type() == "text/html" and answer.read(1))
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False


def _read_card(target: Target, champion: Champion) -> ChampionFigures:
    metrics = target.card(champion.version).metrics
    return ChampionFigures(version=champion.version, seq=champion.seq, metrics=metrics)
