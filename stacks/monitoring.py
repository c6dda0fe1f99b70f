"""Monitoring: the drift function, when it runs, how it mails, and alarms."""

import json

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as event_targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_ses as ses
from constructs import Construct

from domain import keys
from domain.events import SOURCE
from monitoring_job.settings import Settings as DriftSettings
from stacks import grants
from stacks.alarms import Alarms
from stacks.function import architecture, function_role
from stacks.logs import log_group
from stacks.nag import acknowledge
from stacks.outputs import publish
from stacks.serving import ServingStack
from stacks.settings import Settings
from stacks.storage import StorageStack
from stacks.target import Target


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
        serving: ServingStack,
    ) -> None:
        super().__init__(scope, construct_id, termination_protection=settings.stage.retain)
        self._settings, self._storage = settings, storage
        ses.EmailIdentity(self, "Sender", identity=ses.Identity.email(settings.mail_from))
        configuration = ses.ConfigurationSet(
            self,
            "Mail",
            reputation_metrics=True,
            suppression_reasons=ses.SuppressionReasons.BOUNCES_AND_COMPLAINTS,
            tls_policy=ses.ConfigurationSetTlsPolicy.REQUIRE,
        )
        self.drift = self._drift(target, serving.api_url, configuration)
        self._grant(configuration)
        self._run()
        Alarms(self, "Alarms", topic=storage.topic, drift=self.drift, serving=serving)
        publish(
            self,
            drift_function=self.drift.function_name,
            mail_recipient=settings.mail_to,
        )

    def _drift(
        self, target: Target, api_url: str, configuration: ses.ConfigurationSet
    ) -> lambda_.Function:
        settings, storage = self._settings, self._storage
        environment = DriftSettings(
            models_bucket=storage.models.bucket_name,
            predictions_bucket=storage.predictions.bucket_name,
            reports_bucket=storage.reports.bucket_name,
            event_bus=storage.bus.event_bus_name,
            topic_arn=storage.topic.topic_arn,
            report_secret_arn=storage.report_secret.secret_arn,
            api_url=api_url,
            mail_from=settings.mail_from,
            mail_to=settings.mail_to,
            configuration_set=configuration.configuration_set_name,
        )
        scope = Construct(self, "Drift")
        group = log_group(scope, settings.stage)
        self._role = function_role(scope, group)
        return target.drift_function(
            scope,
            architecture(settings.stage),
            description="Drift run: one window, its Evidently reports, its verdict",
            environment=environment.to_env(),
            timeout=Duration.minutes(15),
            memory_size=3008,  # also 1.8 vCPUs: Evidently is CPU-bound
            role=self._role,
            log_group=group,
            on_failure=destinations.SnsDestination(storage.topic),
        )

    def _grant(self, configuration: ses.ConfigurationSet) -> None:
        storage, role = self._storage, self._role
        grants.read(role, storage.models, f"{keys.SERVING}*")
        grants.read(role, storage.predictions, "log/*", "labels/*", f"{keys.FALLBACK}*")
        own = (f"{keys.RUNS}*", f"{keys.REQUESTS}*", keys.ALERT_STATE)
        grants.read(role, storage.reports, *own)
        grants.write(role, storage.reports, *own)
        for bucket in (storage.models, storage.predictions, storage.reports):
            grants.list_keys(role, bucket)
        grants.secret(role, storage.report_secret)
        acknowledge(
            role,
            {"AwsSolutions-IAM5[Action::kms:GenerateDataKey*]": "CDK's grant for `on_failure`."},
        )
        storage.bus.grant_put_events_to(role)
        grants.publish(role, storage.topic)
        # In SES's sandbox the recipient is an identity of this account too.
        identities = {self._settings.mail_from, self._settings.mail_to}
        senders = [self._ses_arn("identity", address) for address in sorted(identities)]
        used = self._ses_arn("configuration-set", configuration.configuration_set_name)
        role.add_to_policy(
            iam.PolicyStatement(actions=["ses:SendEmail"], resources=[*senders, used])
        )

    def _ses_arn(self, resource: str, name: str) -> str:
        return self.format_arn(service="ses", resource=resource, resource_name=name)

    def _run(self) -> None:
        """Daily for the day before, and whenever somebody asks on the bus."""
        clock = iam.Role(self, "Clock", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"))
        clock.add_to_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"], resources=[self.drift.function_arn]
            )
        )
        daily = {"time": scheduler.ContextAttribute.scheduled_time, "scheduled": True}
        scheduler.CfnSchedule(
            self,
            "Daily",
            description="Drift run of the day before",
            schedule_expression=self._settings.stage.drift_schedule,
            schedule_expression_timezone="UTC",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self.drift.function_arn,
                role_arn=clock.role_arn,
                input=json.dumps(daily),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_retry_attempts=3, maximum_event_age_in_seconds=7200
                ),
            ),
        )
        events.Rule(
            self,
            "DriftRequested",
            event_bus=self._storage.bus,
            event_pattern=events.EventPattern(source=[SOURCE], detail_type=["DriftRequested"]),
            targets=[event_targets.LambdaFunction(self.drift, retry_attempts=3)],
        )
