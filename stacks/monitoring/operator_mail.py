"""Mail to the operator about what the drift mails don't say."""

from aws_cdk import aws_sns as sns
from constructs import Construct

_EXISTS = [{"exists": True}]
OPERATIONS = {
    "$or": [
        {"AlarmName": _EXISTS},  # an alarm
        {"eventType": _EXISTS},  # a drift mail that bounced, was refused or complained about
        {"detail-type": _EXISTS},  # an event: a training execution that failed
        {"requestContext": {"condition": _EXISTS}},  # a drift run that failed, or never began
    ]
}
"""Messages of the topic that are mailed. Drift runs send their own, better mail."""


class OperatorMail(sns.CfnSubscription):
    """Alarms, failed trainings and failed drift runs, by mail."""

    def __init__(
        self, scope: Construct, construct_id: str, *, topic: sns.ITopic, address: str
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            topic_arn=topic.topic_arn,
            protocol="email",
            endpoint=address,
            filter_policy=OPERATIONS,
            filter_policy_scope="MessageBody",
        )
