"""Take made-up tables through the loop: from the file to the drift run, and to the templates.

Each step runs in a process of its own: CPU seconds, which other load hardly changes, and the peak
of its resident memory, packages included. A folder stands in for the buckets and SQLite for
MLflow's server, so that no server's time is measured. The search has TRIALS trials in one process.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness import Figure, measure_alone
from benchmarks.monitoring.cost import bucket_of
from domain import keys
from domain.contract.contract import Contract
from domain.contract.feature import Feature, Value
from ops.laptop import ROOT

if TYPE_CHECKING:
    from adapters.registry import Tracking

DAY = 24 * 60 * 60 * 1_000
"""In milliseconds."""
TRIALS = 3
WINDOW_ROWS = 10_000
RUNS = 90
"""Drift runs, as many as the dashboard's trends show."""


@dataclass(frozen=True)
class Case:
    """A table: so many features of each kind, and rows."""

    rows: int
    numbers: int
    flags: int
    categories: tuple[int, ...]
    """One feature for each: how many categories it has."""

    @property
    def contract(self) -> Contract:
        """Its contract; the names are as long as people make them."""
        features = [
            Feature(name=f"measured_value_{n:03}", kind="number", minimum=0, maximum=1_000)
            for n in range(self.numbers)
        ]
        features += [Feature(name=f"has_property_{n:03}", kind="flag") for n in range(self.flags)]
        features += [
            Feature(name=f"kind_of_thing_{n:03}", kind="category", categories=_name(count, n))
            for n, count in enumerate(self.categories)
        ]
        return Contract(features=tuple(features), target="outcome")


def _name(count: int, number: int) -> tuple[str, ...]:
    """Names of categories that look random, as product numbers and places do."""
    import numpy as np

    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    drawn = np.random.default_rng(number).choice(letters, (2 * count, 10))
    return tuple(dict.fromkeys(map("".join, drawn)))[:count]


CASES = {
    "long": Case(rows=1_000_000, numbers=4, flags=2, categories=(3, 6)),
    "wide": Case(rows=100_000, numbers=60, flags=20, categories=(5,) * 20),
    "categories": Case(rows=100_000, numbers=4, flags=2, categories=(3, 1_000)),
}
"""1,000,000 rows; 100 columns; a column of 1,000 categories."""


def measure(names: Sequence[str], seed: int) -> Iterator[Figure]:
    """All figures of those cases."""
    for name in names:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            yield from _measure_case(name, CASES[name], Path(folder), seed)


def _measure_case(name: str, case: Case, folder: Path, seed: int) -> Iterator[Figure]:
    contract = case.contract
    shape = f"{len(contract.features)} columns, {case.rows:,} rows"
    yield Figure(f"{name} ({shape}): columns of the encoder", len(contract.encoded_names), "")

    def alone(step: str, work: Callable[..., Any], *arguments: Any) -> Iterator[Figure]:
        result, seconds, peak = measure_alone(work, case, folder, *arguments)
        yield Figure(f"{name}: {step}", seconds, "CPU s")
        yield Figure(f"{name}: {step}, peak memory", peak / 1e9, "GB")
        for figure, value, unit in result:
            yield Figure(f"{name}: {figure}", value, unit)

    measure_alone(_make, case, folder, seed)
    yield from alone("contract infer", _infer)
    yield from alone("prepare", _prepare)
    measure_alone(_make_experiment, case, folder)
    yield from alone(f"search of {TRIALS} trials", _tune)
    yield from alone("evaluate, final fit included", _evaluate)
    yield from alone("predictor: load, one and 1,000 instances", _predict)
    yield from alone(f"score {case.rows:,} rows", _score)
    yield from alone(f"drift run of {WINDOW_ROWS:,} predictions", _watch)
    yield from alone(f"dashboard: {RUNS} runs", _show)
    yield from alone("synthesis", _synthesise)


