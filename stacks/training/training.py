"""Training: the cluster, the state machine, and the rules that report what they miss."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from domain.typed_json import Json
from stacks.common.clock import create_clock, schedule
from stacks.common.function import Libraries, ZipFunction
from stacks.common.nag import acknowledge, wildcard_finding
from stacks.common.outputs import write_outputs
from stacks.settings import Settings
from stacks.stage import Stage
from stacks.storage.dead_letters import import_queue
from stacks.storage.storage import StorageStack
from stacks.target import Target, TaskNetwork
from stacks.training.task_state import TrainingTask
from stacks.training.training_machine import TrainingMachine
from stacks.training.training_task import (
    CONTAINER,
    TrainingTaskDefinition,
    grant_compaction,
    grant_erasure,
    grant_promotion,
    grant_steps,
    grant_workers,
)
from training_job.compaction.compact_request import USUAL_DAYS

ERASURE_SIZE = (2048, 4096)
"""CPU units and MiB of an erasure, which reads every object and holds some rows of one."""
COMPACTION_SIZE = (1024, 2048)
"""CPU units and MiB of a compaction, which holds some small objects at a time: 0.5 GB at most, by
`benchmarks.compaction`."""
PROMOTION_SIZE = (512, 2048)
"""CPU units and MiB of a promotion, which loads one bundle and MLflow's client."""


