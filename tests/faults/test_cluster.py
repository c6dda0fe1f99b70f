"""Lost workers, schedulers and steps: a step ends right or fails by name, and a retry succeeds.

The workers are real processes. A worker's bucket kills it, at a place of the test's choice.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from adapters.s3 import Bucket
from benchmarks.cluster.worker_processes import ProcessEcs, running
from benchmarks.folder_bucket import FolderS3
from domain import keys
from domain.contract.contract import Contract
from domain.contract.gate_limits import GateLimits
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from tabular.labelled import read_labelled
from tabular.log_objects import LogObjects
from tabular.models import Models as LogModels
from tests.repository import CONTRACT_TOML, ROOT
from tests.unit.fakes import random_forest
from tests.unit.labelled_log import END, ROWS, START, Story
from tests.unit.monitoring import log, records
from tests.unit.patients import csv, patients
from tests.unit.training_job.evaluation.test_evaluate import FakeTracking
from training_job.cluster.cluster import Cluster
from training_job.cluster.engine import Engine
from training_job.cluster.opening import open_cluster
from training_job.cluster.tasks import WorkerTasks
from training_job.dataset.dataset import Split, list_parts
from training_job.dataset.partitioned.prepare import prepare
from training_job.dataset.partitioned.production import read_labelled_on
from training_job.dataset.prepare import prepare as prepare_here
from training_job.errors import BadInput, Interrupted, OutOfMemory
from training_job.evaluation.answers.answering import (
    Answered,
    AnswerSide,
    Models,
    answer_side,
    answer_side_on,
)
from training_job.evaluation.evaluate import RowEngine, evaluate
from training_job.evaluation.final import Final, fit_final
from training_job.evaluation.incumbent import Incumbent
from training_job.model.cluster_fit import ClusterData
from training_job.scoring.cluster_score import Buckets, score_on
from training_job.scoring.score_request import ScoreRequest

CONTRACT = Contract.parse(CONTRACT_TOML.read_text())
FRAME = patients(3_000, seed=1)
FILES = 4
PATIENCE_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Deadly:
    """Opens a bucket of a folder; a worker that touches an object of that key dies.

    `operation`: the client's. `once`: only the first worker; `whole`: its task, not its process.
    """

    folder: Path
    name: str
    key: str
    operation: str = "download_file"
    once: bool = True
    whole: bool = True

    def __call__(self) -> Bucket:
        """See the class."""
        bucket = FolderS3(self.folder).bucket(self.name)
        client: Any = bucket.client
        call = getattr(client, self.operation)

        def touch(*arguments: str, **named: str) -> Any:
            if any(self.key in argument for argument in (*arguments, *named.values())):
                self.die()
            return call(*arguments, **named)

        setattr(client, self.operation, touch)
        return bucket

    def die(self) -> None:
        """Kill this worker, unless one has died and one is enough."""
        marker = self.folder / "died"
        if self.once and marker.exists():
            return
        marker.touch()
        if self.whole:
            os.killpg(0, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files to prepare and to score, and a champion."""
    data = FolderS3(tmp_path).bucket("data")
    size = len(FRAME) // FILES
    for number in range(FILES):
        part = FRAME[number * size : (number + 1) * size]
        data.put(f"{keys.RAW}{number}.csv", csv(part))
        data.put(f"{keys.SCORING}in/{number}.csv", csv(part.drop(columns="diabetes")))
    crown(FolderS3(tmp_path).bucket("models"))
    return tmp_path


def crown(models: Bucket) -> None:
    """Store a model, and let it serve."""
    content = Bundle(CONTRACT, random_forest(CONTRACT, 3, trees=20), 0.3).to_bytes()
    model = ModelRef.of(1, digest(content))
    models.put(model.bundle_key, content)
    champion = Champion.successor(None, model, action="promote", execution="e", now=1)
    models.put(keys.CHAMPION, champion.to_json())


