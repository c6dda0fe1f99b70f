"""The dead-letter queue: events, invocations and messages that never reached their target."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from domain.deployment import Names
from stacks.common.nag import acknowledge

_DAYS = 14
"""The longest that SQS keeps a message."""


class DeadLetters(Construct):
    """One queue for the whole deployment. An alarm says when it holds something.

    Events and invocations name runs, windows and models, no feature values.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, names: Names, topic: sns.ITopic
    ) -> None:
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(_DAYS),
        )
        stack = Stack.of(self)
        # A pattern, since the rules' own ARNs would make this stack depend on stacks that need it.
        here = f"arn:{stack.partition}:events:{stack.region}:{stack.account}:rule/{names.base}"
        # Rules of the default bus are named after their stack, those of our bus after the bus.
        self._allow("events", {"ArnLike": {"aws:SourceArn": [f"{here}-*", f"{here}/*"]}})
        self._allow("sns", {"ArnEquals": {"aws:SourceArn": topic.topic_arn}})
        reason = "It is the dead-letter queue."
        findings = ("AwsSolutions-SQS3", "Serverless-SQSRedrivePolicy")
        acknowledge(self.queue, dict.fromkeys(findings, reason))

    def _allow(self, service: str, conditions: dict[str, object]) -> None:
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions=conditions,
            )
        )


def import_queue(scope: Construct, queue: sqs.IQueue) -> sqs.IQueue:
    """The queue as targets of rules take it: CDK would add each rule to the queue's policy."""
    return sqs.Queue.from_queue_arn(scope, "DeadLetters", queue.queue_arn)
