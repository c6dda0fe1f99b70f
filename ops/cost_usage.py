"""What predictions, daily drift runs and trainings add to a month's bill."""

import math
from typing import Any

from domain import metrics
from ops.cost_idle import Line, Stage, fargate_hour, prices

FIREHOSE_STEP = 5 * 1024
GB = 1024.0**3
DAYS = 30
SECONDS = DAYS * 86_400
TRAINING = "-training"
"""End of the name of the training's task family."""


def predictions(stage: Stage, count: int) -> list[Line]:
    """Of so many predictions a month, each a request of its own: the dearest way."""
    use, assumed = prices()["use"], prices()["assumed"]
    predictor = _function(stage, "Predictor")
    record = math.ceil(assumed["stored_bytes"] / FIREHOSE_STEP) * FIREHOSE_STEP
    seconds = count * assumed["predictor_milliseconds"] / 1000
    objects = min(count, SECONDS / _buffer_seconds(stage))
    return [
        Line("API Gateway", f"{count:,} requests", count / 1e6 * use["api_million"]),
        Line("predictor", "requests", count / 1e6 * use["lambda_million"]),
        Line("predictor", "duration", _gb_seconds(predictor, seconds)),
        Line("Firehose", "records of 5 KB", count * record / GB * use["firehose_gb"]),
        Line("Firehose", "Parquet", count * record / GB * use["firehose_conversion_gb"]),
        Line("S3", f"{objects:,.0f} objects", objects / 1000 * use["s3_thousand_puts"]),
        Line("S3", "log", count * assumed["stored_bytes"] / GB * prices()["month"]["s3_gb"]),
        Line("CloudWatch", "log lines", count * assumed["log_bytes"] / GB * use["log_gb"]),
        Line("CloudWatch", f"{len(_metrics())} metrics", _metric_usd() if count else 0.0),
        Line("transfer", "answers", count * assumed["answer_bytes"] / GB * use["transfer_gb"]),
    ]


def drift_runs(stage: Stage) -> Line:
    """One run a day."""
    seconds = DAYS * prices()["assumed"]["drift_seconds"]
    return Line("drift function", "a run a day", _gb_seconds(_function(stage, "Drift"), seconds))


def trainings(stage: Stage, count: int) -> Line:
    """At the price without Spot."""
    task = next(p for _, p in stage.of("AWS::ECS::TaskDefinition") if _trains(p))
    hours = count * prices()["assumed"]["training_hours"]
    usd = hours * (fargate_hour(task) + prices()["hour"]["public_address"])
    return Line("training", f"{count} of {prices()['assumed']['training_hours']:g} h", usd)


def _trains(task: dict[str, Any]) -> bool:
    return str(task["Family"]).endswith(TRAINING)


def _function(stage: Stage, name: str) -> dict[str, Any]:
    return next(p for n, p in stage.of("AWS::Lambda::Function") if n.startswith(f"{name}Function"))


def _gb_seconds(function: dict[str, Any], seconds: float) -> float:
    (platform,) = function["Architectures"]
    price = prices()["use"][f"lambda_gb_second_{platform}"]
    return float(seconds * function["MemorySize"] / 1024 * price)


def _buffer_seconds(stage: Stage) -> float:
    """The shortest buffer of a stream."""
    return min(
        float(p["ExtendedS3DestinationConfiguration"]["BufferingHints"]["IntervalInSeconds"])
        for _, p in stage.of("AWS::KinesisFirehose::DeliveryStream")
    )


def _metrics() -> list[str]:
    """What the predictor emits; one that is emitted in every hour costs its whole price."""
    return [name for name in vars(metrics) if name.isupper() and name != "NAMESPACE"]


def _metric_usd() -> float:
    return float(len(_metrics()) * prices()["month"]["custom_metric"])
