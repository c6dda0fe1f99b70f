"""GET /reports/{run_id}/{report}."""

import os
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from adapters import aws
from adapters.proxy import Api
from adapters.rest import Answer
from adapters.s3 import Bucket
from adapters.secrets import report_secret
from adapters.telemetry import Telemetry
from lambdas.dashboard.report import SecretCache
from lambdas.dashboard.routes import build
from lambdas.dashboard.settings import Settings


@cache
def _api() -> Api:
    settings = Settings.from_env(os.environ)
    read_secret = partial(report_secret, aws.client("secretsmanager"), settings.report_secret_arn)
    return build(
        reports=Bucket(aws.client("s3"), settings.reports_bucket),
        secrets=SecretCache(read=read_secret),
        seconds=settings.report_seconds,
        telemetry=Telemetry("dashboard"),
    )


def handler(event: Mapping[str, Any], _: object) -> Answer:
    """Answer one request of API Gateway."""
    return _api().respond(event)
