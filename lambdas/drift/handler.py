"""The drift function: on schedule, on a `DriftRequested` event, or called with a request."""

import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from adapters.telemetry import Observation, Telemetry
from domain import metrics, times
from domain.drift.drift_request import DriftRequest
from domain.drift.summary import Summary
from domain.errors import BadWindow
from lambdas.drift.answer import answer
from lambdas.drift.clients import notifier, stores
from lambdas.drift.observation import observe
from lambdas.drift.requested import OnDemandRuns
from monitoring_job.monitor import monitor
from monitoring_job.publishing import find_last_scheduled
from monitoring_job.settings import Settings


class RunFailed(Exception):
    """A run that failed: the error's type alone, for its text may quote what is in the log."""


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Run the monitoring job over the window that the event asks for; raises BadWindow, RunFailed.

    What it raises gets into its log, and by way of the topic into the operator's mailbox.
    """
    settings = Settings.from_env(os.environ)
    telemetry = Telemetry("drift", settings.metrics_namespace)
    try:
        return _handled(event, settings, telemetry, owner=_owner(context))
    except Exception as error:
        telemetry.log_failure("the run failed", error)
        telemetry.emit(Observation(counts={metrics.FAILED_RUNS: 1}))
        if isinstance(error, BadWindow):  # a sentence of ours
            raise
        raise RunFailed(f"{type(error).__name__}; the log says where.") from None


def _owner(context: object) -> str:
    """The invocation's id: Lambda repeats a failed asynchronous invocation under the same one."""
    return getattr(context, "aws_request_id", None) or str(uuid.uuid4())


def _handled(
    event: Mapping[str, Any], settings: Settings, telemetry: Telemetry, *, owner: str
) -> dict[str, Any]:
    now, buckets = datetime.now(UTC), stores(settings)
    channels = cache(partial(notifier, settings))  # a request that is refused needs no secret

    def run(request: DriftRequest) -> Sequence[Summary]:
        summaries = monitor(
            request=request,
            now=now,
            stores=buckets,
            notifier=channels(),
            minimum_rows=settings.minimum_rows,
            sample_rows=settings.sample_rows,
            owner=owner,
        )
        last, millis = find_last_scheduled(buckets.reports), times.to_millis(now)
        telemetry.emit(observe(summaries, scheduled=request.scheduled, last=last, now=millis))
        return summaries

    runs = OnDemandRuns(buckets.reports, owner)
    return answer(runs.handle(event, now=now, run=run), channels().links)
