"""POST /predict, GET /model, GET /health, GET /openapi.json."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from adapters import aws
from adapters.api.proxy import Api
from adapters.api.rest import Answer
from adapters.api.start import made_to_last
from adapters.s3 import Bucket
from adapters.streams import RecordStream
from adapters.telemetry import Telemetry
from domain.contract.deployed_context import DeployedContext
from lambdas.predictor.routes import build
from lambdas.predictor.settings import Settings


@cache
@made_to_last()
def _api() -> Api:
    settings, clients = Settings.from_env(os.environ), aws.LeanClients()
    s3 = clients.client("s3")
    return build(
        models=Bucket(s3, settings.models_bucket),
        champion_seconds=settings.champion_seconds,
        context=DeployedContext.parse(settings.context),
        stream=RecordStream(
            client=clients.client("firehose"),
            stream=settings.log_stream,
            fallback=Bucket(s3, settings.predictions_bucket),
            name="log",
        ),
        telemetry=Telemetry("predictor", settings.metrics_namespace),
        operator=settings.operator_command,
        has_login=bool(settings.has_login),
    )


def handler(event: Mapping[str, Any], _: object) -> Answer:
    """Answer one request of API Gateway."""
    return _api().respond(event)
