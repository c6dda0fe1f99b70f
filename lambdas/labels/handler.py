"""POST /labels."""

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
from lambdas.labels.routes import build
from lambdas.labels.settings import Settings


@cache
@made_to_last()
def _api() -> Api:
    settings, clients = Settings.from_env(os.environ), aws.LeanClients()
    stream = RecordStream(
        client=clients.client("firehose"),
        stream=settings.labels_stream,
        fallback=Bucket(clients.client("s3"), settings.predictions_bucket),
        name="labels",
    )
    return build(
        stream=stream,
        target=settings.target,
        reference=DeployedContext.parse(settings.context).in_requests.reference,
        telemetry=Telemetry("labels", settings.metrics_namespace),
    )


def handler(event: Mapping[str, Any], _: object) -> Answer:
    """Answer one request of API Gateway."""
    return _api().respond(event)
