"""The task agent: on this machine it does what Fargate does on AWS.

It watches the emulator's ECS API for running tasks of every cluster, so of every deployment. It
runs each container's command as a process in the checkout, forwards StopTask, stops a task whose
container ended, and reports a process that ended without reporting itself. Run as
``python -m ops.local.task_agent``; `up` starts it.
"""

import argparse
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from adapters import aws
from adapters.task_token import EXIT_CODE_REPORTED, TaskToken, TokenClosed
from domain.failures import explain_failure
from lambdas.task_watcher.watch import token_of
from ops.errors import OpsError
from ops.laptop import ROOT, Laptop
from ops.local.container import Container, ContainerProcess, UnknownImage, process_of
from ops.local.processes import Daemon

POLL_SECONDS = 0.5
REPORT_GRACE_SECONDS = 2.0
"""How long the agent waits, after a process has ended, for the process's own report."""
STOP_SECONDS = 60.0
DEFAULTS = {"SEARCH_MINUTES": "2"}
"""Settings of the tasks here, unless their definition has them: somebody waits for a laptop."""


def daemon(laptop: Laptop) -> Daemon:
    """The agent's process."""
    return Daemon("task-agent", laptop.folder)


def start(laptop: Laptop, environ: Mapping[str, str]) -> bool:
    """Start it; False when it already ran."""
    agent = daemon(laptop)
    if agent.pid() is not None:
        return False
    command = [sys.executable, "-m", "ops.local.task_agent"]
    command += ["--folder", str(laptop.folder)]
    agent.start(command, env=laptop.env(environ) | {"PYTHONUNBUFFERED": "1"}, cwd=ROOT)
    return True


def stop(laptop: Laptop) -> bool:
    """End it and its tasks; True when it was running."""
    return daemon(laptop).stop(seconds=STOP_SECONDS)


def forget(laptop: Laptop) -> None:
    """Forget the tasks of an emulator that no longer exists."""
    shutil.rmtree(laptop.folder / "run" / "tasks", ignore_errors=True)


