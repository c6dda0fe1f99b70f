"""Run the monitoring job for one invocation, and report what it did or why it failed."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from adapters.telemetry import Observation, Telemetry
from domain import metrics, times
from domain.contract.deployed_context import DeployedContext
from domain.drift.drift_request import DriftRequest
from domain.drift.run_result import RunResults
from domain.drift.summary import Summary
from domain.errors import BadWindow
from domain.retention import Retention
from lambdas.drift.answer import describe_runs
from lambdas.drift.observation import observe
from lambdas.drift.requested import OnDemandRuns
from monitoring_job.alerts.notifier import Notifier
from monitoring_job.monitor import Stores, monitor
from monitoring_job.publishing import find_last_scheduled
from monitoring_job.settings import Settings


class RunFailed(Exception):
    """A failed run. It names the error's type only, because its text may quote the log."""


def run_drift(
    *,
    event: Mapping[str, Any],
    now: datetime,
    settings: Settings,
    stores: Stores,
    open_notifier: Callable[[], Notifier],
    telemetry: Telemetry,
    owner: str,
    probation: Callable[[], object] = lambda: None,
) -> RunResults:
    """Run over the window that the event asks for, and describe the runs; raises BadWindow.

    `open_notifier` reads a secret, so it is not called for a request that is refused. `owner` names
    this invocation in the claims that it makes. `probation`: the look at a promotion that follows a
    scheduled run.
    """

    kept = Retention.parse(settings.retention)

    def run(request: DriftRequest) -> Sequence[Summary]:
        kept.check_window(request.window, now=now)
        summaries = monitor(
            request=request,
            now=now,
            stores=stores,
            context=DeployedContext.parse(settings.context),
            notifier=open_notifier(),
            minimum_rows=settings.minimum_rows,
            sample_rows=settings.sample_rows,
            owner=owner,
        )
        if request.scheduled:
            probation()
        last, millis = find_last_scheduled(stores.reports), times.to_millis(now)
        telemetry.emit(observe(summaries, scheduled=request.scheduled, last=last, now=millis))
        return summaries

    summaries = OnDemandRuns(stores.reports, owner).handle(event, now=now, run=run)
    return describe_runs(summaries, open_notifier().links)


def identify_invocation(context: object) -> str:
    """The invocation's id; Lambda retries a failed asynchronous invocation under the same one."""
    return getattr(context, "aws_request_id", None) or str(uuid.uuid4())


@contextmanager
def report_failures(telemetry: Telemetry) -> Iterator[None]:
    """Log and count an error; raise it as RunFailed unless it is a BadWindow.

    What the function raises reaches its log and, through the topic, the operator's mailbox.
    """
    try:
        yield
    except Exception as error:
        telemetry.log_failure("the run failed", error)
        telemetry.emit(Observation(counts={metrics.FAILED_RUNS: 1}))
        if isinstance(error, BadWindow):  # its text is a sentence of ours
            raise
        raise RunFailed(f"{type(error).__name__}; the log says where.") from None
