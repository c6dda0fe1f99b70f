"""Alarms: failed answers, records that are not delivered, drift runs that did not happen."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from domain import metrics
from domain.plural import write_count
from stacks.monitoring.metric import FunctionMetrics
from stacks.serving.serving import ServingStack
from stacks.settings import Settings
from stacks.stage import Stage
from stacks.storage.delivery import Delivery
from stacks.storage.storage import StorageStack

DELIVERY_SECONDS = 900
"""Firehose must have delivered this long after its buffer time; it may buffer no longer."""


class Alarms(Construct):
    """All alarms; each publishes to the operations topic."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        storage: StorageStack,
        drift: lambda_.IFunction,
        serving: ServingStack,
        operator_command: str,
    ) -> None:
        super().__init__(scope, construct_id)
        stage = settings.stage
        self._metrics = FunctionMetrics(settings.names.metrics_namespace)
        self._action = actions.SnsAction(storage.topic)
        self.alarms: list[cloudwatch.IAlarm] = []
        five, hour = Duration.minutes(5), Duration.hours(1)
        self._add_at_least(
            stage.alarm_errors,
            "ApiErrors",
            serving.api.rest_api.metric_server_error(period=five, statistic="Sum"),
            "The API answered with a 5xx: look into the predictor's log.",
        )
        self._add_at_least(
            stage.alarm_errors,
            "PredictorThrottles",
            serving.predictor.function.metric_throttles(period=five),
            "The predictor was throttled: the account's Lambda concurrency is used up.",
        )
        self._add_at_least(
            1,
            "DriftErrors",
            drift.metric_errors(period=hour),
            "A drift run failed: look into the drift function's log.",
        )
        day = Duration.days(1)
        self._add_at_least(
            1,
            "RefusedMails",
            self._metrics.metric("drift", metrics.REFUSED_MAILS, day),
            "A drift mail was refused: verify sender and recipient in SES, and its sandbox.",
        )
        self._add(
            "NoDriftRun",
            self._metrics.metric("drift", metrics.SCHEDULED_RUNS, day),
            "No scheduled drift run for days: look at the schedule and the drift function's log.",
            periods=stage.alarm_drift_days,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )
        self._add_at_least(
            1,
            "DeadLetters",
            storage.dead_letters.metric_approximate_number_of_messages_visible(
                period=five, statistic="Maximum"
            ),
            f"Events never reached their target: `{operator_command} status` counts them, and"
            " docs/aws.md says what to do about them.",
        )
        self._add_model_alarm()
        self._add_record_alarms("Prediction", "predictor", storage.prediction_log.stream, stage)
        self._add_record_alarms("Label", "labels", storage.labels.stream, stage)

    def _add_model_alarm(self) -> None:
        self._add_at_least(
            1,
            "BundleTrouble",
            self._metrics.metric("predictor", metrics.BUNDLE_TROUBLE, Duration.minutes(5)),
            "The champion can't be loaded, so another model may answer: GET /health says why.",
            periods=2,  # one failed read that the next one repairs is no alarm
        )

    def _add_record_alarms(
        self, what: str, service: metrics.Service, stream: Delivery, stage: Stage
    ) -> None:
        """Records of a log that the stream refuses, doesn't deliver, or can't convert."""
        five = Duration.minutes(5)
        self._add_at_least(
            1,
            f"{what}Fallbacks",
            self._metrics.metric(service, metrics.LOG_FALLBACKS, five),
            f"{what}s went to the fallback, where they are safe: the stream refuses them.",
        )
        self._add_at_least(
            DELIVERY_SECONDS + stage.stream_seconds,
            f"{what}sNotDelivered",
            stream.metric("DeliveryToS3.DataFreshness", five, "Maximum"),
            f"{what}s wait in Firehose, which gives up after 24 hours: look into the stream's log.",
        )
        self._add_at_least(
            1,
            f"{what}sRejected",
            stream.metric("FailedConversion.Records", five, "Sum"),
            f"{what}s don't fit their table and lie under rejected/ for"
            f" {write_count(stage.rejected_days, 'day')}: docs/api.md says how to get them back.",
        )

    def _add_at_least(
        self,
        threshold: int,
        construct_id: str,
        metric: cloudwatch.IMetric,
        description: str,
        *,
        periods: int = 1,
    ) -> None:
        self._add(
            construct_id,
            metric,
            description,
            threshold=threshold,
            periods=periods,
            comparison=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            missing=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _add(
        self,
        construct_id: str,
        metric: cloudwatch.IMetric,
        description: str,
        *,
        comparison: cloudwatch.ComparisonOperator,
        missing: cloudwatch.TreatMissingData,
        threshold: int = 1,
        periods: int = 1,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=comparison,
            treat_missing_data=missing,
            alarm_description=description,
        )
        alarm.add_alarm_action(self._action)
        self.alarms.append(alarm)
