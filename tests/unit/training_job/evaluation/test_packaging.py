"""The model in MLflow takes rows of the contract, wherever it is loaded."""

import json
import math
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from adapters.registry import KIND, KIND_TAG, Tracking
from domain.contract.contract import Contract
from domain.contract.feature import Value
from domain.model.bundle import Bundle, digest
from domain.model.typical import TypicalValue, read_typical
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.fakes import random_forest
from training_job.evaluation.packaging import package
from training_job.evaluation.typical import find_typical

ELSEWHERE = """
import json, sys
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
rows = pd.DataFrame(json.loads(sys.argv[2]))
answers = model.predict(rows)
import domain
print(json.dumps({"answers": answers.to_dict("list"), "domain": domain.__file__}))
"""


@pytest.fixture
def bundle(contract: Contract) -> Bundle:
    return Bundle(contract, random_forest(contract, 7), 0.2)


def test_a_notebook_loads_the_champion_and_scores_rows_of_the_contract(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process that knows nothing of this project, missing values included."""
    monkeypatch.chdir(tmp_path)
    tracking = Tracking(f"sqlite:///{tmp_path}/mlflow.db", "ours")
    content, sha256 = bundle.to_bytes(), digest(bundle.to_bytes())
    run = tracking.run_of("one")
    typical: dict[str, Value] = {"age": 41.0, "gender": "Other"}
    model = package(tmp_path, bundle, content, sha256=sha256, typical=typical)
    number = tracking.register(run_id=run, model=model)
    tracking.set_champion(number)
    tracking.describe(number, model="How to promote.", version="Which rows.")

    rows = [VALID, VALID | {"bmi": None, "age": 30}, VALID | {"smoking_history": None}]
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, "models:/ours@champion", json.dumps(rows)],
        cwd=tmp_path,
        env={"MLFLOW_TRACKING_URI": tracking.uri, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    expected = [bundle.probability(bundle.contract.row(row)) for row in rows]
    assert expected == found["answers"]["probability"]
    assert [p >= 0.2 for p in expected] == found["answers"]["diabetes"]
    assert "domain.zip" in found["domain"]

    loaded = mlflow.pyfunc.load_model("models:/ours@champion")
    assert [
        f.name for f in bundle.contract.features
    ] == loaded.metadata.signature.inputs.input_names()
    assert {
        "contract_version": bundle.contract.version,
        "threshold": 0.2,
    } == loaded.metadata.metadata
    example = loaded.input_example.iloc[0].to_dict()
    assert (41.0, "Other") == (example["age"], example["gender"])
    whole = pd.DataFrame([VALID, VALID]).assign(age=[54, 61], hypertension=[True, False])
    assert 2 == len(loaded.predict(whole))  # whole numbers and booleans
    with pytest.raises(ValueError, match="row 1, age must be a number from 0 to 120") as refused:
        loaded.predict(whole.assign(age=[54, 4711]))
    assert "4711" not in str(refused.value)

    client = tracking.client
    assert "How to promote." == client.get_registered_model("ours").description
    assert "Which rows." == client.get_model_version("ours", number).description
    experiment = client.get_experiment(tracking.experiment_id())
    assert KIND == experiment.tags[KIND_TAG]
    assert client.get_run(run).info.run_name.startswith("training of 20")


def test_an_experiment_without_a_kind_gets_one(tmp_path: Path) -> None:
    tracking = Tracking(f"sqlite:///{tmp_path}/mlflow.db", "older")
    tracking.client.create_experiment("older")
    assert KIND == tracking.client.get_experiment(tracking.experiment_id()).tags[KIND_TAG]


def test_typical_values_are_of_columns_and_of_no_row(contract: Contract) -> None:
    rows = 400
    rng = np.random.default_rng(1)
    table = pa.table(
        {
            "gender": ["Female"] * 220 + ["Male"] * 180,
            "age": rng.normal(41.9, 5, rows),
            "hypertension": [0] * 380 + [1] * 20,
            "heart_disease": [1] * rows,
            "smoking_history": [*["never"] * 10, *[None] * 390],
            "bmi": [*rng.normal(27, 1, 10), *[math.nan] * 0, *[None] * 390],
            "hba1c_level": [2.9] * rows,
            "blood_glucose_level": rng.normal(138, 3, rows),
        }
    )
    found = find_typical(table, contract)
    assert {
        "gender": "Female",
        "age": 42.0,
        "hypertension": 0,
        "heart_disease": 1,
        "HbA1c_level": 3.0,  # within the contract's range
        "blood_glucose_level": 140.0,
    } == read_typical(found)  # fewer than eleven values are not shown
    assert TypicalValue(feature="gender", text="Female") == found[0]
