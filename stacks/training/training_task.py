"""The Fargate task of the training: its container and the rights of its role."""

from aws_cdk import Duration
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from domain import keys
from stacks.common import grants
from stacks.common.function import architecture
from stacks.common.logs import create_log_group
from stacks.common.nag import acknowledge, wildcard_finding
from stacks.settings import Settings
from stacks.storage.storage import StorageStack
from stacks.target import Target
from training_job.settings import Settings as TrainingSettings

CONTAINER = "training"
SCRATCH = "scratch"


class TrainingTaskDefinition(Construct):
    """Task family `name`: `training_job` with a read-only root and a ``/tmp`` of its own."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        settings: Settings,
        target: Target,
        storage: StorageStack,
        mlflow_url: str,
    ) -> None:
        super().__init__(scope, construct_id)
        stage = settings.stage
        processor = architecture(stage)
        self.definition = ecs.FargateTaskDefinition(
            self,
            "Task",
            family=name,
            cpu=stage.training_cpu,
            memory_limit_mib=stage.training_memory,
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
                mlflow_tracking_uri=mlflow_url,
                model_name=settings.names.model(settings.contract.target),
                contract=settings.contract_text,
                **{"processes": target.tuning_processes(stage.training_cpu), **stage.training},
            ).to_env(),
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix=CONTAINER, log_group=create_log_group(self, stage)
            ),
            readonly_root_filesystem=True,
            stop_timeout=Duration.seconds(120),  # what Spot grants between SIGTERM and SIGKILL
        )
        container.add_mount_points(
            ecs.MountPoint(container_path="/tmp", source_volume=SCRATCH, read_only=False)  # noqa: S108 - a volume of this task alone
        )
        self._grant(storage)
        acknowledge(
            self.definition,
            {
                "AwsSolutions-ECS2": "The environment holds names of resources, no secret.",
                wildcard_finding("*"): "ecr:GetAuthorizationToken takes no resource.",
            },
        )

    def _grant(self, storage: StorageStack) -> None:
        role = self.definition.task_role
        for bucket in (storage.data, storage.models):
            grants.list_keys(role, bucket)
        made = (f"{keys.DATASETS}*", f"{keys.SCORING}*")
        grants.read(role, storage.data, f"{keys.RAW}*", *made)
        grants.write(role, storage.data, *made)
        grants.write(role, storage.predictions, keys.BATCH_LOGS)
        own = tuple(f"{prefix}*" for prefix in (keys.MLFLOW, keys.SERVING, keys.STUDIES))
        grants.read(role, storage.models, *own)
        grants.write(role, storage.models, *own)
