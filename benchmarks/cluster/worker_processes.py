"""ECS as far as a step's workers need it: a task is a process group of this machine."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ops.laptop import ROOT
from training_job.cluster.cluster import Cluster
from training_job.cluster.engine import Engine
from training_job.cluster.opening import open_cluster
from training_job.cluster.tasks import WorkerTasks

END_SECONDS = 20.0


class ProcessEcs:
    """The calls of boto3's ECS client that `WorkerTasks` makes.

    `memory_limit`: of each worker, such as ``2.5GB``; empty for Dask's own choice.
    """

    def __init__(self, memory_limit: str = "") -> None:
        self.memory_limit = memory_limit
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def run_task(self, *, count: int, overrides: Any, **_others: Any) -> Any:
        """Run the command as so many processes."""
        override = overrides["containerOverrides"][0]
        command = [sys.executable, *override["command"][1:]]
        if self.memory_limit:
            command += ["--memory-limit", self.memory_limit]
        settings = {entry["name"]: entry["value"] for entry in override["environment"]}
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **settings}
        started = []
        for _ in range(count):
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            arn = f"task/{process.pid}"
            self.processes[arn] = process
            started.append({"taskArn": arn})
        return {"tasks": started, "failures": []}

    def stop_task(self, *, task: str, **_: Any) -> None:
        """Ask it to end, and kill it after a while, as ECS does."""
        process = self.processes[task]
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill(task)

    def kill(self, task: str) -> None:
        """Take the task away at once, as Spot does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.processes[task].pid, signal.SIGKILL)
        self.processes[task].wait()


@contextmanager
def running(workers: int, memory_limit: str = "") -> Iterator[tuple[Cluster, ProcessEcs]]:
    """A step's own cluster with so many workers."""
    ecs = ProcessEcs(memory_limit)
    tasks = WorkerTasks(
        ecs=ecs,  # type: ignore[arg-type]  # only the calls that are made
        cluster="cluster",
        family="training",
        container="training",
        subnets=("subnet",),
        security_groups=("group",),
        provider="FARGATE",
        processes=1,
    )
    engine = Engine("dask", workers=workers)
    with open_cluster(engine, tasks, lambda _: None) as cluster:
        yield cluster, ecs
