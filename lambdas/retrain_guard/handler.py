"""Decide on each `DriftDetected` event whether to start a training."""

import os
import time
from collections.abc import Mapping
from typing import Any, cast

from adapters import aws
from adapters.events import EventBus
from adapters.s3 import Bucket
from domain import times
from domain.drift.retraining import DetectedDrift, Rules
from domain.mode import Mode
from domain.typed_json import Json, encode
from lambdas.retrain_guard.retrain import Training, retrain
from lambdas.retrain_guard.settings import Settings


def handler(event: Mapping[str, Any], _: object) -> dict[str, Json]:
    """Return the decision; raises BadRecord for an event of another shape."""
    settings, s3 = Settings.from_env(os.environ), aws.client("s3")
    decision = retrain(
        drift=DetectedDrift.from_detail(event["detail"]),
        training=Training(
            states=aws.client("stepfunctions"),
            sts=aws.client("sts"),
            machine_arn=settings.state_machine_arn,
            data=Bucket(s3, settings.data_bucket),
            predictions=Bucket(s3, settings.predictions_bucket),
            reports=Bucket(s3, settings.reports_bucket),
            label_maturity_days=settings.label_maturity_days,
        ),
        bus=EventBus(aws.client("events"), settings.event_bus),
        now=time.time_ns() // 1_000_000,
        rules=Rules(
            mode=cast(Mode, settings.mode),
            cool_down_ms=round(settings.cool_down_hours * times.HOUR_MS),
            monthly_limit=settings.monthly_limit,
        ),
    )
    return encode(decision)