def run_prepare(folder: Path, cluster: Cluster | None, open_bucket: Any = None) -> str:
    """The id of the dataset."""
    options: dict[str, Any] = {"raw_prefix": keys.RAW, "salt": "s", "bad_row_share": 0.01}
    options |= {"execution": "e", "say": lambda _: None, "contract": CONTRACT}
    options["bucket"] = FolderS3(folder).bucket("data")
    if cluster is None:
        return prepare_here(**options).dataset_id
    opened = open_bucket or partial(FolderS3(folder).bucket, "data")
    return prepare(**options, cluster=cluster, open_bucket=opened, ranges=3).dataset_id


def wait_until_gone(ecs: ProcessEcs) -> None:
    """Wait for the end of every task."""
    for process in ecs.processes.values():
        process.wait(PATIENCE_SECONDS)


@pytest.mark.parametrize(
    "whole",
    [
        pytest.param(False, marks=pytest.mark.slow, id="its process"),
        pytest.param(True, id="its task"),
    ],
)
@pytest.mark.parametrize(
    ("key", "operation"), [(f"{keys.RAW}2", "download_file"), ("valid-00001", "upload_file")]
)
def test_a_worker_that_dies_in_prepare_changes_nothing(
    folder: Path, key: str, operation: str, whole: bool
) -> None:
    with running(2) as (cluster, ecs):
        deadly = Deadly(folder, "data", key, operation, whole=whole)
        assert run_prepare(folder, None) == run_prepare(folder, cluster, deadly)
        assert (folder / "died").exists()
    wait_until_gone(ecs)


@pytest.mark.slow
def test_a_worker_that_dies_as_it_reads_the_log_counts_no_prediction_twice(tmp_path: Path) -> None:
    opened = partial(FolderS3(tmp_path).bucket, "data")
    story = Story(opened(), CONTRACT)
    story.label(np.arange(ROWS) % 2 == 0)
    table = records(story.frame, CONTRACT, version=story.version, at=START)
    for number in range(FILES):
        log(opened(), table.slice(number * 1_000, 1_000), name=f"part-{number}")
    options: dict[str, Any] = {"log": LogObjects(opened()), "models": LogModels(opened())}
    options |= {"contract": CONTRACT, "start": START, "end": END, "now": END}
    deadly = Deadly(tmp_path, "data", "part-2", "get_object")
    with running(2) as (cluster, ecs):
        where: dict[str, Any] = {"open_log": deadly, "open_models": opened}
        there = read_labelled_on(**options, cluster=cluster, **where)
        assert (tmp_path / "died").exists()
    wait_until_gone(ecs)
    here = read_labelled(**options)
    assert here.table.equals(there.table)
    assert here.coverage == there.coverage
    assert here.coverage.labelled == ROWS // 2


@pytest.mark.slow
def test_work_that_kills_every_worker_is_named_and_leaves_no_manifest(folder: Path) -> None:
    with running(2) as (cluster, ecs):
        deadly = Deadly(folder, "data", f"{keys.RAW}2", once=False, whole=False)
        with pytest.raises(OutOfMemory, match="most likely for lack of memory"):
            run_prepare(folder, cluster, deadly)
    wait_until_gone(ecs)
    data = FolderS3(folder).bucket("data")
    assert [] == [e.key for e in data.list(keys.DATASETS) if e.key.endswith("manifest.json")]


@pytest.mark.slow
def test_a_worker_that_dies_in_scoring_changes_nothing(folder: Path) -> None:
    buckets = Buckets(
        Deadly(folder, "data", "part-00002", "upload_file"),
        partial(FolderS3(folder).bucket, "models"),
        partial(FolderS3(folder).bucket, "predictions"),
    )
    request = ScoreRequest(input=f"{keys.SCORING}in/", output=f"{keys.SCORING}out/")
    with running(2) as (cluster, ecs):
        scored = score_on(cluster, buckets, request=request, say=lambda _: None)
    assert (folder / "died").exists()
    assert (len(FRAME), 0) == (scored.rows, scored.refused)
    wait_until_gone(ecs)


@dataclass(frozen=True, slots=True)
class DeadlyIncumbent(Incumbent):
    """A champion who kills the worker that asks it, after the challenger has answered the rows."""

    deadly: Deadly | None = None

    def predict(self, test: Split) -> Any:
        """See the class."""
        assert self.deadly is not None
        self.deadly.die()
        return Incumbent.predict(self, test)


