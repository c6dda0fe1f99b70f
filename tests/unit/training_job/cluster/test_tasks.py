"""A step's workers: started as tasks of its own definition, and stopped whatever happens."""

import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.repository import ROOT
from training_job.cluster.tasks import WorkerTasks
from training_job.errors import Interrupted

SCHEDULER = "tcp://10.0.0.7:40001"


class Ecs:
    """Remembers what it was asked for; has room for so many tasks."""

    def __init__(self, room: int = 100) -> None:
        self.room, self.requests, self.stopped = room, list[dict[str, Any]](), list[str]()

    def run_task(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        count = min(request["count"], self.room)
        self.room -= count
        number = len(self.requests)
        failures = [{"reason": "RESOURCE:FARGATE"}] if count < request["count"] else []
        tasks = [{"taskArn": f"{number}-{index}"} for index in range(count)]
        return {"tasks": tasks, "failures": failures}

    def stop_task(self, *, cluster: str, task: str, reason: str) -> None:
        self.stopped.append(task)
        if task == "1-0":
            raise ClientError({"Error": {"Code": "InvalidParameterException"}}, "StopTask")


def make(ecs: Ecs) -> WorkerTasks:
    return WorkerTasks(
        ecs=ecs,  # type: ignore[arg-type]  # only the calls that are made
        cluster="cluster",
        family="circle-dev-training",
        container="training",
        subnets=("a", "b"),
        security_groups=("g",),
        provider="FARGATE_SPOT",
        processes=4,
    )


def test_workers_are_tasks_of_the_steps_definition_in_calls_of_ten() -> None:
    ecs = Ecs()
    with make(ecs).running(23, SCHEDULER):
        assert [10, 10, 3] == [request["count"] for request in ecs.requests]
        assert [] == ecs.stopped
    first = ecs.requests[0]
    assert ("cluster", "circle-dev-training") == (first["cluster"], first["taskDefinition"])
    (override,) = first["overrides"]["containerOverrides"]
    command = " ".join(override["command"])
    assert command.startswith(f"python -m distributed.cli.dask_worker {SCHEDULER} ")
    assert "--death-timeout 60 " in command
    assert command.endswith("--nworkers 4 --nthreads 1")
    assert {"name", "command", "environment"} == override.keys()
    assert {
        "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
        "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "500ms",
        "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "10s",
        "MALLOC_TRIM_THRESHOLD_": "67108864",
        "MALLOC_MMAP_THRESHOLD_": "33554432",
    } == {entry["name"]: entry["value"] for entry in override["environment"]}  # no task token
    assert 23 == len(ecs.stopped)


def test_workers_are_stopped_when_the_step_fails() -> None:
    ecs = Ecs()
    with pytest.raises(KeyError), make(ecs).running(3, SCHEDULER):
        raise KeyError
    assert ["1-0", "1-1", "1-2"] == ecs.stopped


def test_without_room_for_all_none_stays() -> None:
    ecs = Ecs(room=12)
    with (
        pytest.raises(Interrupted, match=r"Only 12 of 23 workers .*RESOURCE:FARGATE"),
        make(ecs).running(23, SCHEDULER),
    ):
        pytest.fail("it has too few workers")
    assert 12 == len(ecs.stopped)


LOCAL = """
import sys
import training_job.steps
import training_job.dataset.prepare
import training_job.evaluation.evaluate
import training_job.scoring.score
import training_job.search.tune
print(sorted({name.partition(".")[0] for name in sys.modules} & {"dask", "distributed"}))
"""


def test_the_local_engine_does_not_import_dask() -> None:
    found = subprocess.run(
        [sys.executable, "-c", LOCAL], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "[]" == found.stdout.strip()
