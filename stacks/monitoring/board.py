"""The CloudWatch dashboard: alarms and the functions' own metrics."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from domain import metrics
from domain.deployment import Names
from stacks.monitoring.metric import FunctionMetrics
from stacks.serving.serving import ServingStack

FIVE, HOUR, DAY = Duration.minutes(5), Duration.hours(1), Duration.days(1)
WIDTH = 8
"""A third of a dashboard's 24 columns: three graphs in a row."""


class Board(Construct):
    """Alarms, answers, records and drift runs of one deployment."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: Names,
        serving: ServingStack,
        drift: lambda_.IFunction,
        alarms: Sequence[cloudwatch.IAlarm],
        has_login: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        people = _FOR_PEOPLE if has_login else ()
        own = FunctionMetrics(names.metrics_namespace)
        api = serving.api.rest_api
        board = cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=names.base, default_interval=Duration.days(7)
        )
        board.add_widgets(cloudwatch.AlarmStatusWidget(alarms=list(alarms), width=24, height=3))
        board.add_widgets(
            _graph("Requests", api.metric_count(period=FIVE), api.metric_client_error(period=FIVE)),
            _graph(
                "Errors",
                api.metric_server_error(period=FIVE),
                *own.sums(
                    "predictor",
                    FIVE,
                    metrics.UNAVAILABLE,
                    metrics.UNEXPECTED,
                    metrics.BUNDLE_TROUBLE,
                ),
                *(
                    own.metric(service, metrics.UNEXPECTED, FIVE)
                    for service in ("labels", "dashboard", *people)
                ),
            ),
            _graph(
                "Milliseconds of a prediction",
                *(own.metric("predictor", metrics.LATENCY, FIVE, p) for p in ("p50", "p95", "p99")),
            ),
        )
        board.add_widgets(
            _graph(
                "Predictions", *own.sums("predictor", FIVE, metrics.INSTANCES, metrics.POSITIVES)
            ),
            _graph(
                "Labels, and records sent to the fallback",
                own.metric("labels", metrics.INSTANCES, FIVE),
                *(own.metric(writer, metrics.LOG_FALLBACKS, FIVE) for writer in _WRITERS),
            ),
            _graph(
                "Refused requests, and their bad fields",
                *(own.metric(writer, metrics.VALIDATION_ERRORS, FIVE) for writer in _WRITERS),
                own.field_errors(HOUR),
            ),
        )
        runs = (metrics.RUNS, metrics.SCHEDULED_RUNS, metrics.DRIFTED_RUNS, metrics.UNDECIDED_RUNS)
        board.add_widgets(
            _graph("Drift runs", *own.sums("drift", DAY, *runs)),
            _graph(
                "Drift runs that failed, mails that were refused",
                drift.metric_errors(period=DAY),
                *own.sums("drift", DAY, metrics.FAILED_RUNS, metrics.REFUSED_MAILS),
            ),
            _graph(
                "Rows judged and skipped",
                *own.sums("drift", DAY, metrics.ROWS, metrics.SKIPPED_ROWS),
                right=own.metric("drift", metrics.LAST_RUN_AGE, DAY, "Maximum"),
            ),
        )


_WRITERS: tuple[metrics.Service, ...] = ("predictor", "labels")
_FOR_PEOPLE: tuple[metrics.Service, ...] = ("changes", "inspection")
"""Functions that only a stage with a login has."""


def _graph(
    title: str, *left: cloudwatch.IMetric, right: cloudwatch.IMetric | None = None
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title, left=list(left), right=[right] if right else [], width=WIDTH, height=6
    )
