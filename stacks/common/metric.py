"""The functions' own metrics, as alarms and graphs read them."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from domain import metrics


def own_metric(
    service: metrics.Service, name: str, period: Duration, statistic: str = "Sum"
) -> cloudwatch.Metric:
    """What a function says about itself."""
    return cloudwatch.Metric(
        namespace=metrics.NAMESPACE,
        metric_name=name,
        dimensions_map={"service": service},
        period=period,
        statistic=statistic,
    )
