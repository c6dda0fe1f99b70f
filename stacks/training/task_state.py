"""One step of the training as a state: a Fargate task that answers with its token."""

from dataclasses import dataclass
from typing import Any

from domain.training.steps import StepName
from stacks.target import TaskNetwork

HEARTBEAT_SECONDS = 600
"""A task without a heartbeat for so long has failed; provisioning and image pull count."""

TIMEOUT_HOURS: dict[StepName, int] = {
    "prepare": 2,
    "tune": 6,
    "evaluate": 2,
    "promote": 1,
    "check": 1,
    "score": 12,
    "erase": 48,
    "compact": 6,
}
"""The longest that each step may take."""

RETRIES = (
    # No capacity, throttled, or a failure inside ECS: the next try may find capacity.
    (
        (
            "AmazonECS.Unknown",
            "ECS.AmazonECSException",
            "ECS.ServerException",
            "TaskFailedToStart",
        ),
        30,
        5,
    ),
    # The task was interrupted (Spot, maintenance) or lost: a retried step resumes.
    (("Interrupted", "States.HeartbeatTimeout"), 10, 2),
    # The tracking server is being replaced or restarted, or AWS throttles or fails.
    (("RegistryUnavailable", "AwsUnavailable"), 30, 3),
)
"""(errors, seconds before the first retry, number of retries); other errors aren't retried."""


SPOT_ATTEMPTS = 3
"""So often a step is tried on Spot; its later attempts, up to the last retry, run on demand."""


PROMOTION: tuple[StepName, ...] = ("promote", "check")
"""Steps that run with the rights of a promotion; the others can't change what serves."""
ERASURE: tuple[StepName, ...] = ("erase",)
"""Steps that run with the rights of an erasure, which alone may delete any row."""
COMPACTION: tuple[StepName, ...] = ("compact",)
"""Steps that run with the rights of a compaction, which may replace objects of the logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingTask:
    """What a state starts: the newest task definition of a family, and where it runs.

    A deployment deregisters the revision before, so a state that named a revision could not start
    its task while an older execution runs on. `container` is the container's name.
    """

    cluster_arn: str
    family: str
    container: str
    role_arns: tuple[str, ...]
    spot: bool
    network: TaskNetwork

    def state(self, step: StepName, partition: str) -> dict[str, Any]:
        """The state that runs ``python -m training_job <step>``; its result goes under `step`."""
        return {
            "Type": "Task",
            "Resource": f"arn:{partition}:states:::ecs:runTask.waitForTaskToken",
            "TimeoutSeconds": TIMEOUT_HOURS[step] * 3600,
            "HeartbeatSeconds": HEARTBEAT_SECONDS,
            "Parameters": {
                "Cluster": self.cluster_arn,
                "TaskDefinition": self.family,
                "CapacityProviderStrategy": [{**self._provider(), "Weight": 1}],
                "NetworkConfiguration": {
                    "AwsvpcConfiguration": {
                        "Subnets": list(self.network.subnet_ids),
                        "SecurityGroups": list(self.network.security_group_ids),
                        "AssignPublicIp": "ENABLED",  # there is no NAT
                    }
                },
                "Overrides": {"ContainerOverrides": [self._override(step)]},
            },
            "ResultPath": f"$.{step}",
            "Retry": [_retry(*retry) for retry in RETRIES],
        }

    def _provider(self) -> dict[str, str]:
        """On demand, or chosen by the number of the state's retries so far."""
        if not self.spot:
            return {"CapacityProvider": "FARGATE"}
        attempts = 1 + sum(retries for _, _, retries in RETRIES)
        providers = ["FARGATE_SPOT"] * SPOT_ATTEMPTS
        providers += ["FARGATE"] * (attempts - SPOT_ATTEMPTS)
        array = ", ".join(f"'{provider}'" for provider in providers)
        choice = f"States.ArrayGetItem(States.Array({array}), $$.State.RetryCount)"
        return {"CapacityProvider.$": choice}

    def _override(self, step: StepName) -> dict[str, Any]:
        return {
            "Name": self.container,
            "Command": ["python", "-m", "training_job", step],
            "Environment": [
                {"Name": "TASK_TOKEN", "Value.$": "$$.Task.Token"},
                {"Name": "EXECUTION", "Value.$": "$$.Execution.Id"},
                {"Name": "STARTED_AT", "Value.$": "$$.Execution.StartTime"},
                {"Name": "STATE_INPUT", "Value.$": "States.JsonToString($)"},
            ],
        }


def _retry(errors: tuple[str, ...], seconds: int, attempts: int) -> dict[str, Any]:
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": seconds,
        "MaxAttempts": attempts,
        "BackoffRate": 2,
        "MaxDelaySeconds": 600,
        "JitterStrategy": "FULL",
    }
