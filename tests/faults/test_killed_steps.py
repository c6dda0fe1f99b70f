"""A training whose every step is killed once, at a random moment, ends like one left in peace."""

import json
import os
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from adapters.model_store import ModelStore
from adapters.registry import SHA256_TAG, Tracking
from adapters.s3 import Bucket
from domain import keys
from domain.model.champion import Champion
from domain.training.steps import StepName
from ops.laptop import ACCOUNT, REGION
from tests.faults.proxy import Fault, Plan
from tests.faults.stage import Stage
from tests.faults.victims import run_victim
from tests.repository import CONTRACT_TOML
from tests.unit.patients import csv, patients
from training_job.settings import Settings
from training_job.step_runner import run_step

STEPS: tuple[StepName, ...] = ("prepare", "tune", "evaluate", "promote")
SEEDS = int(os.environ.get("FAULT_SEEDS", "5"))
Moment = Literal["kill before", "kill after"]
MOMENTS: tuple[Moment, ...] = ("kill before", "kill after")


@dataclass
class Training:
    """One execution over a site of its own; `state` is what the state machine hands on."""

    stage: Stage
    name: str
    state: dict[str, Any]

    @classmethod
    def begin(cls, stage: Stage) -> "Training":
        """A bucket with 600 patients."""
        name = f"killed-{uuid.uuid4().hex[:8]}"
        stage.direct.s3.create_bucket(Bucket=name)
        made = cls(stage, name, {"input": {"trials": 2, "minimum_f1": 0.0}})
        made.bucket.put(f"{keys.RAW}patients.csv", csv(patients(600, seed=3)))
        experiment = MlflowClient(stage.direct.mlflow_url)
        experiment.create_experiment(name, f"s3://{name}/{keys.MLFLOW}".rstrip("/"))
        return made

    @property
    def bucket(self) -> Bucket:
        """All of its buckets."""
        return Bucket(self.stage.direct.s3, self.name)

    def run(self, step: StepName, plan: Plan | None = None) -> int:
        """One task of a state; returns how many calls it made. A killed one leaves no result."""
        faults = self.stage.faults
        result = run_victim(faults, _run_step, step, self._environ(), plan=plan)
        if result is None:
            self.state.pop(step, None)
        else:
            self.state[step] = result
        return len(faults.calls)

    def _environ(self) -> dict[str, str]:
        settings = Settings(
            data_bucket=self.name,
            models_bucket=self.name,
            predictions_bucket=self.name,
            reports_bucket=self.name,
            mlflow_tracking_uri=self.stage.clients.mlflow_url,
            model_name=self.name,
            contract=CONTRACT_TOML.read_text(),
            processes=1,
        )
        execution = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:training:{self.name}"
        # The clients of the child go through the proxy.
        url = self.stage.clients.s3.meta.endpoint_url
        return {
            **os.environ,
            **settings.to_env(),
            "AWS_ENDPOINT_URL": url,
            "MLFLOW_S3_ENDPOINT_URL": url,
            "EXECUTION": execution,
            "STATE_INPUT": json.dumps(self.state),
        }


def _run_step(step: StepName, environ: Mapping[str, str]) -> Mapping[str, Any]:
    os.environ.update(environ)
    return run_step(step, environ)


@pytest.fixture(scope="module")
def in_peace(stage: Stage) -> tuple[Training, dict[StepName, int]]:
    """A training without a fault, and the calls that each step made."""
    training = Training.begin(stage)
    return training, {step: training.run(step) for step in STEPS}


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, SEEDS))]
)
def test_a_training_whose_steps_are_killed_ends_like_one_in_peace(
    stage: Stage, in_peace: tuple[Training, dict[StepName, int]], seed: int
) -> None:
    peaceful, calls = in_peace
    training, rng = Training.begin(stage), random.Random(seed)
    for step in STEPS:
        kind, number = rng.choice(MOMENTS), rng.randint(1, calls[step])
        plan = Plan(Fault(operation="any", kind=kind), frozenset({number}))
        training.run(step, plan)
        assert (1, None) == (plan.met, training.state.get(step)), (step, kind, number)
        training.run(step)
        assert training.state.get(step) is not None, (step, kind, number)
    assert _outcome(peaceful) == _outcome(training)
    # The study keeps a trial before a thread logs it: MLflow may lack the one that was under way.
    assert 0 <= len(_runs(peaceful)) - len(_runs(training)) <= 1


def _runs(training: Training) -> Sequence[Run]:
    url = training.stage.direct.mlflow_url
    experiment = Tracking(url, training.name).experiment_id()
    return MlflowClient(url, url).search_runs([experiment], max_results=100)


def _outcome(training: Training) -> dict[str, Any]:
    """Counted from S3 and MLflow: what a training leaves behind, without names and times."""
    bucket, url = training.bucket, training.stage.direct.mlflow_url
    store, client = ModelStore(bucket), MlflowClient(url, url)
    champion = store.read_champion()
    assert isinstance(champion, Champion)
    versions = client.search_model_versions(f"name = '{training.name}'")
    runs = _runs(training)
    return {
        "dataset": training.state["prepare"]["dataset_id"],
        "promoted": training.state["promote"]["promoted"],
        "registry": training.state["promote"]["registry"],
        "champion": (champion.seq, champion.sha256, champion.execution == training.name),
        "bundle": store.load_bundle(champion.model) is not None,
        "ledger": [(seq, action) for seq, action, _ in store.list_ledger()],
        "alias": Tracking(url, training.name).champion() == keys.registry_number(champion.version),
        "versions": sorted(str(version.tags.get(SHA256_TAG)) for version in versions),
        "running": [run.info.run_id for run in runs if run.info.status == "RUNNING"],
    }