class TrainingStack(Stack):
    """Runs the steps of `training_job` as Fargate tasks under the training state machine."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        target: Target,
        storage: StorageStack,
        network: TaskNetwork,
        mlflow_url: str,
    ) -> None:
        super().__init__(scope, construct_id, termination_protection=settings.stage.retain)
        stage = settings.stage
        self._name = name = settings.names.training
        # The L2 cluster would bring a VPC along; this one needs none.
        self._cluster = ecs.CfnCluster(
            self, "Cluster", capacity_providers=["FARGATE", "FARGATE_SPOT"]
        )
        acknowledge(
            self._cluster,
            {"AwsSolutions-ECS4": "Container Insights costs more than the tasks it would watch."},
        )
        steps, promotion, erasure, compaction = (
            TrainingTaskDefinition(
                self,
                construct_id,
                name=family,
                cpu=cpu,
                memory=memory,
                settings=settings,
                target=target,
                storage=storage,
                mlflow_url=mlflow_url,
                workers=self._describe_workers(stage, network) if family == name else {},
            ).definition
            for construct_id, family, cpu, memory in (
                ("Steps", name, stage.training_cpu, stage.training_memory),
                ("Promotion", settings.names.promotion, *PROMOTION_SIZE),
                ("Erasure", settings.names.erasure, *ERASURE_SIZE),
                ("Compaction", settings.names.compaction, *COMPACTION_SIZE),
            )
        )
        grant_steps(steps.task_role, storage)
        grant_workers(steps, self._cluster.attr_arn)
        grant_promotion(promotion.task_role, storage)
        grant_erasure(erasure.task_role, storage)
        grant_compaction(compaction.task_role, storage)
        self.machine = TrainingMachine(
            self,
            "Training",
            name=name,
            bus=storage.bus,
            tracing=stage.tracing,
            approval_hours=stage.approval_hours if stage.approval else None,
            steps=self._task(steps, spot=stage.training_spot, network=network),
            promotion=self._task(promotion, spot=stage.training_spot, network=network),
            erasure=self._task(erasure, spot=stage.training_spot, network=network),
            compaction=self._task(compaction, spot=stage.training_spot, network=network),
        ).machine
        for definition in (steps, promotion, erasure, compaction):
            self.machine.grant_task_response(definition.task_role)
        self.grant_describe(steps.task_role, "Any execution may be the lock's holder.")
        for role in (erasure.task_role, compaction.task_role):
            self._grant_watch(role)
        self._schedule(stage, storage.dead_letters)
        dead_letters = import_queue(self, storage.dead_letters)
        self._watch_tasks(stage, storage, dead_letters)
        self._report_failures(storage, dead_letters)
        write_outputs(
            self,
            state_machine_arn=self.machine.state_machine_arn,
            cluster=self._cluster.ref,
            mlflow_url=mlflow_url,
            **{"tracking": settings.tracking.name} if settings.shares_tracking else {},
        )

    def _schedule(self, stage: Stage, dead_letters: sqs.IQueue) -> None:
        """Start trainings and compactions; one is refused while another of its kind runs."""
        compaction: dict[str, Json] = {"compact": {"days": USUAL_DAYS}}
        wanted: dict[str, tuple[str | None, str, dict[str, Json]]] = {
            "Regular": (stage.training_schedule, "Regular training", {}),
            "RegularCompaction": (stage.compaction_schedule, "Regular compaction", compaction),
        }
        if not any(expression for expression, _, _ in wanted.values()):
            return
        clock = create_clock(self, dead_letters)
        self.machine.grant_start_execution(clock)
        for construct_id, (expression, description, request) in wanted.items():
            if expression:
                schedule(
                    clock,
                    construct_id,
                    expression=expression,
                    description=description,
                    arn=self.machine.state_machine_arn,
                    request=request,
                    dead_letters=dead_letters,
                )

    def _task(
        self, definition: ecs.FargateTaskDefinition, *, spot: bool, network: TaskNetwork
    ) -> TrainingTask:
        return TrainingTask(
            cluster_arn=self._cluster.attr_arn,
            family=definition.family,
            container=CONTAINER,
            role_arns=(
                definition.task_role.role_arn,
                definition.obtain_execution_role().role_arn,
            ),
            spot=spot,
            network=network,
        )

    def _describe_workers(self, stage: Stage, network: TaskNetwork) -> dict[str, str]:
        """Settings of `training_job`: where and how a step starts the tasks that work for it."""
        return {
            "worker_cluster": self._cluster.attr_arn,
            "worker_family": self._name,
            "worker_container": CONTAINER,
            "worker_subnets": ",".join(network.subnet_ids),
            "worker_security_groups": ",".join(network.security_group_ids),
            "worker_provider": "FARGATE_SPOT" if stage.training_spot else "FARGATE",
        }

    def grant_describe(self, role: iam.IRole, reason: str, *further: str) -> None:
        """Let the role describe any execution; `reason`: why it must be any.

        `further` actions take the same resource.
        """
        place = f"execution:{self._name}:*"
        role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["states:DescribeExecution", *further],
                resources=[f"arn:{self.partition}:states:{self.region}:{self.account}:{place}"],
            )
        )
        here = "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>"
        acknowledge(role, {wildcard_finding(f"{here}:{place}"): reason})

    def grant_list(self, role: iam.IRole) -> None:
        """Let the role list the executions."""
        role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["states:ListExecutions"], resources=[self.machine.state_machine_arn]
            )
        )

    def _grant_watch(self, role: iam.IRole) -> None:
        """Let the role see which executions run, and in which state each is."""
        reason = "Any execution may hold rows of the logs, or rewrite their objects."
        self.grant_describe(role, reason, "states:GetExecutionHistory")
        self.grant_list(role)

    def _watch_tasks(self, stage: Stage, storage: StorageStack, dead_letters: sqs.IQueue) -> None:
        """When a task stops without an answer, fail its state without waiting for the heartbeat."""
        watcher = ZipFunction(
            self,
            "TaskWatcher",
            component="task_watcher",
            stage=stage,
            libraries=Libraries(self, "Libraries"),
            timeout=Duration.seconds(30),
            environment={},
            key=storage.key,
            dead_letters=dead_letters,
        )
        watcher.role.add_to_policy(
            iam.PolicyStatement(
                actions=["states:SendTaskFailure"], resources=[self.machine.state_machine_arn]
            )
        )
        events.Rule(
            self,
            "StoppedTasks",
            event_pattern=events.EventPattern(
                source=["aws.ecs"],
                detail_type=["ECS Task State Change"],
                detail={"clusterArn": [self._cluster.attr_arn], "lastStatus": ["STOPPED"]},
            ),
            targets=[targets.LambdaFunction(watcher.function, dead_letter_queue=dead_letters)],
        )

    def _report_failures(self, storage: StorageStack, dead_letters: sqs.IQueue) -> None:
        """Report failures that no Catch can see: timeout, abort, data limit."""
        events.Rule(
            self,
            "FailedExecutions",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "stateMachineArn": [self.machine.state_machine_arn],
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                },
            ),
            targets=[targets.SnsTopic(storage.topic, dead_letter_queue=dead_letters)],
        )
