"""A version is registered once, whichever of MLflow's answers is lost."""

import uuid
from pathlib import Path

import pytest
from mlflow import MlflowClient

from adapters.registry import (
    SHA256_TAG,
    PackagedModel,
    RegistryRefused,
    RegistryUnavailable,
    Tracking,
)
from domain.contract.contract import Contract
from domain.model.bundle import Bundle, digest
from domain.model.scorer import Forest
from tests.faults.proxy import Fault, Kind, Plan
from tests.faults.stage import Stage
from tests.repository import CONTRACT_TOML
from training_job.evaluation.packaging import package


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> PackagedModel:
    """A model of one leaf, packaged as a training does it."""
    leaf = Forest(0.0, (0,), (-1,), (0.5,), (0,), (0,), (1,), (1.0,))
    bundle = Bundle(Contract.parse(CONTRACT_TOML.read_text()), leaf, 0.5)
    content = bundle.to_bytes()
    folder: Path = tmp_path_factory.mktemp("model")
    return package(folder, bundle, content, sha256=digest(content), typical={})


EVERY = range(1, 100)
KINDS: tuple[Kind, ...] = ("duplicate", "drop after", "fail after")


@pytest.fixture(scope="module")
def posts(stage: Stage, model: PackagedModel) -> int:
    """How many calls a registration makes; the last one creates the version."""
    tracking = _begin(stage)
    run = tracking.run_of("in peace")
    stage.faults.calls.clear()
    tracking.register(run_id=run, model=model)
    return stage.faults.calls.count("mlflow post")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("last", [True, False], ids=["new version", "every call"])
def test_lost_answers_leave_one_version_of_a_bundle(
    stage: Stage, model: PackagedModel, posts: int, kind: Kind, last: bool
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
        number = tracking.register(run_id=run, model=model)
    except RegistryUnavailable as error:
        assert not last
        assert not isinstance(error, RegistryRefused)  # that state would not be tried again
        stage.faults.plan = None
        number = tracking.register(run_id=run, model=model)
    finally:
        stage.faults.plan = None
    assert plan.met > 0
    client = MlflowClient(stage.direct.mlflow_url)
    versions = client.search_model_versions(f"run_id = '{run}'")
    assert [(number, model.sha256)] == [(str(v.version), v.tags.get(SHA256_TAG)) for v in versions]
    assert number == tracking.register(run_id=run, model=model)


def _begin(stage: Stage) -> Tracking:
    """An experiment with a bucket of its own, reached through the proxy."""
    name = f"registered-{uuid.uuid4().hex[:8]}"
    stage.direct.s3.create_bucket(Bucket=name)
    MlflowClient(stage.direct.mlflow_url).create_experiment(name, f"s3://{name}/mlflow")
    return Tracking(stage.clients.mlflow_url, name)
