"""Tables that others made pass the whole loop without a change of the code."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pyarrow.parquet as pq
import pytest
import urllib3
import xgboost
from sklearn.metrics import roc_auc_score

from domain import keys
from domain.contract.contract import Contract
from ops.api import Api
from ops.target import Target
from tests.e2e.conftest import brought_up, ops
from tests.repository import ROOT

TABLES = ROOT / "examples" / "tables"
TRIALS = 5
MOST_SENT, MINIMUM_ROWS = 400, 100


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, TABLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _read_split(target: Target, folder: Path, dataset: str, split: str) -> pd.DataFrame:
    path = folder / f"{split}.parquet"
    target.bucket("data").download(keys.dataset(dataset, split), path)
    frame: pd.DataFrame = pq.read_table(path).to_pandas()
    return frame


def _search_plainly(
    contract: Contract, splits: dict[str, pd.DataFrame]
) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Scores on the test rows by XGBoost, whose parameters Optuna chose in as many trials."""

    def matrix(split: str) -> xgboost.DMatrix:
        frame = splits[split]
        features = {
            f.name: pd.Categorical(frame[f.name], f.categories)
            if f.kind == "category"
            else frame[f.name].astype(float)
            for f in contract.features
        }
        label = frame[contract.target].astype(float)
        return xgboost.DMatrix(pd.DataFrame(features), label, enable_categorical=True)

    train, valid, test = (matrix(split) for split in ("train", "valid", "test"))

    def fit(trial: optuna.Trial) -> float:
        booster = xgboost.train(
            {
                "objective": "binary:logistic",
                "nthread": 1,
                "seed": 0,
                "max_depth": trial.suggest_int("max_depth", 2, 8),
                "eta": trial.suggest_float("eta", 0.02, 0.3, log=True),
                "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 10, log=True),
                "subsample": trial.suggest_float("subsample", 0.6, 1.0),
                "colsample_bytree": trial.suggest_float("colsample_bytree", 0.5, 1.0),
            },
            train,
            num_boost_round=500,
            evals=[(valid, "valid")],
            early_stopping_rounds=30,
            verbose_eval=False,
        )
        rounds = (0, booster.best_iteration + 1)
        trial.set_user_attr("scores", booster.predict(test, iteration_range=rounds).tolist())
        return float(booster.best_score)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(fit, n_trials=TRIALS)
    return np.array(study.best_trial.user_attrs["scores"], np.float32)


def _lowest_credible(labels: Any, scores: Any) -> float:
    """Lower end of the bootstrap's 95 % interval of the area under the ROC curve."""
    rng = np.random.default_rng(0)
    found: list[float] = []
    while len(found) < 500:
        rows = rng.integers(len(labels), size=len(labels))
        if 0 < labels[rows].sum() < len(rows):
            found.append(roc_auc_score(labels[rows], scores[rows]))
    return float(np.quantile(found, 0.025))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["breast_cancer", "life_expectancy", "rare_failures"])
def test_a_table_passes_the_whole_loop(tmp_path: Path, name: str) -> None:
    rows, contract_file = tmp_path / f"{name}.csv", TABLES / f"{name}.toml"
    _load("data").write(name, rows)
    contract = Contract.parse(contract_file.read_text())

    def run(*arguments: str) -> Any:
        done = ops(tmp_path / "local", *arguments, "--json", timeout=1800)
        assert 0 == done.returncode, done.stderr + done.stdout
        return json.loads(done.stdout)

    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"minimum_rows": MINIMUM_ROWS}))
    options = ("--contract", str(contract_file), "--settings", str(settings))
    with brought_up(tmp_path / "local", {}, *options) as target:
        run("upload", str(rows))
        trained = run("train", "--trials", str(TRIALS))
        assert trained["version"], trained["reasons"]
        first = target.champion()
        assert first is not None, trained["reasons"]

        api = Api(target.deployment.api_url, target.api_key())
        card = target.card(first.version)
        splits = {
            split: _read_split(target, tmp_path, card.dataset_id, split)
            for split in ("train", "valid", "test")
        }
        labels = splits["test"][contract.target].to_numpy().astype(bool)
        plain = _lowest_credible(labels, _search_plainly(contract, splits))
        assert card.metrics["roc_auc"] >= plain

        row = splits["test"][[feature.name for feature in contract.features]].iloc[0]
        body = {key: value for key, value in json.loads(row.to_json()).items() if value is not None}
        status, answer = api.post("/predict?explain=true", body, idempotency_key="a")
        assert 200 == status, answer
        assert {*contract.names} == {*answer["explanation"]["contributions"]}

        rows_sent = min(len(labels), MOST_SENT)
        sent = run(
            *("simulate", "--rows", str(rows_sent), "--batch", "50", "--labels", "1"),
            *("--scenario", "shift", "--amount", "1000000"),
        )
        assert (rows_sent, rows_sent) == (sent["answered"], sent["labels"])
        (found,) = run("drift", "--last-rows", str(rows_sent))
        assert (rows_sent >= MINIMUM_ROWS) == bool(found["drifted"]), found
        if found["drifted"]:
            report = urllib3.request("GET", found["reports"]["data_drift"], timeout=60)
            assert b"Drift" in report.data
        status, overview = api.get("/monitoring/overview")
        assert (200, first.version) == (status, overview["champion"]["version"])
        page = urllib3.request("GET", f"{target.deployment.api_url}/", timeout=60)
        assert b"<html" in page.data

        scores = tmp_path / "scores"
        scored = run("score", "--input", str(rows), "--output", str(scores))
        assert (len(pd.read_csv(rows)), 0) == (scored["rows"], scored["refused"])
        assert scored["rows"] == sum(pq.read_table(p).num_rows for p in scores.rglob("*.parquet"))

        second = run("train", "--trials", "1", "--seed", "9")
        if not second["promoted"]:
            run("promote", second["version"], "--reason", "To see it rolled back.")
        run("rollback")
        champion = target.champion()
        assert champion is not None
        assert (first.version, 3) == (champion.version, champion.seq)
