"""Make the function's clients from its settings."""

import time
from functools import cache
from typing import cast

from boto3.s3.transfer import TransferConfig

from adapters import aws
from adapters.athena import Athena
from adapters.events import EventBus
from adapters.mail import Mailer
from adapters.s3 import Bucket
from adapters.secrets import report_secret
from adapters.topic import Topic
from adapters.webhook.opening import open_webhook
from domain.mode import Mode
from domain.model.probation import Probation
from monitoring_job.alerts.links import Links
from monitoring_job.alerts.notifier import Notifier
from monitoring_job.monitor import Stores
from monitoring_job.probation.examine import Machine, Rules, examine
from monitoring_job.settings import Settings
from tabular.log_objects import PARALLEL, LogObjects
from tabular.log_queries import LogQueries
from tabular.models import Models

QUERY_SECONDS = 120
"""How long a query may take. The function has 15 minutes for two queries of each window or more."""


@cache
def open_stores(settings: Settings) -> Stores:
    """Open the buckets, with time for large objects and a connection for each parallel read.

    The parts of a large object are read beside the small objects that come next.
    """
    connections = PARALLEL + TransferConfig().max_request_concurrency
    s3 = aws.client("s3", timeout_seconds=60, attempts=5, connections=connections)
    return Stores(
        models=Bucket(s3, settings.models_bucket),
        predictions=Bucket(s3, settings.predictions_bucket),
        reports=Bucket(s3, settings.reports_bucket),
        queries=_open_queries(settings),
    )


def _open_queries(settings: Settings) -> LogQueries | None:
    if settings.database is None or settings.workgroup is None:
        return None
    athena = Athena(
        aws.client("athena"),
        database=settings.database,
        workgroup=settings.workgroup,
        patience_seconds=QUERY_SECONDS,
    )
    return LogQueries(athena, settings.athena_rows)


def examine_promotion(settings: Settings) -> Probation | None:
    """Look at the promotion that is on probation; see `monitoring_job.probation.examine`."""
    stores = open_stores(settings)
    return examine(
        now=time.time_ns() // 1_000_000,
        rules=Rules(
            mode=cast(Mode, settings.probation),
            days=settings.probation_days,
            label_maturity_days=settings.label_maturity_days,
        ),
        models=Models(stores.models),
        log_objects=LogObjects(stores.predictions),
        reports=stores.reports,
        machine=Machine(
            states=aws.client("stepfunctions"),
            sts=aws.client("sts"),
            arn=settings.state_machine_arn,
        ),
        bus=EventBus(aws.client("events"), settings.event_bus),
    )


def open_notifier(settings: Settings) -> Notifier:
    """Open the channels; the secret is read for every run, because it may have been rotated.

    Mail and topic get one attempt: neither service recognises a repetition, so one whose answer was
    lost would be delivered twice. What failed stays pending for the next scheduled run.
    """
    secret = report_secret(aws.client("secretsmanager"), settings.report_secret_arn)
    return Notifier(
        mailer=Mailer(
            client=aws.client("sesv2", attempts=1),
            sender=settings.mail_from,
            recipients=settings.mail_to,
            configuration_set=settings.configuration_set,
        ),
        topic=Topic(aws.client("sns", attempts=1), settings.topic_arn),
        bus=EventBus(aws.client("events"), settings.event_bus),
        links=Links(settings.api_url, secret),
        stage=settings.stage,
        command=settings.operator_command,
        webhook=open_webhook(
            format_=settings.webhook_format,
            secret_arn=settings.webhook_secret_arn,
            allow_private=settings.webhook_allow_private,
        ),
    )
