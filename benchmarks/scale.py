"""Measure time and memory of preparing, training and scoring ten million made-up rows.

Training is measured as the step that holds most: `evaluate` fits the final model, proves its export
on every test row, and scores the champion on them; `tune` holds only what it bins and fits.
Each is measured in a process of its own: CPU seconds of the call, peak of the process's resident
memory, packages included. Time is what one core takes, so other load hardly matters.
"""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.s3 import Bucket
from benchmarks.folder_bucket import FolderS3
from benchmarks.harness import Figure, main, measure_alone
from domain import keys
from domain.contract.contract import Contract
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from ops.commands.data import sample_data
from ops.laptop import ROOT

if TYPE_CHECKING:
    from adapters.registry import Tracking

ROWS = 10_000_000
TEXT_ROWS = 1_000_000
CHAMPION_ROWS = 10_000
PROVED_ROWS = 100_000
PARAMS = {"max_depth": 5, "learning_rate": 0.1, "min_child_weight": 10.0}
INPUT = f"{keys.RAW}sample.csv"


def measure(seed: int) -> Iterator[Figure]:
    """Measure one step after the other, since each needs the result of the one before."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        path = folder / "data" / INPUT
        path.parent.mkdir(parents=True)
        sample_data.make(rows=ROWS, seed=seed, path=path)
        made, seconds, peak = measure_alone(_prepare, folder)
        yield Figure("prepare, 10 M rows: rows/s per core", ROWS / seconds, "", ">= 300000")
        yield Figure("prepare: peak memory", peak / 1e9, "GB", "<= 1.3")
        plain, quoted = (
            measure_alone(_prepare_text, folder, quote, seed)[1] for quote in (False, True)
        )
        yield Figure("prepare, every field quoted, over unquoted", quoted / plain, "x", "<= 1.35")
        measure_alone(_make_experiment, folder)
        matrix, seconds, peak = measure_alone(_evaluate, folder, made)
        # A fit has values blanked, and XGBoost's matrix with missing values takes 124 bytes a row.
        ratio = peak / matrix
        yield Figure("evaluate, fit included: peak over float32 matrix", ratio, "x", "<= 3.6")
        yield Figure("evaluate: peak memory", peak / 1e9, "GB")
        yield Figure("evaluate: CPU seconds", seconds, "s")
        compared, seconds, peak = measure_alone(_prove, folder, made)
        yield Figure("proof of the exported model: CPU seconds", seconds, "s", "<= 60")
        yield Figure("proof: rows compared with XGBoost", compared / 1e6, "million")
        trees, seconds, peak = measure_alone(_score, folder)
        yield Figure("scoring, file to file: rows/s per core", ROWS / seconds, "", ">= 500000")
        yield Figure("scoring: trees of the model", trees, "")
        yield Figure("scoring: peak memory", peak / 1e9, "GB")


def _contract() -> Contract:
    return Contract.parse((ROOT / "contract.toml").read_text())


def _prepare(folder: Path) -> tuple[str, float]:
    from training_job.dataset.prepare import prepare

    began = time.process_time()
    made = prepare(
        contract=_contract(),
        bucket=FolderS3(folder).bucket("data"),
        raw_prefix=keys.RAW,
        salt="scale",
        bad_row_share=0.01,
        execution="prepare",
        say=lambda _: None,
    )
    return made.dataset_id, time.process_time() - began


def _prepare_text(folder: Path, quote: bool, seed: int) -> tuple[None, float]:
    """The same rows with quotes around nothing, or around every field."""
    import csv

    place = folder / f"quoted-{quote}"
    plain = place / "plain.csv"
    path = place / "data" / INPUT
    path.parent.mkdir(parents=True)
    sample_data.make(rows=TEXT_ROWS, seed=seed, path=plain)
    with plain.open(newline="") as source, path.open("w", newline="") as target:
        writer = csv.writer(target, quoting=csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL)
        writer.writerows(csv.reader(source))
    plain.unlink()
    return None, _prepare(place)[1]


def _evaluate(folder: Path, dataset_id: str) -> tuple[int, float]:
    """Fit, prove, judge against a champion, store; returns the bytes of train as float32."""
    from domain.contract.gate_limits import GateLimits
    from training_job.dataset.dataset import opened
    from training_job.evaluation.evaluate import evaluate
    from training_job.model.export import export
    from training_job.model.model import TrainingData, fit

    contract, buckets = _contract(), FolderS3(folder)
    data, models = buckets.bucket("data"), buckets.bucket("models")
    with opened(data, dataset_id, "valid", contract) as valid:
        some = next(valid.batches(CHAMPION_ROWS))
    stump = fit(TrainingData.of(some, some, contract, seed=1), {"max_depth": 1}, seed=1)
    _crown(models, Bundle(contract, export(stump.booster), stump.threshold).to_bytes())
    tracking = _tracking(folder)
    began = time.process_time()
    found = evaluate(
        contract=contract,
        data=data,
        models=models,
        tracking=tracking,
        dataset_id=dataset_id,
        params=PARAMS,
        execution="scale",
        seed=1,
        limits=GateLimits(minimum_f1=0.0),
        say=lambda _: None,
    )
    seconds = time.process_time() - began
    stored = models.get(keys.bundle(found.version))
    assert stored is not None
    _crown(models, stored.data, number=int(keys.registry_number(found.version)))
    rows = json.loads((folder / "data" / keys.manifest(dataset_id)).read_text())["splits"]
    width = len(contract.encoded_names) * 4
    return rows["train"]["rows"] * width, seconds


def _prove(folder: Path, dataset_id: str) -> tuple[int, float]:
    """Prove a model of as many trees as the one that `_evaluate` stored, fitted to fewer rows."""
    import xgboost as xgb

    from training_job.dataset.dataset import Split, opened
    from training_job.model.encoding import encode
    from training_job.model.export import export
    from training_job.model.model import complete
    from training_job.model.proof import prove
    from training_job.scoring.batch_scorer import load

    contract, buckets = _contract(), FolderS3(folder)
    data = buckets.bucket("data")
    trees = len(load(buckets.bucket("models"), None).bundle.forest.roots)
    with opened(data, dataset_id, "valid", contract) as valid:
        some = next(valid.batches(PROVED_ROWS))
    matrix = xgb.QuantileDMatrix(encode(some.table, contract), some.labels, nthread=1)
    booster = xgb.train(complete(PARAMS, contract.monotone, seed=1), matrix, trees)
    bundle = Bundle(contract, export(booster), 0.5)
    test = Split.download(data, dataset_id, "test", contract)
    began = time.process_time()
    compared = prove(bundle, booster, test)
    return compared, time.process_time() - began


def _make_experiment(folder: Path) -> tuple[None, float]:
    """Apart, as a server does it for a training: its database takes no memory of the step."""
    tracking = _tracking(folder)
    tracking.client.create_experiment(tracking.model_name, f"{folder}/artifacts")
    return None, 0.0


def _tracking(folder: Path) -> "Tracking":
    from adapters.registry import Tracking

    return Tracking(f"sqlite:///{folder}/mlflow.db", "scale")


def _crown(models: Bucket, content: bytes, *, number: int = 1) -> None:
    model = ModelRef.of(number, digest(content))
    models.put(model.bundle_key, content)
    champion = Champion.successor(None, model, action="promote", execution="scale", now=1)
    models.put(keys.CHAMPION, champion.to_json())


def _score(folder: Path) -> tuple[int, float]:
    from training_job.scoring.batch_scorer import load
    from training_job.scoring.score import score
    from training_job.scoring.score_request import ScoreRequest

    buckets = FolderS3(folder)
    models = buckets.bucket("models")
    began = time.process_time()
    score(
        request=ScoreRequest(input=INPUT, output=f"{keys.SCORING}out/"),
        data=buckets.bucket("data"),
        models=models,
        predictions=buckets.bucket("predictions"),
        say=lambda _: None,
    )
    seconds = time.process_time() - began
    return len(load(models, None).bundle.forest.roots), seconds


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main("scale", measure)
