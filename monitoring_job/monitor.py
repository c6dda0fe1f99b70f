"""The whole job: read a window, judge each version in it, publish, tell."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from adapters.s3 import Bucket
from domain import times
from domain.drift.drift import Outcome
from domain.drift.drift_request import DriftRequest
from domain.drift.summary import Summary, run_id
from domain.errors import BadBundle
from monitoring_job import publishing
from monitoring_job.alerts.alerting import Alerting
from monitoring_job.alerts.notifier import Notifier
from monitoring_job.run import evaluate_version, row_counts
from tabular.labels import join_labels
from tabular.log_objects import LogObjects
from tabular.models import Models
from tabular.reading import read_window, resolve
from tabular.sample import Taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The buckets of the job."""

    models: Bucket
    predictions: Bucket
    reports: Bucket


def monitor(
    *,
    request: DriftRequest,
    now: datetime,
    stores: Stores,
    notifier: Notifier,
    minimum_rows: int,
    sample_rows: int,
    owner: str,
) -> list[Summary]:
    """Run once per model version in the window; without a row, once for the champion.

    Repeating a window overwrites its runs. `owner` names this run where it claims something; a
    repetition of a run that was killed has the same name.
    """
    models, log = Models(stores.models), LogObjects(stores.predictions)
    start, end = resolve(log=log, models=models, wanted=request.window)
    contents = read_window(log=log, models=models, start=start, end=end, sample_rows=sample_rows)

    def empty(version: str | None, rows: Taken) -> Summary:
        return Summary(
            run_id=str(run_id(start=start, end=end, version=version)),
            version=version,
            start=start,
            end=end,
            computed_at=times.to_millis(now),
            scheduled=request.scheduled,
            outcome=Outcome.NO_DATA,
            rows=row_counts(rows, contents.damage),
        )

    taken = {version: contents.samples.pop(version).taken() for version in sorted(contents.samples)}
    labels = join_labels(
        {version: rows.table["prediction_id"] for version, rows in taken.items()},
        log=log,
        start=start,
        now=times.to_millis(now),
        damage=contents.damage,
    )
    summaries: list[Summary] = []
    for version, rows in taken.items():
        run = evaluate_version(
            empty=empty(version, rows),
            models=models,
            table=rows.table,
            labels=labels[version],
            minimum_rows=minimum_rows,
        )
        summaries.append(publishing.publish_run(stores.reports, run.summary, run.pages))
    if not summaries:
        nothing = empty(models.champion.version if models.champion else None, Taken())
        summaries.append(publishing.publish_run(stores.reports, nothing, {}))
    told = _tell(
        summaries=summaries,
        request=request,
        models=models,
        reports=stores.reports,
        notifier=notifier,
        owner=owner,
    )
    publishing.index_runs(stores.reports, told)
    return told[: len(summaries)]


def _tell(
    *,
    summaries: Sequence[Summary],
    request: DriftRequest,
    models: Models,
    reports: Bucket,
    notifier: Notifier,
    owner: str,
) -> list[Summary]:
    """Tell whom it concerns, and note in the summaries what came of it.

    Behind them come those of older runs that were told now.
    """
    target = _target(models, summaries)
    alerting = Alerting(reports=reports, notifier=notifier, target=target, owner=owner)
    told = (
        alerting.scheduled(summaries, look_back=request.look_back)
        if request.scheduled
        else alerting.on_demand(summaries, mail=request.mail)
    )
    return [run if run in summaries else publishing.publish_summary(reports, run) for run in told]


def _target(models: Models, summaries: Sequence[Summary]) -> str:
    """What the models predict, for the mails: any bundle that can be read says it."""
    champion = models.champion.version if models.champion else None
    for version in (*(summary.version for summary in summaries), champion):
        with suppress(BadBundle):
            if version is not None:
                return models.bundle(version).contract.target
    return "model"