def _count_cpu_seconds() -> float:
    """CPU seconds of this process and of those that it started and that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


Found = tuple[list[tuple[str, float, str]], float]
"""Further figures as ``(name, value, unit)``, and the seconds that the step took."""


def _make(case: Case, folder: Path, seed: int) -> Found:
    from ops.commands.data import sample_data

    path = folder / "bucket" / keys.RAW / "rows.csv"
    sample_data.write(rows=case.rows, seed=seed, path=path, contract=case.contract)
    window = folder / "bucket" / keys.SCORING / "window.csv"
    sample_data.write(rows=WINDOW_ROWS, seed=seed + 1, path=window, contract=case.contract)
    return [], 0.0


def _infer(case: Case, folder: Path) -> Found:
    from ops.drafting import document
    from ops.drafting.draft import draft
    from ops.drafting.table import read_table

    path = folder / "bucket" / keys.RAW / "rows.csv"
    began = _count_cpu_seconds()
    table = read_table(path, lambda _: None, lambda _: None)
    made = draft(table, target="outcome", key=None, subject=None, positive=None)
    text = document.write(made, file=path.name, rows=table.rows)
    seconds = _count_cpu_seconds() - began
    drafted = Contract.parse(text)
    assert len(drafted.features) == len(case.contract.features)
    return [("the file", path.stat().st_size / 1e6, "MB")], seconds


def _prepare(case: Case, folder: Path) -> Found:
    from training_job.dataset.prepare import prepare

    began = _count_cpu_seconds()
    made = prepare(
        contract=case.contract,
        bucket=bucket_of(folder),
        raw_prefix=keys.RAW,
        salt="limits",
        bad_row_share=0.01,
        execution="limits",
        say=lambda _: None,
    )
    seconds = _count_cpu_seconds() - began
    (folder / "dataset").write_text(made.dataset_id)
    manifest = bucket_of(folder).get(keys.manifest(made.dataset_id))
    assert manifest is not None
    return [("manifest", len(manifest.data) / 1e3, "kB")], seconds


def _make_experiment(_: Case, folder: Path) -> Found:
    """Apart, as a server does it for a training: its database takes no memory of the step."""
    tracking = _tracking(folder)
    tracking.client.create_experiment(tracking.model_name, f"{folder}/artifacts")
    return [], 0.0


def _tracking(folder: Path) -> "Tracking":
    from adapters.registry import Tracking

    return Tracking(f"sqlite:///{folder}/mlflow.db", "limits")


def _common(case: Case, folder: Path) -> dict[str, Any]:
    bucket = bucket_of(folder)
    return {
        "contract": case.contract,
        "data": bucket,
        "models": bucket,
        "tracking": _tracking(folder),
        "dataset_id": (folder / "dataset").read_text(),
        "execution": "limits",
        "seed": 1,
        "say": lambda _: None,
    }


def _tune(case: Case, folder: Path) -> Found:
    from training_job.search.tune import tune

    common = _common(case, folder)
    began = _count_cpu_seconds()
    best = tune(**common, trials=TRIALS, processes=1)
    seconds = _count_cpu_seconds() - began
    (folder / "params").write_text(json.dumps(dict(best.params)))
    return [], seconds


def _evaluate(case: Case, folder: Path) -> Found:
    from domain.contract.gate_limits import GateLimits
    from training_job.evaluation.evaluate import evaluate

    common = _common(case, folder)
    params = json.loads((folder / "params").read_text())
    began = _count_cpu_seconds()
    found = evaluate(**common, params=params, limits=GateLimits(minimum_f1=0.0))
    seconds = _count_cpu_seconds() - began
    (folder / "version").write_text(found.version)
    sizes = [
        (name, (folder / "bucket" / place(found.version)).stat().st_size / 1e3, "kB")
        for name, place in (
            ("bundle", keys.bundle),
            ("card", keys.card),
            ("reference sample", keys.reference),
        )
    ]
    auc = ("test ROC AUC", dict(found.metrics)["roc_auc"], "")
    return [*sizes, auc], seconds


def _instances(case: Case, folder: Path, rows: int) -> list[dict[str, Value]]:
    import pyarrow.csv

    table = pyarrow.csv.read_csv(folder / "bucket" / keys.SCORING / "window.csv")
    listed: list[dict[str, Value]] = table.slice(0, rows).to_pylist()
    names = case.contract.names
    return [{name: row[name] for name in row if name in names} for row in listed]


def _predict(case: Case, folder: Path) -> Found:
    """The predictor's own work on a body, without a server around it."""
    from domain.api.openapi import build_document
    from domain.api.requests import parse_json
    from domain.model.bundle import Bundle, digest

    contract = case.contract
    content = (folder / "bucket" / keys.bundle((folder / "version").read_text())).read_bytes()
    bodies = [json.dumps(row).encode() for row in _instances(case, folder, 1_000)]
    began, loading = _count_cpu_seconds(), time.process_time()
    bundle = Bundle.from_bytes(content, digest(content))
    bundle.probability(contract.row(parse_json(bodies[0])))
    loaded = time.process_time() - loading
    batch = time.process_time()
    for body in bodies:
        instance = parse_json(body)
        assert not contract.validate(instance)
        bundle.probability(contract.row(instance))
    each = (time.process_time() - batch) / len(bodies)
    row = contract.row(parse_json(bodies[0]))
    bundle.explain(row)
    explaining = time.process_time()
    for _ in range(5):
        bundle.explain(row)
    explained = (time.process_time() - explaining) / 5
    document = json.dumps(build_document(contract)).encode()
    seconds = _count_cpu_seconds() - began
    return [
        ("predictor: loading the bundle", loaded, "s"),
        ("predictor: an instance", 1_000 * each, "ms"),
        ("predictor: an instance explained", 1_000 * explained, "ms"),
        ("predictor: body of 1,000 instances", sum(map(len, bodies)) / 1e6, "MB"),
        ("predictor: OpenAPI document", len(document) / 1e3, "kB"),
    ], seconds


