"""MLflow on Fargate: one task, found by its Cloud Map name."""

from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from domain import keys
from domain.deployment import Names
from mlflow_server.settings import PORT, SECRET_PARTS, Settings
from stacks.common import grants
from stacks.common.function import architecture
from stacks.common.logs import create_log_group
from stacks.common.nag import acknowledge, wildcard_finding
from stacks.stage import Stage
from stacks.storage.storage import StorageStack
from stacks.target import Aws

CONTAINER = "mlflow"
WRITABLE = {
    "scratch": "/tmp",  # noqa: S108 - a volume of this task alone
    # Where the agent of ECS Exec writes; with these the root can stay read-only.
    "exec-agent": "/managed-agents",
    "exec-state": "/var/lib/amazon/ssm",
    "exec-log": "/var/log/amazon/ssm",
}


def host(names: Names) -> str:
    """The server's Cloud Map name."""
    return f"{CONTAINER}.{names.dns_zone}"


class TrackingServer(Construct):
    """The service, its task and its security group; artifacts never pass through it.

    The old task stops before a new version starts, because an old server can't use a migrated
    schema. MLflow is away for about a minute; the training's client waits.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: Names,
        stage: Stage,
        target: Aws,
        vpc: ec2.IVpc,
        storage: StorageStack,
        secret: secretsmanager.ISecret,
    ) -> None:
        super().__init__(scope, construct_id)
        self.group = ec2.SecurityGroup(
            self,
            "Group",
            vpc=vpc,
            description="MLflow: anything out, training in",
            allow_all_outbound=True,
        )
        cluster = ecs.Cluster(
            self,
            "Cluster",
            vpc=vpc,
            container_insights_v2=ecs.ContainerInsights.DISABLED,
            execute_command_configuration=ecs.ExecuteCommandConfiguration(
                logging=ecs.ExecuteCommandLogging.NONE  # forwarded ports have nothing to log
            ),
        )
        cluster.add_default_cloud_map_namespace(name=names.dns_zone, vpc=vpc)
        self.service = ecs.FargateService(
            self,
            "Service",
            cluster=cluster,
            task_definition=self._task(names, stage, target, storage, secret),
            desired_count=1,
            min_healthy_percent=0,
            max_healthy_percent=100,
            # ECS turns rebalancing on by default, and refuses it together with 100 percent.
            availability_zone_rebalancing=ecs.AvailabilityZoneRebalancing.DISABLED,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            assign_public_ip=True,  # the way to ECR, CloudWatch and SSM without a NAT
            security_groups=[self.group],
            cloud_map_options=ecs.CloudMapOptions(name=CONTAINER, dns_ttl=Duration.seconds(10)),
            enable_execute_command=True,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )
        acknowledge(
            cluster,
            {"AwsSolutions-ECS4": "Container Insights costs more than the task it would watch."},
        )

    def _task(
        self,
        names: Names,
        stage: Stage,
        target: Aws,
        storage: StorageStack,
        secret: secretsmanager.ISecret,
    ) -> ecs.FargateTaskDefinition:
        processor = architecture(stage)
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            family=names.tracking,
            cpu=stage.mlflow_cpu,
            memory_limit_mib=stage.mlflow_memory,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.of(processor.name.upper()),
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        # With its key, CDK would name the reader in the key's policy: a circle of two stacks.
        keyless = secretsmanager.Secret.from_secret_complete_arn(self, "Secret", secret.secret_arn)
        container = task.add_container(
            CONTAINER,
            image=target.mlflow_image(processor),
            environment=Settings(
                artifact_root=storage.models.s3_url_for_object(keys.MLFLOW.rstrip("/")),
                allowed_hosts=f"{host(names)}:*,localhost:*,127.0.0.1:*",
                sslmode=stage.database_sslmode,
            ).to_env(),
            secrets={
                field.upper(): ecs.Secret.from_secrets_manager(keyless, key)
                for field, key in SECRET_PARTS.items()
            },
            port_mappings=[ecs.PortMapping(container_port=PORT)],
            health_check=ecs.HealthCheck(
                command=["CMD", "python", "-m", "mlflow_server", "health"],
                interval=Duration.seconds(30),
                timeout=Duration.seconds(10),
                retries=3,
                start_period=Duration.seconds(300),  # the longest there is; a migration takes time
            ),
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix=CONTAINER, log_group=create_log_group(self, stage, storage.key)
            ),
            readonly_root_filesystem=stage.mlflow_readonly_root,
            linux_parameters=ecs.LinuxParameters(
                self,
                "Process",
                init_process_enabled=True,  # reaps processes that ECS Exec sessions leave behind
            ),
        )
        for name, path in WRITABLE.items():
            task.add_volume(name=name)
            container.add_mount_points(
                ecs.MountPoint(container_path=path, source_volume=name, read_only=False)
            )
        storage.key.grant(task.obtain_execution_role(), "kms:Decrypt")
        # For the pages that show artifacts; the training writes them.
        grants.list_keys(task.task_role, storage.models)
        grants.read(task.task_role, storage.models, f"{keys.MLFLOW}*")
        acknowledge(
            task,
            {
                "AwsSolutions-ECS2": "The environment holds names and settings; secrets are apart.",
                wildcard_finding(
                    "*"
                ): "ecr:GetAuthorizationToken and ssmmessages take no resource.",
            },
        )
        return task
