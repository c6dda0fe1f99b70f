"""What wakes somebody up: answers that failed, and drift runs that did not happen."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from constructs import Construct

from domain import metrics
from stacks.serving import ServingStack
from stacks.stage import Stage


class Alarms(Construct):
    """Each alarm tells the operations topic."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        topic: sns.ITopic,
        drift: lambda_.IFunction,
        serving: ServingStack,
    ) -> None:
        super().__init__(scope, construct_id)
        self._action = actions.SnsAction(topic)
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
            _drift_metric(metrics.REFUSED_MAILS, day),
            "A drift mail was refused: verify sender and recipient in SES, and its sandbox.",
        )
        self._alarm(
            "NoDriftRun",
            _drift_metric(metrics.RUNS, day),
            "No drift run for days: look at the schedule and the drift function's log.",
            periods=stage.alarm_drift_days,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )

    def _at_least(
        self, threshold: int, construct_id: str, metric: cloudwatch.IMetric, description: str
    ) -> None:
        self._alarm(
            construct_id,
            metric,
            description,
            threshold=threshold,
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


def _drift_metric(name: str, period: Duration) -> cloudwatch.Metric:
    """What the drift function says about itself."""
    return cloudwatch.Metric(
        namespace=metrics.NAMESPACE,
        metric_name=name,
        dimensions_map={"service": "drift"},
        period=period,
        statistic="Sum",
    )
