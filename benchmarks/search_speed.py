"""The search against the usual way of writing one: same data, split, space, sampler and trials.

The baseline turns rows into dictionaries for a DictVectorizer, lets `xgb.train` compute F1 in
Python after every round, decides at 0.5, and logs each trial's model to MLflow. As usual it watches
the training rows too, so it computes F1 on those as well. Of our code it uses only the reading of
the splits and the search space. Both run in one process with one thread, after a short search that
pays for what a process does only once. They are compared by CPU seconds, which other load hardly
changes. DIABETES_CSV names the real data set; without it the sample data is measured.
"""

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from adapters.registry import Tracking
from benchmarks.folder_bucket import FolderS3
from benchmarks.harness import Figure, main
from domain import keys
from domain.contract.contract import Contract
from ops.commands.data import sample_data
from ops.laptop import ROOT
from training_job.dataset.dataset import Split
from training_job.dataset.prepare import prepare
from training_job.model.encoding import encode
from training_job.model.model import TrainingData, fit, predict
from training_job.search.study import space
from training_job.search.tune import tune

TRIALS = 12
WARM_UP_TRIALS = 2
SAMPLE_ROWS = 100_000
ROUNDS, PATIENCE = 600, 25


def measure(seed: int) -> Iterator[Figure]:
    """Ours with one process, ours with two, then the baseline."""
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    real = os.environ.get("DIABETES_CSV", "")
    contract = Contract.parse((ROOT / "contract.toml").read_text())
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        path = folder / "data" / keys.RAW / "data.csv"
        path.parent.mkdir(parents=True)
        if real:
            path.symlink_to(Path(real).resolve())
        else:
            sample_data.make(rows=SAMPLE_ROWS, seed=seed, path=path)
        data = FolderS3(folder).bucket("data")
        dataset_id = prepare(
            contract=contract,
            bucket=data,
            raw_prefix=keys.RAW,
            salt="speed",
            bad_row_share=0.01,
            execution="prepare",
            say=lambda _: None,
        ).dataset_id
        splits = {
            side: Split.read(folder / "data" / keys.dataset(dataset_id, side), contract=contract)
            for side in keys.SPLITS
        }
        ours = partial(
            _ours,
            folder=folder,
            contract=contract,
            tracking=_tracking(folder, "ours"),
            dataset_id=dataset_id,
            splits=splits,
            seed=seed,
        )
        ours(processes=1, trials=WARM_UP_TRIALS)
        single, one_cpu, f1 = ours(processes=1)
        _, two_cpu, _ = ours(processes=2)
        baseline, baseline_cpu, baseline_f1 = _baseline(folder, contract, splits, seed)
    yield Figure("seconds per trial, one process", single, "s")
    yield Figure("seconds per trial, baseline", baseline, "s")
    yield Figure("baseline / ours, seconds per trial", baseline / single, "x")
    yield Figure("baseline / ours, CPU seconds per trial", baseline_cpu / one_cpu, "x", ">= 5")
    yield Figure("test F1, ours - baseline", f1 - baseline_f1, "", ">= 0")
    yield Figure("CPU seconds per trial, 2 processes / 1", two_cpu / one_cpu, "x", "<= 1.15")


def _tracking(folder: Path, name: str) -> Tracking:
    tracking = Tracking(f"sqlite:///{folder}/{name}.db", name)
    tracking.client.create_experiment(name, f"{folder}/{name}-artifacts")
    return tracking


def _ours(
    *,
    folder: Path,
    contract: Contract,
    tracking: Tracking,
    dataset_id: str,
    splits: dict[str, Split],
    processes: int,
    seed: int,
    trials: int = TRIALS,
) -> tuple[float, float, float]:
    """``(seconds, CPU seconds)`` per trial, and the test F1 of the best."""
    buckets = FolderS3(folder)
    began, cpu = time.perf_counter(), _cpu()
    best = tune(
        contract=contract,
        data=buckets.bucket("data"),
        models=buckets.bucket("models"),
        tracking=tracking,
        dataset_id=dataset_id,
        execution=f"{processes}-processes-{trials}-trials",
        trials=trials,
        processes=processes,
        seed=seed,
        say=lambda _: None,
    )
    seconds, cpu = time.perf_counter() - began, _cpu() - cpu
    binned = TrainingData.of(splits["train"], splits["valid"], contract, seed=seed)
    fitted = fit(binned, best.params, seed=seed)
    scores = predict(fitted.booster, encode(splits["test"].table, contract))
    f1 = float(f1_score(splits["test"].labels, scores >= fitted.threshold))
    return seconds / trials, cpu / trials, f1


def _cpu() -> float:
    """CPU seconds of this process and its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _baseline(
    folder: Path, contract: Contract, splits: dict[str, Split], seed: int
) -> tuple[float, float, float]:
    """``(seconds, CPU seconds)`` per trial, and the test F1 of the best."""
    import mlflow
    import mlflow.xgboost
    import optuna
    import xgboost as xgb
    from sklearn.feature_extraction import DictVectorizer

    tracking = _tracking(folder, "baseline")
    mlflow.set_tracking_uri(tracking.uri)
    mlflow.set_experiment("baseline")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    began, cpu = time.perf_counter(), _cpu()
    vectorizer = DictVectorizer()
    names = [feature.name for feature in contract.features]
    records = {
        side: split.table.select(names).to_pandas().to_dict(orient="records")
        for side, split in splits.items()
    }
    vectorizer.fit(records["train"])
    matrices = {
        side: xgb.DMatrix(vectorizer.transform(records[side]), splits[side].labels, nthread=1)
        for side in splits
    }
    fitted: list[tuple[float, xgb.Booster]] = []

    def f1_metric(scores: Any, matrix: Any) -> tuple[str, float]:
        return "f1", float(f1_score(matrix.get_label().astype(np.int8), scores >= 0.5))

    def objective(trial: optuna.Trial) -> float:
        params = space(trial)
        with mlflow.start_run():
            booster = xgb.train(
                {**params, "objective": "binary:logistic", "nthread": 1, "seed": seed},
                matrices["train"],
                num_boost_round=ROUNDS,
                evals=[(matrices["train"], "train"), (matrices["valid"], "valid")],
                custom_metric=f1_metric,
                maximize=True,
                early_stopping_rounds=PATIENCE,
                verbose_eval=False,
            )
            score = float(booster.best_score)
            mlflow.log_params(params)
            mlflow.log_metric("f1", score)
            mlflow.xgboost.log_model(booster, name="model")
        fitted.append((score, booster))
        return score

    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True)
    )
    study.optimize(objective, n_trials=TRIALS)
    seconds, cpu = time.perf_counter() - began, _cpu() - cpu
    _, best = max(fitted, key=lambda pair: pair[0])
    scores = best.predict(matrices["test"], iteration_range=(0, best.best_iteration + 1))
    f1 = float(f1_score(splits["test"].labels, scores >= 0.5))
    return seconds / TRIALS, cpu / TRIALS, f1


if __name__ == "__main__":
    main("search_speed", measure)
