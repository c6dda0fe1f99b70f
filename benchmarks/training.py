"""Quality of the whole training on the real data set, over several split salts.

Runs the training's own steps against an emulator of its own. DIABETES_CSV names
the Kaggle "diabetes prediction dataset"; without it the sample data is measured, without a target.

One salt's 12,500 test rows move F1 by 0.010 either way, so the mean of ten has a standard error of
0.003. The difference to a plain XGBoost model of the same rows has less of that noise.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from sklearn.metrics import f1_score
from xgboost import XGBClassifier

from adapters import aws
from adapters.registry import Tracking
from adapters.s3 import Bucket
from benchmarks.harness import Figure, main
from domain import keys
from domain.contract.contract import Contract
from domain.contract.gate_limits import GateLimits
from ops.commands.data import sample_data
from ops.laptop import ROOT, Laptop
from ops.local import emulator
from ops.local.processes import free_port
from training_job.dataset.dataset import Split
from training_job.dataset.prepare import prepare
from training_job.evaluation.evaluate import evaluate
from training_job.model.encoding import encode
from training_job.search.tune import tune

SALTS = 10
TRIALS = 30
SAMPLE_ROWS = 100_000


def measure(seed: int) -> Iterator[Figure]:
    """Mean test F1 and ROC AUC over the salts, F1 beside a plain model's, seconds of a training."""
    real = os.environ.get("DIABETES_CSV", "")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        laptop = Laptop(folder=Path(folder), aws_port=free_port(), mlflow_port=free_port())
        emulator.start(laptop, os.environ)
        os.environ.update(laptop.aws_env())
        os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
        try:
            path = Path(real) if real else _sample(Path(folder), seed)
            results = [_train(laptop, path, salt=str(n), seed=seed) for n in range(SALTS)]
        finally:
            emulator.stop(laptop)
    name = "real CSV" if real else "sample data"
    f1 = [metrics["f1"] for metrics, _, _ in results]
    auc = [metrics["roc_auc"] for metrics, _, _ in results]
    gained = [metrics["f1"] - plain for metrics, plain, _ in results]
    prefix = f"{name}, {SALTS} salts, {TRIALS} trials"
    yield Figure(f"test F1, mean ({prefix})", mean(f1), "", ">= 0.79" if real else "")
    yield Figure("test F1, standard deviation between salts", stdev(f1), "")
    yield Figure(
        "test F1 above plain XGBoost's, mean", mean(gained), "", ">= -0.003" if real else ""
    )
    yield Figure("the same, standard error", stdev(gained) / SALTS**0.5, "")
    yield Figure("test ROC AUC, mean", mean(auc), "", ">= 0.978" if real else "")
    seconds = [taken for _, _, taken in results]
    yield Figure("seconds per training, mean", mean(seconds), "s")
    yield Figure("seconds per training, longest", max(seconds), "s", "<= 180")


def _sample(folder: Path, seed: int) -> Path:
    path = folder / "sample.csv"
    sample_data.make(rows=SAMPLE_ROWS, seed=seed, path=path)
    return path


def _train(
    laptop: Laptop, path: Path, *, salt: str, seed: int
) -> tuple[dict[str, float], float, float]:
    """Prepare, tune and evaluate in fresh buckets: test metrics, a plain model's F1, seconds."""
    began = time.perf_counter()
    client = aws.client("s3", timeout_seconds=60)
    data, models = (Bucket(client, f"{kind}-{salt}") for kind in ("data", "models"))
    for bucket in (data, models):
        client.create_bucket(Bucket=bucket.name)
    data.upload(path, f"{keys.RAW}data.csv")
    contract = Contract.parse((ROOT / "contract.toml").read_text())
    # A local file store: what is measured here is the model, not the tracking server.
    tracking = Tracking(f"sqlite:///{laptop.folder}/mlflow-{salt}.db", "benchmark")
    tracking.client.create_experiment(tracking.model_name, f"{laptop.folder}/artifacts-{salt}")
    dataset = prepare(
        contract=contract,
        bucket=data,
        raw_prefix=keys.RAW,
        salt=salt,
        bad_row_share=0.01,
        execution="prepare",
        say=lambda _: None,
    )
    common: dict[str, Any] = {
        "contract": contract,
        "data": data,
        "models": models,
        "tracking": tracking,
        "dataset_id": dataset.dataset_id,
        "execution": f"salt-{salt}",
        "seed": seed,
        "say": lambda _: None,
    }
    best = tune(**common, trials=TRIALS, processes=0)
    evaluated = evaluate(**common, params=best.params, limits=GateLimits(minimum_f1=0.0))
    seconds = time.perf_counter() - began
    metrics = dict(evaluated.metrics)
    plain = _plain_f1(data, dataset.dataset_id, contract, seed)
    print(f"salt {salt}: test F1 {metrics['f1']:.4f}, {plain:.4f}")
    return metrics, plain, seconds


def _plain_f1(data: Bucket, dataset_id: str, contract: Contract, seed: int) -> float:
    """Test F1 of XGBoost with its default parameters, stopped early, deciding at 0.5."""
    train, valid, test = (
        Split.download(data, dataset_id, side, contract) for side in ("train", "valid", "test")
    )
    model = XGBClassifier(n_estimators=600, early_stopping_rounds=25, n_jobs=1, random_state=seed)
    model.fit(
        encode(train.table, contract),
        train.labels,
        eval_set=[(encode(valid.table, contract), valid.labels)],
        verbose=False,
    )
    answers = model.predict_proba(encode(test.table, contract))[:, 1] >= 0.5
    return float(f1_score(test.labels, answers))


if __name__ == "__main__":
    main("training", measure)
