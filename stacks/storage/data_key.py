"""The key of everything that a deployment stores, its logs included."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from domain.deployment import Names


class DataKey(kms.Key):
    """A key that rotates every year. With `retain` it outlives its stack, as the data does."""

    def __init__(self, scope: Construct, construct_id: str, *, names: Names, retain: bool) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Everything that the deployment stores",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN if retain else RemovalPolicy.DESTROY,
        )
        stack = Stack.of(self)
        here = f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group"
        # CloudWatch Logs says for which group it asks. Those of RDS are named by RDS.
        groups = [f"{here}:{names.base}-*", f"{here}:/aws/rds/instance/{names.base}-*"]
        self.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
                actions=[
                    "kms:Encrypt",
                    "kms:Decrypt",
                    "kms:ReEncrypt*",
                    "kms:GenerateDataKey*",
                    "kms:DescribeKey",
                ],
                resources=["*"],  # in a key's own policy: this key
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            )
        )
