"""Monitoring: the drift function, when it runs, how it mails, and alarms."""

import json

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_ses as ses
from constructs import Construct

from domain.events import SOURCE
from stacks.alarms import Alarms
from stacks.drift import DriftFunction
from stacks.operator_mail import OperatorMail
from stacks.outputs import publish
from stacks.retraining import RetrainGuard
from stacks.serving import ServingStack
from stacks.settings import Settings
from stacks.storage import StorageStack
from stacks.target import Target
from stacks.training import TrainingStack

RETRIES = 3
"""Of a start that failed; a run is idempotent by its run_id."""


class MonitoringStack(Stack):
    """Compares yesterday's predictions with the model's reference, and tells people."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        target: Target,
        storage: StorageStack,
        training: TrainingStack,
        serving: ServingStack,
    ) -> None:
        super().__init__(scope, construct_id, termination_protection=settings.stage.retain)
        if settings.stage.mail_identity:
            self._own_identities(settings.mail_from, settings.mail_to)
        configuration = ses.ConfigurationSet(
            self,
            "Mail",
            reputation_metrics=True,
            suppression_reasons=ses.SuppressionReasons.BOUNCES_AND_COMPLAINTS,
            tls_policy=ses.ConfigurationSetTlsPolicy.REQUIRE,
        )
        # Not by CDK's own method, which ties the topic's stack to this one: a cycle.
        ses.CfnConfigurationSetEventDestination(
            self,
            "MailTrouble",
            configuration_set_name=configuration.configuration_set_name,
            event_destination={
                "enabled": True,
                "matchingEventTypes": ["bounce", "complaint", "reject"],
                "snsDestination": {"topicArn": storage.topic.topic_arn},
            },
        )
        drift = DriftFunction(
            self,
            "Drift",
            settings=settings,
            target=target,
            storage=storage,
            api_url=serving.api_url,
            configuration=configuration,
        ).function
        self._run_daily(drift, settings.stage.drift_schedule)
        events.Rule(
            self,
            "DriftRequested",
            event_bus=storage.bus,
            event_pattern=events.EventPattern(source=[SOURCE], detail_type=["DriftRequested"]),
            targets=[targets.LambdaFunction(drift, retry_attempts=RETRIES)],
        )
        RetrainGuard(self, "Retraining", stage=settings.stage, storage=storage, training=training)
        Alarms(
            self,
            "Alarms",
            stage=settings.stage,
            storage=storage,
            drift=drift,
            serving=serving,
        )
        OperatorMail(self, "OperatorMail", topic=storage.topic, address=settings.mail_to)
        publish(self, drift_function=drift.function_name, mail_recipient=settings.mail_to)

    def _own_identities(self, sender: str, recipient: str) -> None:
        """Each gets a mail with a link to verify it; SES's sandbox wants the recipient's too."""
        ses.EmailIdentity(self, "Sender", identity=ses.Identity.email(sender))
        if recipient != sender:
            ses.EmailIdentity(self, "Recipient", identity=ses.Identity.email(recipient))

    def _run_daily(self, drift: lambda_.IFunction, expression: str) -> None:
        """For the day before; the function is told for which time it was meant to run."""
        clock = iam.Role(self, "Clock", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"))
        clock.add_to_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[drift.function_arn])
        )
        daily = {"time": scheduler.ContextAttribute.scheduled_time, "scheduled": True}
        scheduler.CfnSchedule(
            self,
            "Daily",
            description="Drift run of the day before",
            schedule_expression=expression,
            schedule_expression_timezone="UTC",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=drift.function_arn,
                role_arn=clock.role_arn,
                input=json.dumps(daily),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_retry_attempts=RETRIES, maximum_event_age_in_seconds=7200
                ),
            ),
        )