@dataclass(slots=True)
class Task:
    """A task that was seen running."""

    arn: str
    token: str | None
    processes: list[ContainerProcess] = field(default_factory=list)
    ended_at: float | None = None
    cause: str = ""

    @property
    def name(self) -> str:
        """Its id, the last part of its ARN."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def reported(self) -> bool:
        """Whether each of its processes has reported how it ended, as its exit code says."""
        codes = [process.exit_code() for process in self.processes]
        return bool(codes) and all(code == EXIT_CODE_REPORTED for code in codes)

    def dead(self) -> ContainerProcess | None:
        """Return an essential container that has ended, if there is one."""
        return next((p for p in self.processes if p.container.essential and not p.alive()), None)


class Agent:
    """Runs one cluster's tasks; `step` looks once at the ECS API and once at each process."""

    def __init__(
        self, *, ecs: Any, stepfunctions: Any, cluster: str, folder: Path, env: Mapping[str, str]
    ) -> None:
        self._ecs, self._stepfunctions = ecs, stepfunctions
        self._cluster, self._folder, self._env = cluster, folder, env
        self._tasks: dict[str, Task] = {}

    def step(self) -> None:
        """Start new tasks, stop those that ECS no longer wants, and report those that ended."""
        running = self._running()
        if running is not None:
            for arn in running.keys() - self._tasks.keys():
                self._tasks[arn] = self._begin(running[arn])
        for task in list(self._tasks.values()):
            wanted = running is None or task.arn in running
            if self._follow(task, wanted=wanted):
                del self._tasks[task.arn]

    def close(self) -> None:
        """Stop all tasks: first ask, then kill those that outlast their grace period."""
        while any(p.alive() for task in self._tasks.values() for p in task.processes):
            for task in self._tasks.values():
                for process in task.processes:
                    process.ask_to_stop()
            time.sleep(0.1)
        for task in self._tasks.values():
            self._stop(task, "The machine's task agent was stopped.")

    @property
    def idle(self) -> bool:
        """Whether it follows no task."""
        return not self._tasks

    def _running(self) -> dict[str, dict[str, Any]] | None:
        """Descriptions of running tasks by ARN; None while the emulator doesn't answer."""
        try:
            arns = self._ecs.list_tasks(cluster=self._cluster)["taskArns"]
            if not arns:
                return {}
            tasks = self._ecs.describe_tasks(cluster=self._cluster, tasks=arns)["tasks"]
        except ClientError as error:
            # A new emulator without our cluster has none of our tasks either.
            gone = aws.error_code(error) == "ClusterNotFoundException"
            return {} if gone else None
        except BotoCoreError:
            return None
        return {task["taskArn"]: task for task in tasks if task["lastStatus"] == "RUNNING"}

    def _begin(self, description: Mapping[str, Any]) -> Task:
        """Start a task's containers, unless an earlier agent did."""
        overrides = description.get("overrides", {})
        task = Task(description["taskArn"], token_of(description))
        try:
            definitions = self._ecs.describe_task_definition(
                taskDefinition=description["taskDefinitionArn"]
            )["taskDefinition"]["containerDefinitions"]
            for definition in definitions:
                container = Container.of(definition, overrides)
                alone = len(definitions) == 1
                process = process_of(container, task.name, self._folder, alone=alone)
                task.processes.append(process)
                if not process.daemon.lock.exists():
                    process.start(self._env)
                    _say(f"{task.name} started: python {' '.join(container.command)}")
        except UnknownImage as error:
            task.cause = f"The image {error} does not run Python from this checkout."
        except (OpsError, BotoCoreError, ClientError) as error:
            task.cause = f"The container can't be started: {error}"
        return task

    def _follow(self, task: Task, *, wanted: bool) -> bool:
        """Look at a task once; return True if there is nothing more to do for it."""
        if task.ended_at is not None:
            if time.monotonic() - task.ended_at < REPORT_GRACE_SECONDS:
                return False
            self._report(task)
            return True
        dead = task.dead()
        if dead is not None and not task.cause:
            code = dead.exit_code()
            task.cause = "The container's process ended" + (
                f" with exit code {code}." if code is not None else "; its exit code is unknown."
            )
        alive = False
        for process in task.processes:
            if not wanted or task.cause:
                process.ask_to_stop()
                process.clean_up()
            alive = alive or process.alive()
        if (task.cause or not wanted) and not alive:
            self._stop(task, task.cause or "The task was stopped.")
            task.ended_at = time.monotonic()
        return False

    def _stop(self, task: Task, reason: str) -> None:
        _say(f"{task.name} stopped: {reason}")
        try:
            self._ecs.stop_task(cluster=self._cluster, task=task.arn, reason=reason)
        except (BotoCoreError, ClientError) as error:
            _say(f"{task.name}: StopTask: {error}")

    def _report(self, task: Task) -> None:
        """Say for the process that it ended, unless it has said so by itself.

        The emulator keeps a state's token over its retries: a second word about this process
        would fail the retry that runs meanwhile.
        """
        if task.token is None or task.reported:
            return
        log = next((process.daemon.log for process in task.processes), None)
        cause = (task.cause or "The task was stopped.") + (f" Its log is {log}." if log else "")
        try:
            token = TaskToken(self._stepfunctions, task.token)
            token.fail("ContainerExited", explain_failure("ContainerExited", cause))
            _say(f"{task.name}: reported ContainerExited")
        except TokenClosed:
            pass
        except (BotoCoreError, ClientError) as error:
            _say(f"{task.name}: SendTaskFailure: {type(error).__name__}")


class Agents:
    """One agent for each cluster of the emulator; `options` are those of every agent."""

    def __init__(self, *, ecs: Any, **options: Any) -> None:
        self._ecs, self._options = ecs, options
        self._agents: dict[str, Agent] = {}

    def step(self) -> None:
        """Let each agent step; that of a deleted cluster goes on until its tasks have ended."""
        found = self._list_clusters()
        for cluster in found or ():
            if cluster not in self._agents:
                self._agents[cluster] = Agent(ecs=self._ecs, cluster=cluster, **self._options)
        for cluster, agent in list(self._agents.items()):
            agent.step()
            if found is not None and cluster not in found and agent.idle:
                del self._agents[cluster]

    def close(self) -> None:
        """Stop the tasks of all clusters at a time."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(Agent.close, self._agents.values()))

    def _list_clusters(self) -> list[str] | None:
        """ARNs of all clusters; None while the emulator doesn't answer."""
        try:
            pages = self._ecs.get_paginator("list_clusters").paginate()
            return [arn for page in pages for arn in page["clusterArns"]]
        except (BotoCoreError, ClientError):
            return None


def _say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, flush=True)


def main() -> None:
    """Watch until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m ops.local.task_agent", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    args = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    agents = Agents(
        ecs=aws.client("ecs"),
        stepfunctions=aws.client("stepfunctions"),
        folder=args.folder,
        env=DEFAULTS | os.environ,
    )
    while not ended.wait(POLL_SECONDS):
        agents.step()
    agents.close()


if __name__ == "__main__":
    main()
