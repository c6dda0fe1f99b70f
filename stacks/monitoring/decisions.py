"""The function that records and mails decisions: approvals, trainings, versions taken back."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_destinations import SnsDestination
from constructs import Construct

from domain import keys
from domain.events import SOURCE, DetailType
from lambdas.decisions.settings import Settings as DecisionsSettings
from stacks.common import grants
from stacks.common.function import Libraries, ZipFunction
from stacks.common.nag import acknowledge
from stacks.monitoring.drift_mail import DriftMail
from stacks.monitoring.webhook import WebhookChannel
from stacks.settings import Settings
from stacks.storage.storage import StorageStack

RETRIES = 3
NOTIFIED: tuple[DetailType, ...] = (
    "PromotionProposed",
    "PromotionApproved",
    "PromotionRejected",
    "RetrainingDecided",
    "ProbationDecided",
)


class Decisions(Construct):
    """Listens for decisions on the bus. It may write its records and notify people."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        storage: StorageStack,
        dead_letters: sqs.IQueue,
        mail: DriftMail,
        webhook: WebhookChannel,
        api_url: str,
        operator_command: str,
        people_principal: str | None,
    ) -> None:
        super().__init__(scope, construct_id)
        decisions = ZipFunction(
            self,
            "Notifier",
            component="decisions",
            stage=settings.stage,
            libraries=Libraries(self, "Libraries"),
            timeout=Duration.seconds(30),
            environment=DecisionsSettings(
                reports_bucket=storage.reports.bucket_name,
                api_url=api_url,
                operator_command=operator_command,
                mail_from=settings.mail_from,
                mail_to=settings.mail_to,
                configuration_set=mail.configuration_set,
                people_principal=people_principal,
                **webhook.settings(),
            ).to_env(),
            key=storage.key,
            dead_letters=storage.dead_letters,
        )
        own = (f"{keys.PROPOSALS}*", f"{keys.NOTICES}*")
        grants.list_keys(decisions.role, storage.reports)
        grants.read(decisions.role, storage.reports, *own)
        grants.write(decisions.role, storage.reports, *own)
        mail.grant_send(decisions.role)
        webhook.grant_send(decisions.role)
        decisions.function.configure_async_invoke(on_failure=SnsDestination(storage.topic))
        acknowledge(
            decisions.role,
            {"AwsSolutions-IAM5[Action::kms:GenerateDataKey*]": "CDK's grant for `on_failure`."},
        )
        events.Rule(
            self,
            "Decided",
            event_bus=storage.bus,
            event_pattern=events.EventPattern(source=[SOURCE], detail_type=list(NOTIFIED)),
            targets=[
                targets.LambdaFunction(
                    decisions.function, retry_attempts=RETRIES, dead_letter_queue=dead_letters
                )
            ],
        )
