"""Mail to the operator about everything that has no drift mail."""

from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

_EXISTS = [{"exists": True}]
OPERATIONS = {
    "$or": [
        {"AlarmName": _EXISTS},  # an alarm
        {"detail-type": _EXISTS},  # an event: a failed training, a bounced or rejected drift mail
        {"requestContext": {"condition": _EXISTS}},  # a drift run that failed, or never started
    ]
}
"""Messages of the topic that are mailed. Drift runs send mails of their own."""


class OperatorMail(sns.CfnSubscription):
    """Alarms, failed trainings and failed drift runs, by mail."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        topic: sns.ITopic,
        dead_letters: sqs.IQueue,
        address: str,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            topic_arn=topic.topic_arn,
            protocol="email",
            endpoint=address,
            filter_policy=OPERATIONS,
            filter_policy_scope="MessageBody",
            redrive_policy={"deadLetterTargetArn": dead_letters.queue_arn},
        )
