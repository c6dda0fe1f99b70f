"""The drift function: on schedule, on a `DriftRequested` event, or called with a request."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from adapters.telemetry import Telemetry
from domain.typed_json import Json, encode
from lambdas.drift.clients import examine_promotion, open_notifier, open_stores
from lambdas.drift.run_drift import identify_invocation, report_failures, run_drift
from monitoring_job.settings import Settings


def handler(event: Mapping[str, Any], context: object) -> dict[str, Json]:
    """Run the job over the window that the event asks for; raises BadWindow, RunFailed."""
    settings = Settings.from_env(os.environ)
    telemetry = Telemetry("drift", settings.metrics_namespace)
    with report_failures(telemetry):
        results = run_drift(
            event=event,
            now=datetime.now(UTC),
            settings=settings,
            stores=open_stores(settings),
            open_notifier=cache(partial(open_notifier, settings)),
            telemetry=telemetry,
            owner=identify_invocation(context),
            probation=partial(examine_promotion, settings),
        )
        return encode(results)
