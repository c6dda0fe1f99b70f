"""Monitoring: the drift function with its schedule and mail, alarms and the dashboard."""

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_scheduler import CfnSchedule, ContextAttribute
from constructs import Construct

from domain.events import SOURCE
from domain.schedule import LOOK_BACK, LOOK_BACK_DAYS
from domain.typed_json import Json
from stacks.common.clock import create_clock, schedule
from stacks.common.outputs import write_outputs
from stacks.common.people import find_people
from stacks.monitoring.alarms import Alarms
from stacks.monitoring.board import Board
from stacks.monitoring.decisions import Decisions
from stacks.monitoring.drift import DriftFunction
from stacks.monitoring.drift_mail import DriftMail
from stacks.monitoring.operator_mail import OperatorMail
from stacks.monitoring.retraining import RetrainGuard
from stacks.monitoring.webhook import WebhookChannel
from stacks.serving.serving import ServingStack
from stacks.settings import Settings
from stacks.storage.dead_letters import import_queue
from stacks.storage.storage import StorageStack
from stacks.target import Target
from stacks.training.training import TrainingStack

RETRIES = 3
"""Retries of a start that failed; a run may be repeated, because its run_id makes it idempotent."""


class MonitoringStack(Stack):
    """Compares yesterday's predictions with the model's reference and notifies people."""

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
        dead_letters = import_queue(self, storage.dead_letters)
        mail = DriftMail(
            self, "Mail", settings=settings, topic=storage.topic, dead_letters=dead_letters
        )
        webhook = WebhookChannel(self, "Webhook", settings=settings, target=target, storage=storage)
        drift = DriftFunction(
            self,
            "Drift",
            settings=settings,
            target=target,
            storage=storage,
            api_url=serving.api_url,
            mail=mail,
            webhook=webhook,
            machine=training.machine,
        ).function
        self._schedule(drift, settings.stage.drift_schedule, dead_letters)
        events.Rule(
            self,
            "DriftRequested",
            event_bus=storage.bus,
            event_pattern=events.EventPattern(source=[SOURCE], detail_type=["DriftRequested"]),
            targets=[
                targets.LambdaFunction(
                    drift, retry_attempts=RETRIES, dead_letter_queue=dead_letters
                )
            ],
        )
        RetrainGuard(
            self,
            "Retraining",
            settings=settings,
            storage=storage,
            dead_letters=dead_letters,
            training=training,
        )
        operator_command = target.operator_command(settings.names)
        Decisions(
            self,
            "Decisions",
            settings=settings,
            storage=storage,
            dead_letters=dead_letters,
            mail=mail,
            webhook=webhook,
            api_url=serving.api_url,
            operator_command=operator_command,
            people_principal=find_people(settings, target),
        )
        alarms = Alarms(
            self,
            "Alarms",
            settings=settings,
            storage=storage,
            drift=drift,
            serving=serving,
            operator_command=operator_command,
        )
        if settings.stage.board:
            Board(
                self,
                "Board",
                names=settings.names,
                serving=serving,
                drift=drift,
                alarms=alarms.alarms,
                has_login=settings.has_login,
            )
        OperatorMail(
            self,
            "OperatorMail",
            topic=storage.topic,
            dead_letters=dead_letters,
            address=settings.mail_to,
        )
        secret = {} if webhook.secret is None else {"webhook_secret": webhook.secret.secret_arn}
        write_outputs(self, drift_function=drift.function_name, **secret)

    def _schedule(self, drift: lambda_.IFunction, daily: str, dead_letters: sqs.IQueue) -> None:
        """Run daily for the day before, and weekly for a look back over weeks.

        The function gets the time for which it was scheduled.
        """
        clock = create_clock(self, dead_letters)
        clock.add_to_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[drift.function_arn])
        )
        retry_policy = CfnSchedule.RetryPolicyProperty(
            maximum_retry_attempts=RETRIES, maximum_event_age_in_seconds=7200
        )
        asked: dict[str, Json] = {"time": ContextAttribute.scheduled_time, "scheduled": True}
        for construct_id, description, expression, request in (
            ("Daily", "Drift run of the day before", daily, asked),
            (
                "Weekly",
                "Drift run that looks back for late labels",
                LOOK_BACK,
                {**asked, "days": LOOK_BACK_DAYS},
            ),
        ):
            schedule(
                clock,
                construct_id,
                expression=expression,
                description=description,
                arn=drift.function_arn,
                request=request,
                dead_letters=dead_letters,
                retry_policy=retry_policy,
            )