def answer_and_die(
    data: Bucket,
    dataset_id: str,
    side: str,
    contract: Contract,
    models: Models,
    *,
    deadly: Deadly,
    **where: Any,
) -> Answered:
    """`answer_side_on`, with the death of a worker amid a part."""
    champion = models.incumbent
    mortal = DeadlyIncumbent(champion.etag, champion.champion, champion.bundle, deadly=deadly)
    models = replace(models, incumbent=mortal)
    return answer_side_on(data, dataset_id, side, contract, models, **where)


class Evaluations:
    """A dataset of three parts and a model fitted on it, which is evaluated several times."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder = folder
        self.open = partial(FolderS3(folder).bucket, "data")
        self.dataset_id = run_prepare(folder, cluster)
        params = {"max_depth": 3, "learning_rate": 0.3}
        self.final = fit_final(self.open(), self.dataset_id, CONTRACT, params, seed=1)
        self.tracking = FakeTracking()
        crown(self.models)

    @property
    def models(self) -> Bucket:
        """Where the next model is stored."""
        return FolderS3(self.folder).bucket(f"models-{self.tracking.numbers}")

    def run(self, answer: AnswerSide) -> tuple[dict[str, Any], list[str]]:
        """The card, and what the step said."""

        def fit(*_: Any, **__: Any) -> Final:
            return self.final

        said: list[str] = []
        models = self.models
        evaluate(
            contract=CONTRACT,
            data=self.open(),
            models=models,
            tracking=self.tracking,  # type: ignore[arg-type]  # a fake
            dataset_id=self.dataset_id,
            params={},
            execution="evaluate",
            seed=1,
            limits=GateLimits(minimum_f1=0.3),
            say=said.append,
            open_engine=lambda: nullcontext(RowEngine(fit=fit, answer=answer)),
        )
        (card,) = (e.key for e in models.list("") if e.key.endswith("card.json"))
        stored = models.get(card)
        assert stored is not None
        crown(self.models)
        found: dict[str, Any] = json.loads(stored.data)
        return found | dict.fromkeys(("registered_at", "version")), said


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots take seconds, and no worker draws them."""
    monkeypatch.setattr("training_job.evaluation.evaluate.draw", lambda *_: [])


@pytest.mark.slow
@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize("amid", [False, True], ids=["as it reads a part", "amid a part"])
def test_a_worker_that_dies_as_it_answers_test_rows_changes_no_count(
    folder: Path, amid: bool
) -> None:
    with running(2) as (cluster, ecs):
        evaluations = Evaluations(folder, cluster)
        deadly = Deadly(folder, "data", "test-00001")
        answer = partial(answer_side_on, cluster=cluster, open_data=deadly)
        if amid:
            where: dict[str, Any] = {"cluster": cluster, "open_data": evaluations.open}
            answer = partial(answer_and_die, deadly=deadly, **where)
        there = evaluations.run(answer)
        assert (folder / "died").exists()
    wait_until_gone(ecs)
    assert evaluations.run(answer_side) == there
    assert sum(there[0]["rows"].values()) == len(FRAME)


@pytest.mark.slow
@pytest.mark.usefixtures("without_plots")
def test_test_rows_that_kill_every_worker_are_named_and_a_retry_registers_the_model_once(
    folder: Path,
) -> None:
    with running(2) as (cluster, ecs):
        evaluations = Evaluations(folder, cluster)
        before = [entry.key for entry in evaluations.models.list("")]
        where: dict[str, Any] = {"cluster": cluster, "open_data": evaluations.open}
        deadly = Deadly(folder, "data", "", once=False, whole=False)
        with pytest.raises(OutOfMemory, match="most likely for lack of memory"):
            evaluations.run(partial(answer_and_die, deadly=deadly, **where))
    wait_until_gone(ecs)
    assert (0, before) == (
        evaluations.tracking.numbers,
        [e.key for e in evaluations.models.list("")],
    )
    with running(2) as (cluster, ecs):
        where["cluster"] = cluster
        retried = evaluations.run(partial(answer_side_on, **where))
    wait_until_gone(ecs)
    assert evaluations.tracking.numbers == 1
    assert evaluations.run(answer_side) == retried


