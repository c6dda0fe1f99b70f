"""The operations topic: alarms, failed executions, drift runs and rejected mails go there."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

PUBLISHERS = ("cloudwatch.amazonaws.com", "events.amazonaws.com")
"""AWS services that may publish to the topic."""


class OperationsTopic(Construct):
    """A topic with the deployment's key: SNS's default key would drop these services' messages.

    They may use the key only by way of a service that asks KMS for them, so they read no object.
    """

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.Key) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Topic", master_key=key, enforce_ssl=True)
        for publisher in PUBLISHERS:
            principal = _principal(publisher)
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                    principals=[principal],
                    resources=["*"],  # in a key's own policy: this key
                )
            )
            self.topic.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["sns:Publish"],
                    principals=[principal],
                    resources=[self.topic.topic_arn],
                )
            )


def _principal(service: str) -> iam.PrincipalBase:
    """The service, acting for this account; EventBridge doesn't say for which account it acts."""
    principal = iam.ServicePrincipal(service)
    if service == "events.amazonaws.com":
        return principal
    return principal.with_conditions({"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}})
