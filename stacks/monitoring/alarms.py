"""What wakes somebody up: failed answers, records not delivered, drift runs that did not happen."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from domain import metrics
from stacks.common.metric import FunctionMetrics
from stacks.serving.serving import ServingStack
from stacks.settings import Settings
from stacks.stage import Stage
from stacks.storage.delivery import Delivery
from stacks.storage.storage import StorageStack

DELIVERY_SECONDS = 900
"""So long after the buffer's time Firehose must have delivered: the longest that it may buffer."""


class Alarms(Construct):
    """Each alarm tells the operations topic."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        storage: StorageStack,
        drift: lambda_.IFunction,
        serving: ServingStack,
    ) -> None:
        super().__init__(scope, construct_id)
        stage = settings.stage
        self._metrics = FunctionMetrics(settings.names.metrics_namespace)
        self._action = actions.SnsAction(storage.topic)
        self.alarms: list[cloudwatch.IAlarm] = []
        five, hour = Duration.minutes(5), Duration.hours(1)
        self._at_least(
            stage.alarm_errors,
            "ApiErrors",
            serving.api.rest_api.metric_server_error(period=five, statistic="Sum"),
            "The API answered with a 5xx: look into the predictor's log.",
        )
        self._at_least(
            stage.alarm_errors,
            "PredictorThrottles",
            serving.predictor.function.metric_throttles(period=five),
            "The predictor was throttled: the account's Lambda concurrency is used up.",
        )
        self._at_least(
            1,
            "DriftErrors",
            drift.metric_errors(period=hour),
            "A drift run failed: look into the drift function's log.",
        )
        day = Duration.days(1)
        self._at_least(
            1,
            "RefusedMails",
            self._metrics.metric("drift", metrics.REFUSED_MAILS, day),
            "A drift mail was refused: verify sender and recipient in SES, and its sandbox.",
        )
        self._alarm(
            "NoDriftRun",
            self._metrics.metric("drift", metrics.SCHEDULED_RUNS, day),
            "No scheduled drift run for days: look at the schedule and the drift function's log.",
            periods=stage.alarm_drift_days,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )
        self._model()
        self._records("Prediction", "predictor", storage.prediction_log.stream, stage)
        self._records("Label", "labels", storage.labels.stream, stage)

    def _model(self) -> None:
        self._at_least(
            1,
            "BundleTrouble",
            self._metrics.metric("predictor", metrics.BUNDLE_TROUBLE, Duration.minutes(5)),
            "The champion can't be loaded, so another model may answer: GET /health says why.",
            periods=2,  # what is mended at the next look wakes nobody
        )

    def _records(self, what: str, service: metrics.Service, stream: Delivery, stage: Stage) -> None:
        """A log's records: refused by the stream, not delivered, not readable by the table."""
        five = Duration.minutes(5)
        self._at_least(
            1,
            f"{what}Fallbacks",
            self._metrics.metric(service, metrics.LOG_FALLBACKS, five),
            f"{what}s went to the fallback, where they are safe: the stream refuses them.",
        )
        self._at_least(
            DELIVERY_SECONDS + stage.stream_seconds,
            f"{what}sNotDelivered",
            stream.metric("DeliveryToS3.DataFreshness", five, "Maximum"),
            f"{what}s wait in Firehose, which gives up after 24 hours: look into the stream's log.",
        )
        self._at_least(
            1,
            f"{what}sRejected",
            stream.metric("FailedConversion.Records", five, "Sum"),
            f"{what}s don't fit their table and lie under rejected/ for {stage.rejected_days} days:"
            " docs/api.md says how to get them back.",
        )

    def _at_least(
        self,
        threshold: int,
        construct_id: str,
        metric: cloudwatch.IMetric,
        description: str,
        *,
        periods: int = 1,
    ) -> None:
        self._alarm(
            construct_id,
            metric,
            description,
            threshold=threshold,
            periods=periods,
            comparison=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            missing=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _alarm(
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
