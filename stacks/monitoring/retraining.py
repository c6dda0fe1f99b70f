"""The retrain guard: it starts a training after drift, when its rules allow it."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_destinations import SnsDestination
from constructs import Construct

from domain import keys
from domain.events import SOURCE
from lambdas.retrain_guard.settings import Settings as GuardSettings
from stacks.common import grants
from stacks.common.function import Libraries, ZipFunction
from stacks.common.nag import acknowledge
from stacks.settings import Settings
from stacks.stage import Stage
from stacks.storage.storage import StorageStack
from stacks.training.training import TrainingStack
from stacks.training_table import find_training_setting

RETRIES = 3
"""Retries of an event on which the guard failed; the operator is mailed when all of them fail. A
repeated event completes the decision that is stored."""


def find_label_maturity(stage: Stage) -> int | None:
    """Days after which the training uses a prediction's label; None if it uses none."""
    if not find_training_setting(stage, "production_days"):
        return None
    return find_training_setting(stage, "label_maturity_days")


class RetrainGuard(Construct):
    """Listens for `DriftDetected`. It may start this machine, and it stores its decisions."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        storage: StorageStack,
        dead_letters: sqs.IQueue,
        training: TrainingStack,
    ) -> None:
        super().__init__(scope, construct_id)
        machine = training.machine
        guard = ZipFunction(
            self,
            "Guard",
            component="retrain_guard",
            stage=settings.stage,
            libraries=Libraries(self, "Libraries"),
            timeout=Duration.minutes(1),
            environment=GuardSettings(
                data_bucket=storage.data.bucket_name,
                event_bus=storage.bus.event_bus_name,
                predictions_bucket=storage.predictions.bucket_name,
                reports_bucket=storage.reports.bucket_name,
                state_machine_arn=machine.state_machine_arn,
                mode=settings.stage.retraining,
                cool_down_hours=settings.stage.retraining_cool_down_hours,
                monthly_limit=settings.stage.retraining_monthly_limit,
                label_maturity_days=find_label_maturity(settings.stage),
            ).to_env(),
            key=storage.key,
            dead_letters=storage.dead_letters,
            role_name=settings.names.guard,
        )
        guard.role.add_to_policy(
            iam.PolicyStatement(
                actions=["states:ListExecutions", "states:StartExecution"],
                resources=[machine.state_machine_arn],
            )
        )
        training.grant_describe(guard.role, "Each may have been the last training.")
        grants.list_keys(guard.role, storage.data)
        grants.list_keys(guard.role, storage.predictions)
        grants.list_keys(guard.role, storage.reports)
        grants.read(guard.role, storage.reports, f"{keys.RETRAINING}*", f"{keys.PROBATION}*")
        grants.write(guard.role, storage.reports, f"{keys.RETRAINING}*")
        storage.bus.grant_put_events_to(guard.role)
        guard.function.configure_async_invoke(on_failure=SnsDestination(storage.topic))
        acknowledge(
            guard.role,
            {"AwsSolutions-IAM5[Action::kms:GenerateDataKey*]": "CDK's grant for `on_failure`."},
        )
        events.Rule(
            self,
            "DriftDetected",
            event_bus=storage.bus,
            event_pattern=events.EventPattern(source=[SOURCE], detail_type=["DriftDetected"]),
            targets=[
                targets.LambdaFunction(
                    guard.function, retry_attempts=RETRIES, dead_letter_queue=dead_letters
                )
            ],
        )
