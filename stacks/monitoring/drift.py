"""The drift function: its environment and the rights of its role."""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from domain import keys
from domain.contract.records import PREDICTION_TABLE
from monitoring_job.settings import Settings as DriftSettings
from stacks.common import grants
from stacks.common.function import acknowledge_tracing, architecture, create_role, tracing
from stacks.common.logs import create_log_group
from stacks.common.nag import acknowledge
from stacks.monitoring.drift_mail import DriftMail
from stacks.monitoring.webhook import WebhookChannel
from stacks.settings import Settings
from stacks.storage.queries import grant_queries
from stacks.storage.storage import StorageStack
from stacks.target import Target
from stacks.training_table import find_training_setting


class DriftFunction(Construct):
    """Compares a window of the log with the model's reference, publishes reports and sends mails.

    `api_url` is the base of the links in its mails.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        target: Target,
        storage: StorageStack,
        api_url: str,
        mail: DriftMail,
        webhook: WebhookChannel,
        machine: sfn.IStateMachine,
    ) -> None:
        super().__init__(scope, construct_id)
        group = create_log_group(self, settings.stage, storage.key)
        self._role = create_role(self, group, settings.names.drift)
        self.function = target.drift_function(
            self,
            architecture(settings.stage),
            description="Drift run: one window, its Evidently reports, its verdict",
            environment=DriftSettings(
                models_bucket=storage.models.bucket_name,
                predictions_bucket=storage.predictions.bucket_name,
                reports_bucket=storage.reports.bucket_name,
                event_bus=storage.bus.event_bus_name,
                topic_arn=storage.topic.topic_arn,
                report_secret_arn=storage.report_secret.secret_arn,
                api_url=api_url,
                mail_from=settings.mail_from,
                mail_to=settings.mail_to,
                configuration_set=mail.configuration_set,
                metrics_namespace=settings.names.metrics_namespace,
                stage=settings.names.base,
                operator_command=target.operator_command(settings.names),
                context=settings.context_text or None,
                retention=settings.stage.retention.to_text() or None,
                minimum_rows=settings.stage.minimum_rows,
                database=storage.database.ref,
                workgroup=storage.workgroup.name,
                athena_rows=settings.stage.athena_rows,
                state_machine_arn=machine.state_machine_arn,
                probation=settings.stage.probation,
                probation_days=settings.stage.probation_days,
                label_maturity_days=find_training_setting(settings.stage, "label_maturity_days"),
                **webhook.settings(),
            ).to_env(),
            timeout=Duration.minutes(15),
            memory_size=3008,  # also 1.7 vCPUs: Evidently is CPU-bound
            role=self._role,
            log_group=group,
            on_failure=destinations.SnsDestination(storage.topic),
            dead_letter_queue=storage.dead_letters,
            tracing=tracing(settings.stage),
        )
        acknowledge_tracing(self.function, self._role, settings.stage)
        acknowledge(
            self._role,
            {"AwsSolutions-IAM5[Action::kms:GenerateDataKey*]": "CDK's grant for `on_failure`."},
        )
        self._grant_objects(storage)
        grant_queries(self._role, storage, [PREDICTION_TABLE])
        mail.grant_send(self._role)
        webhook.grant_send(self._role)
        grants.read_secret(self._role, storage.report_secret)
        grants.publish(self._role, storage.topic)
        storage.bus.grant_put_events_to(self._role)
        self._role.add_to_policy(
            iam.PolicyStatement(
                actions=["states:StartExecution"], resources=[machine.state_machine_arn]
            )
        )

    def _grant_objects(self, storage: StorageStack) -> None:
        role = self._role
        grants.read(role, storage.models, keys.CHAMPION, f"{keys.BUNDLES}*")
        logged = ("log/*", "labels/*", f"{keys.FALLBACK}*", f"{keys.LABEL_DRAWS}*")
        grants.read(role, storage.predictions, *logged)
        acknowledgements = f"{keys.ACKNOWLEDGEMENTS}*"
        own = (f"{keys.RUNS}*", f"{keys.REQUESTS}*", f"{keys.PROBATION}*", keys.ALERT_STATE)
        grants.read(role, storage.reports, *own, acknowledgements)
        grants.write(role, storage.reports, *own)
        for bucket in (storage.models, storage.predictions, storage.reports):
            grants.list_keys(role, bucket)
