"""The demo on a small sample, once for all end-to-end tests, on a laptop folder of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from domain import keys
from domain.drift.run_result import RunResult
from domain.model.bundle import Bundle, digest
from domain.model.champion import ModelRef
from ops.api import Api
from ops.commands.machine import mail
from ops.commands.monitoring.drift import run_drift
from ops.laptop import ROOT, Laptop
from ops.local.processes import free_port
from ops.target import Target

PREDICTIONS = 400
TRIALS = 3


@dataclass(frozen=True)
class BeforeTraining:
    """What the deployed circle answers while there is no champion."""

    health: tuple[int, Any]
    predict: tuple[int, Any]
    drift: tuple[RunResult, ...]
    mails: int


@dataclass(frozen=True)
class Circle:
    """The circle after one demo."""

    target: Target
    laptop: Laptop
    api: Api
    figures: Mapping[str, Any]
    """What `.local/demo.json` says."""


def ops(folder: Path, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run the operator's command line as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "ops", "--local", str(folder), *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder to which the functions and steps of `deployed` write their AWS calls."""
    return tmp_path_factory.mktemp("calls")


@contextmanager
def brought_up(folder: Path, environment: Mapping[str, str], *options: str) -> Iterator[Target]:
    """A laptop with everything up and nothing trained, on free ports; its AWS is this process's.

    `environment`: of its services, on top of this process's own. `options`: further ones of `up`.
    """
    ports = ("--port", str(free_port()), "--mlflow-port", str(free_port()))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        done = ops(folder, "up", *ports, *options)
    try:
        assert 0 == done.returncode, done.stderr + done.stdout
        laptop = Laptop.load(folder)
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                patch.delenv(name)
            for name, value in laptop.aws_env().items():
                patch.setenv(name, value)
            yield Target.on_laptop(laptop)
    finally:
        ops(folder, "down")


def record_calls(folder: Path) -> dict[str, str]:
    """What makes the processes of a laptop write their AWS calls into that folder."""
    paths = f"{ROOT / 'tests' / 'recorder' / 'startup'}:{os.environ.get('PYTHONPATH', '')}"
    return {"RECORD_CALLS": str(folder), "PYTHONPATH": paths}


@pytest.fixture(scope="session")
def deployed(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A laptop whose functions and steps record their AWS calls."""
    with brought_up(tmp_path_factory.mktemp("circle"), record_calls(recorded)) as target:
        yield target


@pytest.fixture(scope="session")
def api(deployed: Target) -> Api:
    """The API with its key."""
    return Api(deployed.deployment.api_url, deployed.api_key())


@pytest.fixture(scope="session")
def patient() -> dict[str, Any]:
    """A valid request."""
    body: dict[str, Any] = json.loads((ROOT / "examples" / "predict.json").read_text())
    return body


@pytest.fixture(scope="session")
def before_training(deployed: Target, api: Api, patient: dict[str, Any]) -> BeforeTraining:
    """Observed before `circle` trains."""
    assert deployed.laptop is not None
    once = Api(api.url, api.key, attempts=1)
    return BeforeTraining(
        health=once.get("/health"),
        predict=once.post("/predict", patient, idempotency_key="before"),
        drift=run_drift(deployed, {"last_rows": 100, "mail": True}),
        mails=len(mail.read_mails(deployed.laptop)),
    )


@pytest.fixture(scope="session")
def circle(deployed: Target, api: Api, before_training: BeforeTraining) -> Circle:
    """The demo has run."""
    assert deployed.laptop is not None
    size = ("--rows", "10000", "--trials", str(TRIALS), "--predictions", str(PREDICTIONS))
    done = ops(deployed.folder, "demo", *size)
    assert 0 == done.returncode, done.stderr + done.stdout
    figures = json.loads((deployed.folder / "demo.json").read_text())
    return Circle(deployed, deployed.laptop, api, figures)


@pytest.fixture(scope="session")
def another(circle: Circle) -> ModelRef:
    """The champion with another threshold, under a number that the registry doesn't know."""
    return plant_version(circle.target, 99, lambda threshold: threshold / 2)


def plant_version(target: Target, number: int, change: Callable[[float], float]) -> ModelRef:
    """Store the champion with another threshold as a version that never served."""
    models, champion = target.bucket("models"), target.champion()
    assert champion is not None
    stored = models.get(champion.bundle_key)
    assert stored is not None
    bundle = Bundle.from_bytes(stored.data, champion.sha256)
    content = replace(bundle, threshold=change(bundle.threshold)).to_bytes()
    made = ModelRef.of(number, digest(content))
    for place in (keys.card, keys.reference):
        beside = models.get(place(champion.version))
        assert beside is not None
        models.put(place(made.version), beside.data)
    models.put(made.bundle_key, content)
    return made