def _score(_: Case, folder: Path) -> Found:
    """All raw rows; then those of the window, which are logged."""
    from training_job.scoring.score import score
    from training_job.scoring.score_request import ScoreRequest

    bucket, version = bucket_of(folder), (folder / "version").read_text()

    def run(source: str, output: str, log: bool) -> None:
        request = ScoreRequest(input=source, output=output, version=version, log=log)
        score(request=request, data=bucket, models=bucket, predictions=bucket, say=lambda _: None)

    began = _count_cpu_seconds()
    run(f"{keys.RAW}rows.csv", f"{keys.SCORING}all/", log=False)
    seconds = _count_cpu_seconds() - began
    run(f"{keys.SCORING}window.csv", f"{keys.SCORING}out/", log=True)
    return [], seconds


def _watch(_: Case, folder: Path) -> Found:
    """The window's rows, as a whole run with its reports."""
    from domain.api.report_token import ReportSecret
    from domain.drift.drift_request import DriftRequest
    from domain.drift.window import Window
    from monitoring_job.alerts.links import Links
    from monitoring_job.alerts.notifier import Notifier
    from monitoring_job.monitor import Stores, monitor

    bucket, unused = bucket_of(folder), None
    now = datetime.now(UTC)
    notifier: Any = Notifier(
        mailer=unused,  # type: ignore[arg-type]  # nobody is notified
        topic=unused,  # type: ignore[arg-type]
        bus=unused,  # type: ignore[arg-type]
        links=Links("https://localhost", ReportSecret("s" * 40)),
        stage="dev",
        command="ops",
    )
    began = _count_cpu_seconds()
    summary = monitor(
        request=DriftRequest(window=Window.of_day(now.date()), scheduled=False, mail=False),
        now=now,
        stores=Stores(models=bucket, predictions=bucket, reports=bucket),
        notifier=notifier,
        minimum_rows=300,
        sample_rows=100_000,
        owner="benchmark",
    )[0]
    seconds = _count_cpu_seconds() - began
    assert summary.rows.logged == WINDOW_ROWS
    assert not summary.problems, summary.problems
    pages = [bucket.get(keys.report(summary.id, name)) for name in summary.reports]
    largest = max(len(page.data) for page in pages if page)
    text = len(summary.to_json())
    return [
        ("drift run: reports", len(pages), ""),
        ("drift run: largest report", largest / 1e6, "MB"),
        ("drift run: summary", text / 1e3, "kB"),
    ], seconds


