"""The drift job: read a window, evaluate each model version in it, publish, notify."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.s3 import Bucket
from domain import times
from domain.contract.deployed_context import NO_CONTEXT, DeployedContext
from domain.drift.drift import Outcome
from domain.drift.drift_request import DriftRequest
from domain.drift.performance import read_test_figures
from domain.drift.summary import Summary, run_id
from domain.errors import BadBundle
from monitoring_job import publishing
from monitoring_job.alerts.alerting import Alerting
from monitoring_job.alerts.notifier import Notifier
from monitoring_job.drawn_labels import DrawnLabels, load_drawn_labels
from monitoring_job.history import History
from monitoring_job.run import Run, count_rows, evaluate_version
from tabular.log_objects import LogObjects
from tabular.log_queries import LogQueries
from tabular.models import Models
from tabular.reading import load_window
from tabular.sample import SampledRows


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The buckets of the job; `queries` reads windows of the log that are too large to stream."""

    models: Bucket
    predictions: Bucket
    reports: Bucket
    queries: LogQueries | None = None


def monitor(
    *,
    request: DriftRequest,
    now: datetime,
    stores: Stores,
    notifier: Notifier,
    minimum_rows: int,
    sample_rows: int,
    owner: str,
    context: DeployedContext = NO_CONTEXT,
) -> list[Summary]:
    """Run once for each model version in the window, or once for the champion if it is empty.

    `context`: the deployment's columns and segments, beside the versions' own. Repeating a window
    overwrites its runs. `owner` names this run in the claims that it makes; a retry of a run that
    was killed has the same name.
    """
    models, log = Models(stores.models, context), LogObjects(stores.predictions)
    window = load_window(
        log=log,
        models=models,
        wanted=request.window,
        now=times.to_millis(now),
        sample_rows=sample_rows,
        queries=stores.queries,
    )

    drawn = load_drawn_labels(
        stores.predictions,
        versions=window.rows,
        start=window.start,
        end=window.end,
        now=times.to_millis(now),
    )

    def start_summary(version: str | None, rows: SampledRows) -> Summary:
        return Summary(
            run_id=str(run_id(start=window.start, end=window.end, version=version)),
            version=version,
            start=window.start,
            end=window.end,
            computed_at=times.to_millis(now),
            scheduled=request.scheduled,
            outcome=Outcome.NO_DATA,
            rows=count_rows(rows, window.damage),
        )

    is_a_day = window.start % times.DAY_MS == 0 and window.end - window.start == times.DAY_MS
    history = History(
        log=log,
        models=models,
        start=window.start,
        sample_rows=sample_rows,
        queries=stores.queries,
    )

    def evaluate(version: str) -> Run:
        rows = window.rows[version]
        test = read_test_figures(models.card(version))
        of_draws = drawn.get(version, DrawnLabels())
        return evaluate_version(
            empty=replace(start_summary(version, rows), drawn=of_draws.estimate(test)),
            models=models,
            table=rows.table,
            labels=of_draws.forget(rows.table, window.labels[version]),
            minimum_rows=minimum_rows,
            history=history if is_a_day else None,
        )

    champion = models.champion.version if models.champion else None
    nothing = [Run(start_summary(champion, SampledRows()))]
    runs = map(evaluate, window.rows) if window.rows else nothing
    summaries = [publishing.publish_run(stores.reports, run.summary, run.pages) for run in runs]
    alerting = Alerting(
        reports=stores.reports,
        notifier=notifier,
        target=_find_target(models, [*window.rows, champion]),
        owner=owner,
    )
    notified = (
        alerting.handle_scheduled(summaries, look_back=request.look_back)
        if request.scheduled
        else alerting.handle_on_demand(summaries, mail=request.mail)
    )
    written = publishing.publish_notified(stores.reports, notified, already=summaries)
    return written[: len(summaries)]


def _find_target(models: Models, versions: Sequence[str | None]) -> str:
    """What the models predict, for the mails: the first readable bundle says it."""
    for version in versions:
        with suppress(BadBundle):
            if version is not None:
                return models.bundle(version).contract.target
    return "model"
