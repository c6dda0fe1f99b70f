"""The dashboard function: the page, and its data about runs, predictions and models."""

import os
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from adapters import aws
from adapters.api.proxy import Api
from adapters.api.rest import Answer
from adapters.athena import Athena
from adapters.events import EventBus
from adapters.s3 import Bucket
from adapters.secrets import report_secret
from adapters.telemetry import Telemetry
from domain.retention import Retention
from lambdas.dashboard.executions import Executions
from lambdas.dashboard.health import Health
from lambdas.dashboard.incidents import Incidents
from lambdas.dashboard.models import Models
from lambdas.dashboard.page import Page
from lambdas.dashboard.predictions import Predictions
from lambdas.dashboard.report import SecretCache
from lambdas.dashboard.routes import Dashboard, build_api
from lambdas.dashboard.run_now import RunNow
from lambdas.dashboard.runs import Runs
from lambdas.dashboard.schedules import DriftSchedules
from lambdas.dashboard.settings import Settings

WEB = Path(__file__).resolve().parents[2] / "web"


@cache
def _open_api() -> Api:
    settings = Settings.from_env(os.environ)
    s3 = aws.client("s3")
    reports, models = Bucket(s3, settings.reports_bucket), Bucket(s3, settings.models_bucket)
    read_secret = partial(report_secret, aws.client("secretsmanager"), settings.report_secret_arn)
    athena = Athena(
        aws.client("athena"),
        database=settings.database,
        workgroup=settings.workgroup,
        patience_seconds=settings.query_seconds,
    )
    executions = Executions(
        aws.client("stepfunctions"), settings.state_machine_arn, settings.operator_command
    )
    schedules = DriftSchedules(
        daily=settings.drift_schedule, operator_command=settings.operator_command
    )
    dashboard = Dashboard(
        page=Page.read(
            WEB,
            report_url=reports.presigned("any", seconds=1),
            operator=settings.operator_command,
            deployment=settings.metrics_namespace,
            sign_in_url=settings.sign_in_url or "",
            sign_in_client=settings.sign_in_client or "",
        ),
        runs=Runs(
            reports=reports,
            models=models,
            secrets=SecretCache(read=read_secret),
            schedules=schedules,
            kept_days=Retention.parse(settings.retention).reports,
        ),
        run_now=RunNow(reports, EventBus(aws.client("events"), settings.event_bus)),
        incidents=Incidents(reports, settings.operator_command),
        health=Health(
            reports=reports,
            models=models,
            predictions=Bucket(s3, settings.predictions_bucket),
            executions=executions,
            schedules=schedules,
            regular=_list_regular(settings),
        ),
        executions=executions,
        models=Models(models, reports, settings.operator_command),
        predictions=Predictions(athena),
        seconds=settings.report_seconds,
        has_login=settings.sign_in_url is not None,
    )
    return build_api(dashboard, Telemetry("dashboard", settings.metrics_namespace))


def handler(event: Mapping[str, Any], _: object) -> Answer:
    """Answer one request of API Gateway."""
    return _open_api().respond(event)


def _list_regular(settings: Settings) -> dict[str, str]:
    """Kind of an execution → its schedule; a training is judged without one, too."""
    regular = {"train": settings.training_schedule or ""}
    if settings.compaction_schedule:
        regular["compact"] = settings.compaction_schedule
    return regular