def _show(_: Case, folder: Path) -> Found:
    """What the dashboard answers with; beside the one run, earlier ones that found the same."""
    from adapters.api.rest import answer
    from domain.api.report_token import ReportSecret
    from domain.drift.run_index import IndexEntry, RunIndex
    from domain.drift.summary import Summary, run_id
    from domain.typed_json import encode
    from lambdas.dashboard.models import Models
    from lambdas.dashboard.report import SecretCache
    from lambdas.dashboard.runs import Runs
    from lambdas.dashboard.trends import read_trends

    bucket, nothing = bucket_of(folder), None
    (listed,) = RunIndex.from_json((folder / "bucket" / keys.RUN_INDEX).read_bytes()).entries
    path = folder / "bucket" / keys.summary(keys.RunId.parse(listed.run_id))
    summary, index = Summary.from_json(path.read_bytes()), RunIndex()
    for day in range(RUNS):
        start, end = summary.start - day * DAY, summary.end - day * DAY
        named = str(run_id(start=start, end=end, version=summary.version))
        run = replace(summary, run_id=named, start=start, end=end)
        bucket.put(keys.summary(run.id), run.to_json())
        index = index.with_run(IndexEntry.of(run))
    bucket.put(keys.RUN_INDEX, index.to_json())
    runs = Runs(
        reports=bucket,
        models=bucket,
        secrets=SecretCache(lambda: ReportSecret("s" * 40)),
        schedules=nothing,  # type: ignore[arg-type]  # no answer below asks for it
    )
    version = (folder / "version").read_text()
    card = Models(bucket, bucket, "python -m ops").card(version)
    answers: list[tuple[str, Callable[[], Any]]] = [
        ("trends", lambda: encode(read_trends(bucket, bucket))),
        ("a run", lambda: encode(runs.run(listed.run_id))),
        ("a model", card.to_dict),
    ]
    began = _count_cpu_seconds()
    figures = []
    for name, make in answers:
        once = time.process_time()
        body = answer(HTTPStatus.OK, make())["body"]
        figures += [
            (f"dashboard: {name}", time.process_time() - once, "CPU s"),
            (f"dashboard: {name}, answer", len(body.encode()) / 1e6, "MB"),
        ]
    return figures, _count_cpu_seconds() - began


def _synthesise(case: Case, folder: Path) -> Found:
    """The templates for an account, and the largest of what AWS limits in them."""
    from aws_cdk import App

    from app import build
    from stacks.settings import Settings

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    path = folder / "contract.toml"
    path.write_text(_to_toml(case.contract))
    context |= {"stage": "dev", "mail_from": "a@example.org", "contract": str(path)}
    began = _count_cpu_seconds()
    app = App(context=context, outdir=str(folder / "assembly"))
    build(app, Settings.from_context(app.node.try_get_context, ROOT))
    app.synth()
    seconds = _count_cpu_seconds() - began
    templates = list((folder / "assembly").glob("*.template.json"))
    definitions, environments = [0], [0]
    for template in templates:
        for resource in json.loads(template.read_text())["Resources"].values():
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::ECS::TaskDefinition":
                definitions.append(len(json.dumps(properties)))
            if resource["Type"] == "AWS::Lambda::Function":
                environments.append(len(json.dumps(properties.get("Environment", {}))))
    return [
        ("contract.toml", path.stat().st_size / 1e3, "kB"),
        ("largest template", max(path.stat().st_size for path in templates) / 1e3, "kB"),
        ("largest task definition", max(definitions) / 1e3, "kB"),
        ("largest environment of a function", max(environments) / 1e3, "kB"),
    ], seconds


def _to_toml(contract: Contract) -> str:
    """The contract as a person would write it."""
    lines = ["[target]", f'name = "{contract.target}"']
    for feature in contract.features:
        lines += ["", "[[features]]", f'name = "{feature.name}"', f'kind = "{feature.kind}"']
        if feature.kind == "number":
            lines += [f"minimum = {feature.minimum}", f"maximum = {feature.maximum}"]
        if feature.kind == "category":
            lines += [f"categories = {json.dumps(list(feature.categories))}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
