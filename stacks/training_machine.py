"""The training state machine, as the Step Functions console shows it.

Prepare → Tune → Evaluate → Better? → Promote → Promoted? → AnnouncePromoted
with Keep → AnnounceKept where the champion stays, AnnounceFailure → Failed where a step fails.

The state accumulates ``{"input": ..., "prepare": ..., "tune": ..., "evaluate": ...}``: the
execution's input, then each step's result. With ``{"rollback": true}`` or
``{"promote_version": ...}`` as input it goes to Promote.
"""

from dataclasses import dataclass
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from domain.events import SOURCE, DetailType
from stacks.nag import acknowledge
from stacks.target import TaskNetwork

HEARTBEAT_SECONDS = 600
"""A task that is silent for so long is given up; provisioning and image pull count."""

TIMEOUT_HOURS = {"prepare": 2, "tune": 6, "evaluate": 2, "promote": 1}
"""The longest that each step may take, in the order in which they run."""

RETRIES = (
    # No capacity, throttled, or ECS's own trouble: the next try may find a place.
    (("AmazonECS.Unknown", "ECS.AmazonECSException", "ECS.ServerException"), 30, 5),
    # The task was taken away (Spot, maintenance) or lost; a retried step goes on where it was.
    (("Interrupted", "States.HeartbeatTimeout"), 10, 2),
)
"""(errors, seconds before the first retry, retries): only what a retry can cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingTask:
    """What the machine starts: a task definition and where it runs.

    `provider` is a Fargate capacity provider; `container` the container's name.
    """

    cluster_arn: str
    definition_arn: str
    container: str
    role_arns: tuple[str, ...]
    provider: str
    network: TaskNetwork


class TrainingMachine(Construct):
    """The machine with a role of its own: run this task, pass its roles, put these events."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        task: TrainingTask,
        bus: events.IEventBus,
    ) -> None:
        super().__init__(scope, construct_id)
        self._task, self._bus = task, bus
        self._role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        self._grant()
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=name,
            role=self._role,
            definition_body=sfn.DefinitionBody.from_chainable(self._definition()),
        )
        acknowledge(
            self.machine,
            {
                "AwsSolutions-SF1": (
                    "Step Functions keeps each execution's history for 90 days; delivering it to"
                    " CloudWatch too takes rights on every log group."
                ),
                "AwsSolutions-SF2": "Four steps in a row: the history says what a trace would.",
            },
        )

    def _grant(self) -> None:
        task = self._task
        statements = (
            iam.PolicyStatement(
                actions=["ecs:RunTask"],
                resources=[task.definition_arn],
                conditions={"ArnEquals": {"ecs:cluster": task.cluster_arn}},
            ),
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=list(task.role_arns),
                conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            ),
        )
        for statement in statements:
            self._role.add_to_policy(statement)

    def _definition(self) -> sfn.IChainable:
        failed = self._failed()
        prepare, tune, evaluate, promote = (self._step(name, failed) for name in TIMEOUT_HOURS)
        kept = self._announce("AnnounceKept", "ModelKept", failed)
        promote.next(
            sfn.Choice(self, "Promoted?")
            .when(
                sfn.Condition.boolean_equals("$.promote.promoted", True),
                self._announce("AnnouncePromoted", "ModelPromoted", failed),
            )
            .otherwise(kept)
        )
        better = (
            sfn.Choice(self, "Better?")
            .when(sfn.Condition.boolean_equals("$.evaluate.promote", True), promote)
            .otherwise(self._keep().next(kept))
        )
        training = prepare.next(tune).next(evaluate).next(better)
        return sfn.Pass(self, "Input", parameters={"input": sfn.JsonPath.entire_payload}).next(
            sfn.Choice(self, "Train?").when(_names_a_version(), promote).otherwise(training)
        )

    def _step(self, step: str, failed: sfn.IChainable) -> sfn.CustomState:
        state = sfn.CustomState(self, step.capitalize(), state_json=self._run_task(step))
        return state.add_catch(failed, errors=["States.ALL"], result_path="$.error")

    def _run_task(self, step: str) -> dict[str, Any]:
        """One Fargate task that answers with its token; the result goes under the step's name."""
        task = self._task
        return {
            "Type": "Task",
            "Resource": f"arn:{Stack.of(self).partition}:states:::ecs:runTask.waitForTaskToken",
            "TimeoutSeconds": TIMEOUT_HOURS[step] * 3600,
            "HeartbeatSeconds": HEARTBEAT_SECONDS,
            "Parameters": {
                "Cluster": task.cluster_arn,
                "TaskDefinition": task.definition_arn,
                "CapacityProviderStrategy": [{"CapacityProvider": task.provider, "Weight": 1}],
                "NetworkConfiguration": {
                    "AwsvpcConfiguration": {
                        "Subnets": list(task.network.subnet_ids),
                        "SecurityGroups": list(task.network.security_group_ids),
                        "AssignPublicIp": "ENABLED",  # there is no NAT
                    }
                },
                "Overrides": {"ContainerOverrides": [self._override(step)]},
            },
            "ResultPath": f"$.{step}",
            "Retry": [_retry(*retry) for retry in RETRIES],
        }

    def _override(self, step: str) -> dict[str, Any]:
        return {
            "Name": self._task.container,
            "Command": ["python", "-m", "training_job", step],
            "Environment": [
                {"Name": "TASK_TOKEN", "Value.$": "$$.Task.Token"},
                {"Name": "EXECUTION", "Value.$": "$$.Execution.Id"},
                {"Name": "STATE_INPUT", "Value.$": "States.JsonToString($)"},
            ],
        }

    def _keep(self) -> sfn.Pass:
        """The gate said no: the same shape as Promote's result, for the same announcement."""
        return sfn.Pass(
            self,
            "Keep",
            parameters={
                "promoted": False,
                "seq": None,
                "version": sfn.JsonPath.string_at("$.evaluate.version"),
                "reasons": sfn.JsonPath.list_at("$.evaluate.reasons"),
            },
            result_path="$.promote",
        )

    def _announce(
        self, construct_id: str, detail_type: DetailType, failed: sfn.IChainable
    ) -> tasks.EventBridgePutEvents:
        detail = {
            "execution": sfn.JsonPath.execution_id,
            "seq": sfn.JsonPath.object_at("$.promote.seq"),
            "version": sfn.JsonPath.string_at("$.promote.version"),
            "reasons": sfn.JsonPath.list_at("$.promote.reasons"),
        }
        announce = self._put(construct_id, detail_type, detail)
        announce.add_catch(failed, errors=["States.ALL"], result_path="$.error")
        return announce

    def _failed(self) -> sfn.IChainable:
        """Tell the bus, then end with the error's name and its sentence."""
        end = sfn.Fail(self, "Failed", error_path="$.error.Error", cause_path="$.error.Cause")
        announce = self._put(
            "AnnounceFailure",
            "TrainingFailed",
            {
                "execution": sfn.JsonPath.execution_id,
                "error": sfn.JsonPath.string_at("$.error.Error"),
                "cause": sfn.JsonPath.string_at("$.error.Cause"),
            },
        )
        # An event that can't be put must not hide why the training failed.
        announce.add_catch(end, errors=["States.ALL"], result_path=sfn.JsonPath.DISCARD)
        return announce.next(end)

    def _put(
        self, construct_id: str, detail_type: DetailType, detail: dict[str, Any]
    ) -> tasks.EventBridgePutEvents:
        entry = tasks.EventBridgePutEventsEntry(
            detail=sfn.TaskInput.from_object(detail),
            detail_type=detail_type,
            event_bus=self._bus,
            source=SOURCE,
        )
        state = tasks.EventBridgePutEvents(
            self,
            construct_id,
            entries=[entry],
            result_path=sfn.JsonPath.DISCARD,
            task_timeout=sfn.Timeout.duration(Duration.minutes(1)),
        )
        state.add_retry(max_attempts=3, interval=Duration.seconds(2))
        return state


def _names_a_version() -> sfn.Condition:
    """A rollback or a promotion by name; Promote judges what was written."""
    rollback = "$.input.rollback"
    return sfn.Condition.or_(
        sfn.Condition.is_present("$.input.promote_version"),
        sfn.Condition.and_(
            sfn.Condition.is_present(rollback),
            sfn.Condition.not_(sfn.Condition.boolean_equals(rollback, False)),
        ),
    )


def _retry(errors: tuple[str, ...], seconds: int, attempts: int) -> dict[str, Any]:
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": seconds,
        "MaxAttempts": attempts,
        "BackoffRate": 2,
        "MaxDelaySeconds": 600,
        "JitterStrategy": "FULL",
    }
