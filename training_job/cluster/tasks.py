"""The workers of a step's own cluster: tasks of the step's own task definition."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from domain.plural import write_count
from training_job.errors import Interrupted

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

DEATH_SECONDS = 60
"""A worker that can't reach its scheduler for so long ends, even when the step was killed."""
PER_CALL = 10
"""The most tasks that one call of RunTask starts."""
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "10s",
}
"""Settings of Dask, for workers and the step: less sampling of what they do, which costs each idle
process 2 % of a core and slows the work down."""
MALLOC = {
    "MALLOC_TRIM_THRESHOLD_": "67108864",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
}
"""What glibc comes to by itself in a process that works on arrays of such sizes. With the low
threshold that Dask sets instead, it returns and fetches the memory of each temporary array, which
took a third of the CPU time of preparing."""
STOPPED = "The step that it worked for has ended."


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTasks:
    """How to start a worker. `cluster`: the ARN of the ECS cluster. `family`: the task definition's
    newest revision. `provider`: ``FARGATE`` or ``FARGATE_SPOT``. `processes`: workers in each task.
    """

    ecs: "ECSClient"
    cluster: str
    family: str
    container: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    provider: str
    processes: int
    started: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self, count: int, scheduler: str) -> Iterator[None]:
        """Start so many tasks, and stop them in the end; raises Interrupted."""
        try:
            self._start(count, scheduler)
            yield
        finally:
            self._stop()

    def _start(self, count: int, scheduler: str) -> None:
        for first in range(0, count, PER_CALL):
            answer = self.ecs.run_task(**self._request(min(PER_CALL, count - first), scheduler))
            self.started.extend(task["taskArn"] for task in answer["tasks"])
            if answer["failures"]:
                reasons = sorted({str(one.get("reason")) for one in answer["failures"]})
                raise Interrupted(
                    f"Only {len(self.started)} of {write_count(count, 'worker')} could be started:"
                    f" {', '.join(reasons)}. Start the step again, or with fewer workers."
                )

    def _request(self, count: int, scheduler: str) -> Any:
        command = ["python", "-m", "distributed.cli.dask_worker", scheduler]
        command += ["--death-timeout", str(DEATH_SECONDS), "--no-dashboard"]
        command += ["--nworkers", str(self.processes), "--nthreads", "1"]
        return {
            "cluster": self.cluster,
            "taskDefinition": self.family,
            "count": count,
            "capacityProviderStrategy": [{"capacityProvider": self.provider, "weight": 1}],
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": list(self.subnets),
                    "securityGroups": list(self.security_groups),
                    "assignPublicIp": "ENABLED",  # there is no NAT
                }
            },
            "overrides": {
                "containerOverrides": [
                    {"name": self.container, "command": command, "environment": _environment()}
                ]
            },
        }

    def _stop(self) -> None:
        """Stop what was started. A task that can't be stopped ends when it misses its scheduler."""
        for arn in self.started:
            with contextlib.suppress(BotoCoreError, ClientError):
                self.ecs.stop_task(cluster=self.cluster, task=arn, reason=STOPPED)


def _environment() -> list[dict[str, str]]:
    """`MALLOC`, and `QUIET` as Dask reads it from environment variables."""
    names = {key: key.replace(".", "__").replace("-", "_").upper() for key in QUIET}
    settings = {f"DASK_{names[key]}": str(value) for key, value in QUIET.items()}
    return [{"name": name, "value": value} for name, value in (MALLOC | settings).items()]
