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


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingTask:
    """What the machine starts: a task definition and where it runs.

    `provider` is a Fargate capacity provider, `container` the container's name.
    """

    cluster_arn: str
    definition_arn: str
    container: str
    role_arns: tuple[str, ...]
    provider: str
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
                "TaskDefinition": self.definition_arn,
                "CapacityProviderStrategy": [{"CapacityProvider": self.provider, "Weight": 1}],
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

    def _override(self, step: StepName) -> dict[str, Any]:
        return {
            "Name": self.container,
            "Command": ["python", "-m", "training_job", step],
            "Environment": [
                {"Name": "TASK_TOKEN", "Value.$": "$$.Task.Token"},
                {"Name": "EXECUTION", "Value.$": "$$.Execution.Id"},
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
