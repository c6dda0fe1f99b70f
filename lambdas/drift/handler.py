"""The drift function: on schedule, on a `DriftRequested` event, or called with a request."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from adapters.telemetry import Telemetry
from domain import times
from domain.drift_request import DriftRequest
from domain.summary import Summary
from lambdas.drift.answer import answer
from lambdas.drift.clients import notifier, stores
from lambdas.drift.observation import observed
from lambdas.drift.requested import Desk
from monitoring_job.monitor import monitor
from monitoring_job.publishing import last_run
from monitoring_job.settings import Settings


def handler(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    """Run the monitoring job over the window that the event asks for; raises BadWindow."""
    now, settings = datetime.now(UTC), Settings.from_env(os.environ)
    buckets, channels = stores(settings), notifier(settings)
    last = last_run(buckets.reports)

    def run(request: DriftRequest) -> Sequence[Summary]:
        return monitor(
            request=request,
            now=now,
            stores=buckets,
            notifier=channels,
            minimum_rows=settings.minimum_rows,
            sample_rows=settings.sample_rows,
        )

    summaries = Desk(buckets.reports).serve(event, now=now, run=run)
    Telemetry("drift").emit(observed(summaries, last=last, now=times.to_millis(now)))
    return answer(summaries, channels.links)
