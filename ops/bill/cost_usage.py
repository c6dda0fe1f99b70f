"""What predictions, daily drift runs and trainings add to a month's bill."""

import math

from domain import metrics
from domain.contract.contract import Contract
from domain.packed_text import unpack
from domain.plural import write_count
from ops.bill.cost_idle import HOURS, Line, Properties, Stage, fargate_hour, read_prices
from ops.contract_changes import VARIABLE

FIREHOSE_STEP = 5 * 1024
GB = 1024.0**3
DAYS = 30
SECONDS = DAYS * 86_400
TRAINING = "-training"
"""End of the name of the training's task family."""


def estimate_once(
    stage: Stage, *, predictions: int, training_seconds: float, drift_seconds: float
) -> list[Line]:
    """The most that one pass through the loop costs, within one hour; free tiers are left out."""
    use, assumed = read_prices().use, read_prices().assumed
    return [
        *estimate_predictions(stage, predictions, hours=1),
        *_training(stage, f"{training_seconds:.0f} s", training_seconds / 3600),
        Line("Step Functions", "transitions", assumed["transitions"] / 1000 * use["step_thousand"]),
        Line("drift function", "a run", _gb_seconds(_function(stage, "Drift"), drift_seconds)),
        Line("CloudWatch", "its metrics", _metric_usd(len(metrics.DAILY), 1)),
        Line("SES", "a mail", use["mail_thousand"] / 1000),
    ]


def estimate_predictions(stage: Stage, count: int, *, hours: float = HOURS) -> list[Line]:
    """Cost of so many predictions a month, each in a request of its own: the dearest way.

    `hours`: in so many of the month's hours there are requests, as far as `count` goes.
    """
    use, assumed = read_prices().use, read_prices().assumed
    predictor = _function(stage, "Predictor")
    record = math.ceil(assumed["stored_bytes"] / FIREHOSE_STEP) * FIREHOSE_STEP
    seconds = count * assumed["predictor_milliseconds"] / 1000
    objects = min(count, hours / HOURS * SECONDS / _buffer_seconds(stage))
    return [
        Line("API Gateway", write_count(count, "request"), count / 1e6 * use["api_million"]),
        Line("predictor", "requests", count / 1e6 * use["lambda_million"]),
        Line("predictor", "duration", _gb_seconds(predictor, seconds)),
        Line("Firehose", "records of 5 KB", count * record / GB * use["firehose_gb"]),
        Line("Firehose", "Parquet", count * record / GB * use["firehose_conversion_gb"]),
        Line("S3", write_count(round(objects), "object"), objects / 1000 * use["s3_thousand_puts"]),
        Line("S3", "log", count * assumed["stored_bytes"] / GB * read_prices().month["s3_gb"]),
        Line("KMS", "a data key an object", objects / 10_000 * use["kms_ten_thousand"]),
        Line("CloudWatch", "log lines", count * assumed["log_bytes"] / GB * use["log_gb"]),
        *_metrics(stage, min(float(count), hours)),
        *_traces(predictor, count),
        Line("transfer", "answers", count * assumed["answer_bytes"] / GB * use["transfer_gb"]),
    ]


def estimate_drift_runs(stage: Stage) -> list[Line]:
    """Cost of a daily drift run with its mail, a weekly look-back, and the dashboard's queries."""
    use, assumed = read_prices().use, read_prices().assumed
    drift, weeks = _function(stage, "Drift"), DAYS / 7
    daily, weekly = DAYS * assumed["drift_seconds"], weeks * assumed["look_back_seconds"]
    scanned = DAYS * assumed["queries_a_day"] * assumed["query_gb"]
    return [
        Line("drift function", "a run a day", _gb_seconds(drift, daily)),
        Line("drift function", "a look back a week", _gb_seconds(drift, weekly)),
        Line("CloudWatch", "its metrics", _metric_usd(len(metrics.DAILY), DAYS)),
        Line("SES", "a mail a day", DAYS / 1000 * use["mail_thousand"]),
        Line("Athena", "the page's queries", scanned / 1024 * use["athena_tb"]),
    ]


def estimate_trainings(stage: Stage, count: int) -> list[Line]:
    """Cost of so many trainings a month, at the price without Spot."""
    each = read_prices().assumed["training_hours"]
    steps = count * read_prices().assumed["transitions"]
    return [
        *_training(stage, f"{count} of {each:g} h", count * each),
        Line("Step Functions", "transitions", steps / 1000 * read_prices().use["step_thousand"]),
    ]


def _training(stage: Stage, what: str, hours: float) -> list[Line]:
    """So many hours of the training's task."""
    task = find_training_task(stage)
    usd = hours * (fargate_hour(task) + read_prices().hour["public_address"])
    return [Line("training", what, usd)]


def find_training_task(stage: Stage) -> Properties:
    """The definition of the task that trains."""
    tasks = (task for _, task in stage.of("AWS::ECS::TaskDefinition"))
    return next(task for task in tasks if str(task["Family"]).endswith(TRAINING))


def price_run(stage: Stage, name: str, seconds: float) -> float:
    """USD of a function that runs so long."""
    return _gb_seconds(_function(stage, name), seconds)


def _contract(stage: Stage) -> Contract:
    """The one that the templates deploy."""
    task = find_training_task(stage)
    (container,) = task["ContainerDefinitions"]
    variables = {variable["Name"]: variable["Value"] for variable in container["Environment"]}
    return Contract.parse(unpack(variables[VARIABLE]))


def _function(stage: Stage, name: str) -> Properties:
    return next(p for n, p in stage.of("AWS::Lambda::Function") if n.startswith(f"{name}Function"))


def _gb_seconds(function: Properties, seconds: float) -> float:
    (platform,) = function["Architectures"]
    price = read_prices().use[f"lambda_gb_second_{platform}"]
    return float(seconds * function["MemorySize"] / 1024 * price)


def _buffer_seconds(stage: Stage) -> float:
    """The shortest buffer of a stream."""
    return min(
        float(p["ExtendedS3DestinationConfiguration"]["BufferingHints"]["IntervalInSeconds"])
        for _, p in stage.of("AWS::KinesisFirehose::DeliveryStream")
    )


def _metrics(stage: Stage, hours: float) -> list[Line]:
    """Metrics of the predictor: some in each hour with a request, some with a refused one."""
    fields = len(_contract(stage).features)
    regular, trouble = len(metrics.REGULAR), len(metrics.TROUBLE) + fields
    bad_hours = min(hours, read_prices().assumed["trouble_hours"])
    return [
        Line("CloudWatch", f"{regular} metrics", _metric_usd(regular, hours)),
        Line("CloudWatch", f"{trouble} of refused requests", _metric_usd(trouble, bad_hours)),
    ]


def _traces(function: Properties, count: int) -> list[Line]:
    """At the most: Lambda traces the first call of a second and one in twenty of the others."""
    if function.get("TracingConfig", {}).get("Mode") != "Active":
        return []
    traced = min(float(count), SECONDS + count / 20)
    return [
        Line(
            "X-Ray",
            write_count(round(traced), "trace"),
            traced / 1e6 * read_prices().use["trace_million"],
        )
    ]


def _metric_usd(count: int, hours: float) -> float:
    """USD a month: a metric is paid for in the hours in which it is emitted."""
    return float(count * hours / HOURS * read_prices().month["custom_metric"])
