"""A deployment over the previous release, with data in the buckets, while predictions are asked
for and a training runs: nothing is lost.
"""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import mlflow
import pyarrow.parquet as pq
import pytest

from adapters.executions import current_state
from domain import keys
from domain.deployment import Deployment, output_key
from domain.model.champion import Champion
from ops.api import Api
from ops.commands.machine import doctor
from ops.doctor.finding import Level
from ops.laptop import Laptop
from ops.local import task_agent
from ops.local.processes import free_port, wait_until
from ops.target import Target
from tests.e2e.previous_release import NoPreviousRelease, PreviousRelease
from tests.repository import ROOT

PREDICTIONS_BEFORE = 200
PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 600
Etags = dict[str, str]


@dataclass(slots=True)
class Caller:
    """Somebody who asks for one prediction after the other until told to stop."""

    api: Api
    body: Any
    answered: list[str] = field(default_factory=list)
    refused: list[tuple[int, Any]] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin in the background."""
        self._thread = threading.Thread(target=self._call, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the call that is under way."""
        self._ended.set()
        assert self._thread is not None
        self._thread.join(timeout=60)

    def _call(self) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            status, body = self.api.post("/predict", self.body, idempotency_key=uuid.uuid4().hex)
            if status == 200:
                self.answered.append(body["prediction_id"])
            else:
                self.refused.append((status, body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What there was before the deployment, and what became of what ran meanwhile."""

    target: Target
    release: str
    raw: Etags
    bundles: Etags
    ledger: Etags
    champion: Champion
    versions: int
    predictions: int
    caller: Caller
    training: str
    """The status with which the training ended."""


def _etags(target: Target, bucket: str, prefix: str) -> Etags:
    client, name = target.client("s3"), getattr(target.deployment, f"{bucket}_bucket")
    listed = client.list_objects_v2(Bucket=name, Prefix=prefix).get("Contents", [])
    return {entry["Key"]: entry["ETag"] for entry in listed}


def _logged(target: Target) -> list[str]:
    bucket, ids = target.bucket("predictions"), list[str]()
    for listed in bucket.list("log/"):
        stored = bucket.get(listed.key)
        assert stored is not None
        ids += pq.read_table(io.BytesIO(stored.data))["prediction_id"].to_pylist()
    for listed in bucket.list(f"{keys.FALLBACK}log/"):
        stored = bucket.get(listed.key)
        assert stored is not None
        ids += [json.loads(line)["prediction_id"] for line in stored.data.splitlines()]
    return ids


def _versions(laptop: Laptop) -> int:
    return len(mlflow.MlflowClient(laptop.mlflow_url).search_model_versions())


def _ops(checkout: Path, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ops", "--local", str(folder), *arguments],
        cwd=checkout,
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert 0 == done.returncode, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def upgrade(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgrade]:
    """The previous release with data, then this one over it."""
    try:
        release = PreviousRelease.find()
    except NoPreviousRelease as error:
        pytest.skip(str(error))
    older, folder = tmp_path_factory.mktemp("older"), tmp_path_factory.mktemp("upgraded")
    release.check_out(older)
    ports = ("--port", str(free_port()), "--mlflow-port", str(free_port()))
    try:
        _ops(older, folder, "up", *ports)
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                patch.delenv(name)
            for name, value in Laptop.load(folder).aws_env().items():
                patch.setenv(name, value)
            yield _deploy_over(release, older, folder)
    finally:
        _ops(ROOT, folder, "down")


def _deploy_over(release: PreviousRelease, older: Path, folder: Path) -> Upgrade:
    sample = folder / "sample.csv"
    _ops(older, folder, "sample-data", "--rows", "6000", "--out", str(sample))
    _ops(older, folder, "upload", str(sample))
    _ops(older, folder, "train", "--trials", "1")
    _ops(older, folder, "simulate", "--rows", str(PREDICTIONS_BEFORE))
    laptop = Laptop.load(folder)
    target = _older_target(laptop)
    champion = target.champion()
    assert champion is not None
    raw, ledger = _etags(target, "data", keys.RAW), _etags(target, "models", keys.LEDGER)
    bundles = _etags(target, "models", f"{keys.BUNDLES}{champion.version}/")
    predictions, versions = len(set(_logged(target))), _versions(laptop)
    started = _ops(older, folder, "train", "--trials", "4", "--seed", "5", "--no-wait")
    execution = started.split()[1].rstrip(".")
    patient = json.loads((ROOT / "examples" / "predict.json").read_text())
    caller = Caller(Api(target.deployment.api_url, target.api_key()), patient)
    caller.start()
    states = target.client("stepfunctions")
    tuning = lambda: current_state(states, execution) == "Tune"  # noqa: E731
    assert wait_until(tuning, seconds=PATIENCE_SECONDS, pause=0.2)
    _leave_task_without_agent(laptop)
    _ops(ROOT, folder, "up")
    ended = lambda: _status(states, execution) != "RUNNING"  # noqa: E731
    assert wait_until(ended, seconds=PATIENCE_SECONDS, pause=1)
    time.sleep(1)  # some predictions more, by the new release alone
    caller.stop()
    return Upgrade(
        target=Target.on_laptop(laptop),
        release=release.name,
        caller=caller,
        training=_status(states, execution),
        raw=raw,
        bundles=bundles,
        ledger=ledger,
        champion=champion,
        versions=versions,
        predictions=predictions,
    )


def _older_target(laptop: Laptop) -> Target:
    """The older release's deployment, which may lack outputs that this one has."""
    target = Target.on_laptop(laptop)
    listed = target.client("cloudformation").describe_stacks()["Stacks"]
    outputs = {o["OutputKey"]: o["OutputValue"] for s in listed for o in s.get("Outputs", [])}
    found = {f.name: outputs.get(output_key(f.name), "") for f in fields(Deployment)}
    target.__dict__["deployment"] = Deployment(**found)
    return target


def _status(states: Any, execution: str) -> str:
    return str(states.describe_execution(executionArn=execution)["status"])


def _leave_task_without_agent(laptop: Laptop) -> None:
    """End the older release's task agent alone, so that the new one takes over its running task.

    On AWS a step that runs keeps its image too, and the next one gets the new image.
    """
    pid = task_agent.daemon(laptop).pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: task_agent.daemon(laptop).pid() is None, seconds=10)


def test_the_running_training_ends_as_if_nothing_had_happened(upgrade: Upgrade) -> None:
    assert "SUCCEEDED" == upgrade.training
    assert upgrade.target.laptop is not None
    assert upgrade.versions + 1 == _versions(upgrade.target.laptop)


def test_every_prediction_that_was_answered_meanwhile_is_in_the_log(upgrade: Upgrade) -> None:
    logged = _logged(upgrade.target)
    assert [] == upgrade.caller.refused
    assert set() == set(upgrade.caller.answered) - set(logged)
    assert upgrade.predictions + len(upgrade.caller.answered) == len(set(logged))
    assert PREDICTIONS_BEFORE == upgrade.predictions


def test_data_models_and_ledger_are_what_they_were(upgrade: Upgrade) -> None:
    target = upgrade.target
    assert upgrade.raw == _etags(target, "data", keys.RAW)
    place = f"{keys.BUNDLES}{upgrade.champion.version}/"
    assert upgrade.bundles == _etags(target, "models", place)
    assert upgrade.ledger.items() <= _etags(target, "models", keys.LEDGER).items()
    champion = target.champion()
    assert champion is not None
    assert champion.seq >= upgrade.champion.seq
    assert upgrade.champion.version in (champion.version, *_previous(champion))


def _previous(champion: Champion) -> list[str]:
    return [] if champion.previous is None else [champion.previous.version]


def test_the_doctor_finds_no_problem_afterwards(upgrade: Upgrade) -> None:
    found = doctor.examine(upgrade.target)
    assert [] == [f"{name}: {f.sentence}" for name, f in found if f.level is Level.PROBLEM]
