"""Training: the cluster, the task, the state machine, and who watches over them."""

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from constructs import Construct

from domain import keys
from stacks import grants
from stacks.function import Libraries, RoomFunction, architecture
from stacks.logs import log_group
from stacks.nag import acknowledge, wildcard
from stacks.outputs import publish
from stacks.settings import Settings
from stacks.storage import StorageStack
from stacks.target import Target, TaskNetwork
from stacks.training_machine import TrainingMachine, TrainingTask
from training_job.settings import Settings as TrainingSettings

CONTAINER = "training"


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
        self._settings = settings
        self._name = f"circle-{settings.stage.name}-training"
        cluster = ecs.CfnCluster(
            self,
            "Cluster",
            # The L2 cluster would bring a VPC along; this one needs none.
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
        )
        acknowledge(
            cluster,
            {"AwsSolutions-ECS4": "Container Insights costs more than the tasks it would watch."},
        )
        task = self._task(target, storage, mlflow_url)
        self.task_role = task.task_role
        self.machine = TrainingMachine(
            self,
            "Training",
            name=self._name,
            bus=storage.bus,
            task=TrainingTask(
                cluster_arn=cluster.attr_arn,
                definition_arn=task.task_definition_arn,
                container=CONTAINER,
                role_arns=(task.task_role.role_arn, task.obtain_execution_role().role_arn),
                provider="FARGATE_SPOT" if settings.stage.training_spot else "FARGATE",
                network=network,
            ),
        ).machine
        self._grant(storage)
        self._watch(cluster)
        self._announce(storage)
        publish(
            self,
            state_machine_arn=self.machine.state_machine_arn,
            cluster=cluster.ref,
            task_family=task.family,
            mlflow_url=mlflow_url,
        )

    def _task(
        self, target: Target, storage: StorageStack, mlflow_url: str
    ) -> ecs.FargateTaskDefinition:
        stage = self._settings.stage
        processor = architecture(stage)
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            family=self._name,
            cpu=stage.training_cpu,
            memory_limit_mib=stage.training_memory,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.of(processor.name.upper()),
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        scratch = "Scratch"
        task.add_volume(name=scratch)
        container = task.add_container(
            CONTAINER,
            image=target.training_image(processor),
            environment=TrainingSettings(
                data_bucket=storage.data.bucket_name,
                models_bucket=storage.models.bucket_name,
                mlflow_tracking_uri=mlflow_url,
                model_name=self._settings.contract.target,
                contract=self._settings.contract_text,
            ).to_env(),
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix=CONTAINER, log_group=log_group(self, stage)
            ),
            readonly_root_filesystem=True,
            stop_timeout=Duration.seconds(120),  # what Spot grants between SIGTERM and SIGKILL
        )
        container.add_mount_points(
            ecs.MountPoint(container_path="/tmp", source_volume=scratch, read_only=False)  # noqa: S108 - a volume of this task alone
        )
        acknowledge(
            task,
            {
                "AwsSolutions-ECS2": "The environment holds names of resources, no secret.",
                wildcard("*"): "ecr:GetAuthorizationToken takes no resource.",
            },
        )
        return task

    def _grant(self, storage: StorageStack) -> None:
        role = self.task_role
        for bucket in (storage.data, storage.models):
            grants.list_keys(role, bucket)
        grants.read(role, storage.data, f"{keys.RAW}*", f"{keys.DATASETS}*")
        grants.write(role, storage.data, f"{keys.DATASETS}*")
        own = tuple(f"{prefix}*" for prefix in (keys.MLFLOW, keys.SERVING, keys.STUDIES))
        grants.read(role, storage.models, *own)
        grants.write(role, storage.models, *own)
        self.machine.grant_task_response(role)
        # Does the execution that holds the lock still run?
        executions = self.format_arn(
            service="states",
            resource="execution",
            resource_name=f"{self._name}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        role.add_to_principal_policy(
            iam.PolicyStatement(actions=["states:DescribeExecution"], resources=[executions])
        )
        partition = "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>"
        acknowledge(
            role,
            {
                wildcard(f"{partition}:execution:{self._name}:*"): (
                    "Any execution of this machine may hold the lock."
                )
            },
        )

    def _watch(self, cluster: ecs.CfnCluster) -> None:
        """A task that stops without a word fails its state, instead of its heartbeat later."""
        watcher = RoomFunction(
            self,
            "TaskWatcher",
            room="task_watcher",
            stage=self._settings.stage,
            libraries=Libraries(self, "Libraries"),
            timeout=Duration.seconds(30),
            environment={},
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
                detail={"clusterArn": [cluster.attr_arn], "lastStatus": ["STOPPED"]},
            ),
            targets=[targets.LambdaFunction(watcher.function)],
        )

    def _announce(self, storage: StorageStack) -> None:
        """What no Catch can see (timeout, abort, data limit) is told here."""
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
            targets=[targets.SnsTopic(storage.topic)],
        )
