"""GET /people/predictions/{id}."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from adapters import aws
from adapters.api.proxy import Api
from adapters.api.rest import Answer
from adapters.athena import Athena
from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from adapters.telemetry import Telemetry
from domain.contract.deployed_context import DeployedContext
from lambdas.inspection.inspection import Inspection
from lambdas.inspection.log import PredictionLog
from lambdas.inspection.routes import build
from lambdas.inspection.settings import Settings


@cache
def _open_api() -> Api:
    settings, s3 = Settings.from_env(os.environ), aws.client("s3")
    athena = Athena(
        aws.client("athena"),
        database=settings.database,
        workgroup=settings.workgroup,
        patience_seconds=settings.query_seconds,
    )
    inspection = Inspection(
        log=PredictionLog(athena),
        models=ModelStore(Bucket(s3, settings.models_bucket)),
        data=Bucket(s3, settings.data_bucket),
        reports=Bucket(s3, settings.reports_bucket),
        context=DeployedContext.parse(settings.context),
    )
    return build(inspection, Telemetry("inspection", settings.metrics_namespace))


def handler(event: Mapping[str, Any], _: object) -> Answer:
    """Answer one request of API Gateway."""
    return _open_api().respond(event)
