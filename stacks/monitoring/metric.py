"""The functions' own metrics, as alarms and graphs read them."""

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from domain import metrics


@dataclass(frozen=True, slots=True)
class FunctionMetrics:
    """The metrics in one deployment's namespace."""

    namespace: str

    def metric(
        self, service: metrics.Service, name: str, period: Duration, statistic: str = "Sum"
    ) -> cloudwatch.Metric:
        """A metric that a function emits about itself."""
        return cloudwatch.Metric(
            namespace=self.namespace,
            metric_name=name,
            dimensions_map={"service": service},
            period=period,
            statistic=statistic,
        )

    def sums(
        self, service: metrics.Service, period: Duration, *names: str
    ) -> list[cloudwatch.Metric]:
        """Several metrics of one function."""
        return [self.metric(service, name, period) for name in names]

    def field_errors(self, period: Duration) -> cloudwatch.MathExpression:
        """One line for each field of the contract that had bad values."""
        schema = f'"{self.namespace}",field,service'  # quoted, as a namespace with a hyphen must be
        return cloudwatch.MathExpression(
            expression=(
                f"SEARCH('{{{schema}}} MetricName=\"{metrics.FIELD_ERRORS}\"', 'Sum',"
                f" {period.to_seconds():.0f})"
            ),
            label="",
            period=period,
        )
