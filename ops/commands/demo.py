"""`demo`: the whole circle on this machine, from data to the alert mail, with its figures."""

import argparse
import html
import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from domain import times
from domain.contract import views
from domain.model.champion import Champion
from domain.training.steps import Evaluated
from ops.api import Api
from ops.commands import mail, query, sample_data, train, up, upload
from ops.commands.drift import drift
from ops.commands.simulate import Sent, simulate
from ops.errors import OpsError
from ops.local.demo_figures import Figures, failures, summary
from ops.local.processes import wait_until
from ops.samples import scenarios
from ops.target import Target

DEFAULT_TRIALS = 10
CHAMPION_CACHE_SECONDS = 60
"""So long a warm predictor may serve the previous champion."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Those of `up`, and how big the demo is."""
    up.arguments(parser)
    parser.add_argument("--data", type=Path, help="your own CSV or Parquet (sample data)")
    parser.add_argument("--rows", type=int, default=sample_data.DEFAULT_ROWS, help="sample rows")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", type=int, default=DEFAULT_TRIALS, help="(%(default)s)")
    parser.add_argument("--predictions", type=int, default=1000, help="of each kind (%(default)s)")
    parser.add_argument(
        "--scenario", choices=[n for n in scenarios.NAMES if n != "none"], default="glucose"
    )


def run(args: argparse.Namespace, target: Target) -> str:
    """The command."""
    laptop = target.here("demo")
    figures = Figures()
    path = laptop.folder / "demo.json"
    with figures.step("data"):
        data = args.data or _sample(args, laptop.folder)
        upload.check([data])
    with figures.step("up"):
        laptop = up.up(args, target)
        target = Target.on_laptop(laptop)
    with figures.step("upload"):
        upload.upload(target, [data], replace=True)
    with figures.step("train"):
        execution = train.start(target, {"trials": args.trials})
        figures.training = _training(train.wait(target, execution, trials=args.trials))
    with figures.step("predict"):
        champion = _settled(target)
        undisturbed = _predict(target, args, "none")
    with figures.step("drift"):
        figures.runs["undisturbed"] = drift(target, undisturbed.window)
    with figures.step("predict shifted"):
        shifted = _predict(target, args, args.scenario)
    with figures.step("drift shifted"):
        known = {found.message_id for found in mail.mails(laptop)}
        figures.runs["shifted"] = drift(target, shifted.window | {"mail": True})
        new = [found for found in mail.mails(laptop) if found.message_id not in known]
    links = [link for found in figures.runs["shifted"] for link in found["reports"].values()]
    figures.mail = [
        {
            "subject": m.subject,
            "to": list(m.recipients),
            "file": str(m.save(laptop)),
            "opens": [link for link in links if html.escape(link) in m.html and _opens(link)],
        }
        for m in new
    ]
    with figures.step("query"):
        for name, batch in (("undisturbed", undisturbed), ("shifted", shifted)):
            figures.predictions[name] = _counts(target, args.predictions, batch)
    figures.champion = _card(target, champion)
    figures.urls = dict(up.urls(target))
    figures.failures = failures(figures)
    path.write_text(json.dumps(asdict(figures), indent=2))
    print(summary(figures))
    if figures.failures:
        raise OpsError(" ".join(figures.failures), f"See {path} and {laptop.folder / 'logs'}")
    return "python -m ops open report; python -m ops down stops everything"


@dataclass(frozen=True, slots=True)
class Batch:
    """Predictions of one kind: what was answered between two whole seconds."""

    sent: Sent
    start: datetime
    end: datetime

    @property
    def window(self) -> dict[str, Any]:
        """The drift request for exactly these."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat()}


def _sample(args: argparse.Namespace, folder: Path) -> Path:
    path = folder / f"sample-{args.rows}-{args.seed}.csv"
    if not path.exists():
        sample_data.make(rows=args.rows, seed=args.seed, path=path)
    return path


def _training(result: train.Result) -> dict[str, Any]:
    train.print_verdict(result)
    evaluated = result.step(Evaluated)
    return {
        "execution": result.execution,
        "promoted": result.promoted,
        "version": evaluated.version if evaluated else None,
        "metrics": evaluated.metrics if evaluated else None,
        "reasons": evaluated.reasons if evaluated else None,
    }


def _settled(target: Target) -> Champion:
    """The champion, once it is what the API serves."""
    champion = target.champion()
    if champion is None:
        raise OpsError(
            "The gate refused the model, so nothing can be predicted.",
            "Look at the reasons above; give more rows or more --trials.",
        )
    if champion.previous is not None:
        since = time.time() - champion.promoted_at / 1000
        time.sleep(max(0.0, CHAMPION_CACHE_SECONDS + 1 - since))
    api = Api(target.deployment.api_url, target.api_key())
    served = lambda: api.get("/health")[1].get("version") == champion.version  # noqa: E731
    if not wait_until(served, seconds=30, pause=1):
        raise OpsError(f"The API doesn't serve {champion.version}.", "python -m ops status")
    return champion


def _predict(target: Target, args: argparse.Namespace, scenario: str) -> Batch:
    """Send rows and wait for the next whole second, so that windows don't touch."""
    start = datetime.now(UTC).replace(microsecond=0)
    sent = simulate(
        target, rows=args.predictions, rate=500, batch=5, scenario=scenario, seed=args.seed
    )
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


def _counts(target: Target, rows: int, batch: Batch) -> dict[str, int]:
    """What was sent, answered, and what Athena says of the log."""
    days = sorted({batch.start.date().isoformat(), batch.end.date().isoformat()})
    _, found = query.query(
        target,
        f"SELECT count(*), count(DISTINCT prediction_id) FROM {views.LOG}"  # noqa: S608 - texts and numbers of our own
        f" WHERE dt IN ({', '.join(repr(day) for day in days)})"
        f" AND predicted_at >= {times.to_millis(batch.start)}"
        f" AND predicted_at < {times.to_millis(batch.end)}",
    )
    logged, distinct = (int(cell or 0) for cell in found[0])
    return {"sent": rows, "answered": batch.sent.answered, "logged": logged, "distinct": distinct}


def _card(target: Target, champion: Champion) -> dict[str, Any]:
    card = target.card(champion.version)
    return {"version": champion.version, "seq": champion.seq, "metrics": card.metrics}
