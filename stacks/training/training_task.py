"""The Fargate tasks of the training: their container and the rights of their roles."""

from collections.abc import Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from domain import keys
from stacks.common import grants
from stacks.common.function import architecture, name_role
from stacks.common.logs import create_log_group
from stacks.common.nag import acknowledge, wildcard_finding
from stacks.common.people import find_people
from stacks.settings import Settings
from stacks.storage.storage import StorageStack
from stacks.target import Target
from training_job.settings import Settings as TrainingSettings

CONTAINER = "training"
SCRATCH = "scratch"


class TrainingTaskDefinition(Construct):
    """Task family `name`: `training_job` with a read-only root and a ``/tmp`` of its own.

    `cpu` in CPU units, `memory` in MiB. `workers`: settings of the tasks that a step may start. The
    role may do nothing yet.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        cpu: int,
        memory: int,
        settings: Settings,
        target: Target,
        storage: StorageStack,
        mlflow_url: str,
        workers: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id)
        stage = settings.stage
        processor = architecture(stage)
        self.definition = ecs.FargateTaskDefinition(
            self,
            "Task",
            family=name,
            cpu=cpu,
            memory_limit_mib=memory,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.of(processor.name.upper()),
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        self.definition.add_volume(name=SCRATCH)
        container = self.definition.add_container(
            CONTAINER,
            image=target.training_image(processor),
            environment=TrainingSettings(
                data_bucket=storage.data.bucket_name,
                models_bucket=storage.models.bucket_name,
                predictions_bucket=storage.predictions.bucket_name,
                reports_bucket=storage.reports.bucket_name,
                mlflow_tracking_uri=mlflow_url,
                model_name=settings.names.model(settings.contract.target),
                contract=settings.contract_text,
                guard_principal=target.principal(name_role(settings.names.guard)),
                probation_principal=target.principal(name_role(settings.names.drift)),
                people_principal=find_people(settings, target),
                operator_command=target.operator_command(settings.names),
                retention=stage.retention.to_text() or None,
                **{
                    "processes": target.tuning_processes(cpu),
                    "delivery_seconds": target.delivery_seconds(stage.stream_seconds),
                    **workers,
                    **stage.training,
                },
            ).to_env(),
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix=CONTAINER, log_group=create_log_group(self, stage, storage.key)
            ),
            readonly_root_filesystem=True,
            stop_timeout=Duration.seconds(120),  # what Spot grants between SIGTERM and SIGKILL
        )
        container.add_mount_points(
            ecs.MountPoint(container_path="/tmp", source_volume=SCRATCH, read_only=False)  # noqa: S108 - a volume of this task alone
        )
        acknowledge(
            self.definition,
            {
                "AwsSolutions-ECS2": "The environment holds names of resources, no secret.",
                wildcard_finding("*"): "ecr:GetAuthorizationToken takes no resource.",
            },
        )


def grant_steps(role: iam.IRole, storage: StorageStack) -> None:
    """What preparing, tuning, evaluating and scoring need: not the pointer, not the ledger."""
    for bucket in (storage.data, storage.models, storage.predictions):
        grants.list_keys(role, bucket)
    logs = (f"{name}/*" for name in ("log", "labels"))
    grants.read(role, storage.predictions, *logs, f"{keys.FALLBACK}*")
    made = (f"{keys.DATASETS}*", f"{keys.SCORING}*")
    grants.read(role, storage.data, f"{keys.RAW}*", *made)
    grants.write(role, storage.data, *made, in_parts=True)
    grants.write(role, storage.predictions, keys.BATCH_LOGS, in_parts=True)
    own = (f"{keys.STUDIES}*", f"{keys.BUNDLES}*", keys.LOCK)
    grants.read(role, storage.models, keys.CHAMPION, *own)
    grants.write(role, storage.models, f"{keys.MLFLOW}*", *own, in_parts=True)


def grant_workers(definition: ecs.FargateTaskDefinition, cluster_arn: str) -> None:
    """Let a step start tasks of its own definition, which work for it, and stop them."""
    role, execution_role = definition.task_role, definition.obtain_execution_role()
    stack = Stack.of(definition)
    here = f"arn:{stack.partition}:ecs:{stack.region}:{stack.account}"
    on_cluster = {"ArnEquals": {"ecs:cluster": cluster_arn}}
    revisions = f"task-definition/{definition.family}:*"
    for action, resource in (("ecs:RunTask", revisions), ("ecs:StopTask", "task/*")):
        role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=[action], resources=[f"{here}:{resource}"], conditions=on_cluster
            )
        )
    role.add_to_principal_policy(
        iam.PolicyStatement(
            actions=["iam:PassRole"],
            resources=[role.role_arn, execution_role.role_arn],
            conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        )
    )
    reported = "arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>"
    acknowledge(
        role,
        {
            wildcard_finding(f"{reported}:{revisions}"): "Each deployment makes a new revision.",
            wildcard_finding(f"{reported}:task/*"): "A task has its id only once it was started.",
        },
    )


def grant_promotion(role: iam.IRole, storage: StorageStack) -> None:
    """What promotions, rollbacks and checks need: the pointer, its ledger, and reading models."""
    grants.list_keys(role, storage.models)
    records = (keys.CHAMPION, f"{keys.LEDGER}*")
    grants.read(role, storage.models, f"{keys.BUNDLES}*", *records)
    grants.write(role, storage.models, keys.CHECK, *records)


def grant_erasure(role: iam.IRole, storage: StorageStack) -> None:
    """What an erasure needs: every version of every object, but not what serves.

    It can't write the pointer, the ledger or a bundle, so it changes neither what serves nor how it
    answers.
    """
    sample = (f"{keys.BUNDLES}*/reference.parquet", f"{keys.BUNDLES}*/card.json")
    rewritten = {
        storage.data: ("*",),
        storage.models: (f"{keys.MLFLOW}*", f"{keys.STUDIES}*", *sample),
        storage.predictions: ("*",),
        storage.reports: ("*",),
    }
    for bucket, written in rewritten.items():
        grants.list_keys(role, bucket)
        grants.list_versions(role, bucket)
        grants.read(role, bucket, "*")
        grants.read_versions(role, bucket, "*")
        grants.write(role, bucket, *written)
        grants.delete_versions(role, bucket, *written)


def grant_compaction(role: iam.IRole, storage: StorageStack) -> None:
    """What a compaction needs: the logs, where it deletes for good only what it wrote itself.

    Small objects that it deletes can be recovered, as any object that was deleted.
    """
    logs = tuple(f"{name}/*" for name in ("log", "labels"))
    grants.list_keys(role, storage.predictions)
    grants.list_versions(role, storage.predictions)
    grants.read(role, storage.predictions, *logs)
    grants.write(role, storage.predictions, *keys.COMPACTED)
    grants.delete(role, storage.predictions, *logs)
    grants.delete_versions(role, storage.predictions, *keys.COMPACTED)
