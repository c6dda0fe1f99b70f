"""The drift function: on schedule, on a `DriftRequested` event, or called with a request."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from domain.drift_request import DriftRequest
from lambdas.drift.answer import answer
from lambdas.drift.clients import notifier, stores
from monitoring_job.monitor import monitor
from monitoring_job.settings import Settings


def handler(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    """Run the monitoring job over the window that the event asks for; raises BadWindow."""
    now = datetime.now(UTC)
    request = DriftRequest.parse(event, now=now)
    settings = Settings.from_env(os.environ)
    channels = notifier(settings)
    summaries = monitor(
        request=request,
        now=now,
        stores=stores(settings),
        notifier=channels,
        minimum_rows=settings.minimum_rows,
        sample_rows=settings.sample_rows,
    )
    return answer(summaries, channels.links)
