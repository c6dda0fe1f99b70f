"""POST /people/rollbacks and POST /people/approvals."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from adapters import aws
from adapters.api.proxy import Api
from adapters.api.rest import Answer
from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from adapters.telemetry import Telemetry
from lambdas.changes.change import Changes
from lambdas.changes.routes import build
from lambdas.changes.settings import Settings


@cache
def _open_api() -> Api:
    settings, s3 = Settings.from_env(os.environ), aws.client("s3")
    changes = Changes(
        states=aws.client("stepfunctions"),
        sts=aws.client("sts"),
        machine_arn=settings.state_machine_arn,
        models=ModelStore(Bucket(s3, settings.models_bucket)),
        reports=Bucket(s3, settings.reports_bucket),
    )
    telemetry = Telemetry("changes", settings.metrics_namespace)
    return build(changes, telemetry, settings.operator_command)


def handler(event: Mapping[str, Any], _: object) -> Answer:
    """Answer one request of API Gateway."""
    return _open_api().respond(event)
