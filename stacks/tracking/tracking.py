"""The network of the containers, the tracking server and its database."""

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from domain.deployment import Names
from mlflow_server.settings import PORT
from stacks.common.logs import create_log_group
from stacks.common.nag import acknowledge
from stacks.settings import Settings
from stacks.stage import Stage
from stacks.storage.storage import StorageStack
from stacks.target import Aws, TaskNetwork
from stacks.tracking.budget import MonthlyBudget
from stacks.tracking.sharing import ZONES, export_network
from stacks.tracking.tracking_database import PORT as DATABASE_PORT
from stacks.tracking.tracking_database import TrackingDatabase
from stacks.tracking.tracking_server import TrackingServer, host


def mlflow_url(names: Names) -> str:
    """The tracking server as the training tasks reach it."""
    return f"http://{host(names)}:{PORT}"


class TrackingStack(Stack):
    """The VPC, and security groups that allow training -> MLflow -> Postgres and nothing else.

    Tasks run in public subnets with a public address, which costs less than a NAT; nothing can
    connect to them from outside, and only training tasks to each other. The database has isolated
    subnets. S3 is reached through a gateway endpoint, which is free.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        target: Aws,
        storage: StorageStack,
    ) -> None:
        stage = settings.stage
        super().__init__(scope, construct_id, termination_protection=stage.retain)
        self.vpc = self._network()
        self._log_flows(stage, storage.key)
        self.training_group = ec2.SecurityGroup(
            self,
            "TrainingGroup",
            vpc=self.vpc,
            description="Training tasks: anything out, only each other in",
            allow_all_outbound=True,
        )
        self.training_group.add_ingress_rule(
            self.training_group, ec2.Port.all_tcp(), "A step and the workers that it starts"
        )
        database = TrackingDatabase(
            self,
            "Database",
            name=settings.names.tracking,
            stage=stage,
            vpc=self.vpc,
            key=storage.key,
            topic=storage.topic,
        )
        server = TrackingServer(
            self,
            "Mlflow",
            names=settings.names,
            stage=stage,
            target=target,
            vpc=self.vpc,
            storage=storage,
            secret=database.secret,
        )
        server.service.node.add_dependency(database)
        server.group.add_ingress_rule(self.training_group, ec2.Port.tcp(PORT), "Training")
        database.group.add_ingress_rule(server.group, ec2.Port.tcp(DATABASE_PORT), "MLflow")
        export_network(Construct(self, "Sharing"), settings.names, self.network)
        MonthlyBudget(
            self,
            "Budget",
            name=settings.names.base,
            usd=stage.budget_usd,
            mail_to=settings.mail_to,
        )

    def _network(self) -> ec2.Vpc:
        return ec2.Vpc(
            self,
            "Network",
            max_azs=ZONES,
            nat_gateways=0,
            restrict_default_security_group=False,  # that would take a custom resource
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Tasks", subnet_type=ec2.SubnetType.PUBLIC, map_public_ip_on_launch=False
                ),
                ec2.SubnetConfiguration(
                    name="Database", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED
                ),
            ],
            gateway_endpoints={
                "Objects": ec2.GatewayVpcEndpointOptions(
                    service=ec2.GatewayVpcEndpointAwsService.S3
                )
            },
        )

    def _log_flows(self, stage: Stage, key: kms.IKey) -> None:
        """Log who connected to whom, in a stage that pays for it."""
        if not stage.flow_logs:
            reason = "Nothing listens here but MLflow, and only to training; `flow_logs` adds it."
            acknowledge(self.vpc, {"AwsSolutions-VPC7": reason})
            return
        scope = Construct(self, "Flows")
        group = create_log_group(scope, stage, key)
        here = {"StringEquals": {"aws:SourceAccount": self.account}}
        service = iam.ServicePrincipal("vpc-flow-logs.amazonaws.com").with_conditions(here)
        role = iam.Role(scope, "Role", assumed_by=service)
        self.vpc.add_flow_log(
            "Flow", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role)
        )

    @property
    def network(self) -> TaskNetwork:
        """Where training tasks run."""
        subnets = self.vpc.select_subnets(subnet_type=ec2.SubnetType.PUBLIC).subnet_ids
        return TaskNetwork(
            subnet_ids=tuple(subnets),
            security_group_ids=(self.training_group.security_group_id,),
        )
