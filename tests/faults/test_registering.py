"""A version is registered once, whichever of MLflow's answers is lost."""

import uuid

import numpy as np
import pandas as pd
import pytest
import xgboost
from mlflow import MlflowClient

from adapters.registry import SHA256_TAG, RegistryRefused, RegistryUnavailable, Tracking
from tests.faults.proxy import Fault, Kind, Plan
from tests.faults.stage import Stage

SHA256 = "5" * 64
EXAMPLE = pd.DataFrame({"age": np.arange(5.0), "bmi": np.arange(5.0)})


@pytest.fixture(scope="module")
def booster() -> xgboost.Booster:
    """A model of one tree."""
    matrix = xgboost.DMatrix(EXAMPLE, label=[0, 0, 0, 1, 1])
    return xgboost.train({"objective": "binary:logistic"}, matrix, num_boost_round=1)


EVERY = range(1, 100)
KINDS: tuple[Kind, ...] = ("duplicate", "drop after", "fail after")


@pytest.fixture(scope="module")
def posts(stage: Stage, booster: xgboost.Booster) -> int:
    """How many calls a registration makes; the last one creates the version."""
    tracking = _begin(stage)
    run = tracking.run_of("in peace")
    stage.faults.calls.clear()
    _register(tracking, run, booster)
    return stage.faults.calls.count("mlflow post")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("last", [True, False], ids=["new version", "every call"])
def test_lost_answers_leave_one_version_of_a_bundle(
    stage: Stage, booster: xgboost.Booster, posts: int, kind: Kind, last: bool
) -> None:
    """A call's first answer is lost, and its repetition is answered.

    MLflow refuses to repeat some calls, so the state is tried again, then without a fault.
    """
    tracking = _begin(stage)
    run = tracking.run_of("training")
    numbers = [posts] if last else EVERY if kind == "duplicate" else EVERY[::2]
    plan = Plan(Fault(operation="mlflow post", kind=kind), frozenset(numbers))
    stage.faults.plan = plan
    try:
        number = _register(tracking, run, booster)
    except RegistryUnavailable as error:
        assert not last
        assert not isinstance(error, RegistryRefused)  # that state would not be tried again
        stage.faults.plan = None
        number = _register(tracking, run, booster)
    finally:
        stage.faults.plan = None
    assert plan.met > 0
    client = MlflowClient(stage.direct.mlflow_url)
    versions = client.search_model_versions(f"run_id = '{run}'")
    assert [(number, SHA256)] == [(str(v.version), v.tags.get(SHA256_TAG)) for v in versions]
    assert number == _register(tracking, run, booster)


def _begin(stage: Stage) -> Tracking:
    """An experiment with a bucket of its own, reached through the proxy."""
    name = f"registered-{uuid.uuid4().hex[:8]}"
    stage.direct.s3.create_bucket(Bucket=name)
    MlflowClient(stage.direct.mlflow_url).create_experiment(name, f"s3://{name}/mlflow")
    return Tracking(stage.clients.mlflow_url, name)


def _register(tracking: Tracking, run: str, booster: xgboost.Booster) -> str:
    return tracking.register(run_id=run, booster=booster, example=EXAMPLE, sha256=SHA256)
