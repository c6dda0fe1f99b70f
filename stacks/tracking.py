"""The network of the containers: two zones, no NAT, nothing that listens to the outside."""

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from stacks.nag import acknowledge
from stacks.settings import Stage
from stacks.target import TaskNetwork

MLFLOW_PORT = 5000


def mlflow_url(stage: Stage) -> str:
    """The tracking server's Cloud Map name, as the training tasks reach it."""
    return f"http://mlflow.circle-{stage.name}.internal:{MLFLOW_PORT}"


class TrackingStack(Stack):
    """VPC and the training tasks' security group.

    Tasks live in public subnets with a public address and no ingress, which costs less than a NAT;
    the isolated subnets are the database's. S3 is reached through a free gateway endpoint.
    """

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id, termination_protection=stage.retain)
        self.vpc = ec2.Vpc(
            self,
            "Network",
            max_azs=2,
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
        acknowledge(
            self.vpc,
            {"AwsSolutions-VPC7": "Nothing listens here but MLflow, and only to training tasks."},
        )
        self.training_group = ec2.SecurityGroup(
            self,
            "TrainingGroup",
            vpc=self.vpc,
            description="Training tasks: anything out, nothing in",
            allow_all_outbound=True,
        )

    @property
    def network(self) -> TaskNetwork:
        """Where training tasks run."""
        subnets = self.vpc.select_subnets(subnet_type=ec2.SubnetType.PUBLIC).subnet_ids
        return TaskNetwork(
            subnet_ids=tuple(subnets),
            security_group_ids=(self.training_group.security_group_id,),
        )