@pytest.mark.slow
def test_a_worker_that_dies_in_training_fails_the_step_by_name_and_a_retry_succeeds(
    folder: Path,
) -> None:
    dataset_id = run_prepare(folder, None)
    data = partial(FolderS3(folder).bucket, "data")
    train, valid = (list_parts(data(), dataset_id, side) for side in ("train", "valid"))
    train = dict.fromkeys([*train] * 40)  # a part may come several times
    sides: dict[str, Any] = {"train": [*train] * 40, "valid": [*valid] * 2, "seed": 1}
    with running(2) as (cluster, ecs):
        rows = ClusterData.open(cluster, data, CONTRACT, **sides)
        killer = threading.Thread(target=_kill_in_training, args=(cluster, ecs))
        killer.start()
        with pytest.raises(Interrupted, match="A worker was lost in training"):
            rows.fit({"max_depth": 6, "learning_rate": 0.001}, seed=1)
        killer.join()
    wait_until_gone(ecs)
    with running(2) as (cluster, ecs):
        rows = ClusterData.open(cluster, data, CONTRACT, **sides)
        assert 0 < rows.fit({"max_depth": 2, "learning_rate": 0.5}, seed=1).threshold < 1
    wait_until_gone(ecs)


def _kill_in_training(cluster: Cluster, ecs: ProcessEcs) -> None:
    """Take the first task away once both workers train."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        processing = cluster.client.processing()
        if sum("fn-" in str(tasks) for tasks in processing.values()) == 2:  # XGBoost's name
            time.sleep(0.5)
            break
        time.sleep(0.1)
    ecs.kill(next(iter(ecs.processes)))


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]", ProcessEcs]]:
    """A scheduler of its own, with a worker."""
    file = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
    command += ["--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.2)
    address = json.loads(file.read_text())["address"]
    ecs = ProcessEcs()
    with _tasks(ecs).running(1, address):
        yield address, process, ecs
    process.kill()
    process.wait()


def _tasks(ecs: ProcessEcs) -> WorkerTasks:
    return WorkerTasks(
        ecs=ecs,  # type: ignore[arg-type]  # only the calls that are made
        cluster="c",
        family="f",
        container="t",
        subnets=(),
        security_groups=(),
        provider="FARGATE",
        processes=1,
    )


@pytest.mark.slow
def test_a_cluster_that_is_there_is_used_and_its_loss_is_named(
    folder: Path, scheduler: tuple[str, "subprocess.Popen[bytes]", ProcessEcs]
) -> None:
    address, process, ecs = scheduler
    engine = Engine("dask", scheduler=address)
    with open_cluster(engine, _tasks(ProcessEcs()), lambda _: None) as cluster:
        assert run_prepare(folder, None) == run_prepare(folder, cluster)
        wait = threading.Timer(0.5, process.kill)
        wait.start()
        with pytest.raises(Interrupted, match="The cluster was lost"):
            cluster.wait(cluster.map(time.sleep, [60]))
    wait_until_gone(ecs)


def test_an_address_without_a_scheduler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training_job.cluster.opening.CONNECT_SECONDS", 1.0)
    engine = Engine("dask", scheduler="tcp://127.0.0.1:1")
    with (
        pytest.raises(BadInput, match="No Dask scheduler answers at tcp:"),
        open_cluster(engine, _tasks(ProcessEcs()), print),
    ):
        pass


HOLD = """
import sys, time
from benchmarks.cluster.worker_processes import running
with running(1) as (cluster, ecs):
    print(next(iter(ecs.processes.values())).pid, flush=True)
    time.sleep(600)
"""


def test_no_worker_outlives_a_step_that_is_killed() -> None:
    step = subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert step.stdout is not None
    worker = psutil.Process(int(step.stdout.readline()))
    family = [worker, *worker.children(recursive=True)]
    step.kill()
    step.wait()
    gone, alive = psutil.wait_procs(family, timeout=PATIENCE_SECONDS)
    assert [] == alive
    assert len(family) == len(gone)
