"""Each step of the state machine as a function of the settings and the state's input."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from adapters import aws, executions, identity
from adapters.model_store import ModelStore
from adapters.registry import Tracking
from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.contract import Contract
from domain.contract.deployed_context import DeployedContext
from domain.packed_text import unpack
from domain.plural import write_count
from domain.retention import Retention
from domain.training.steps import (
    Checked,
    Compacted,
    Erased,
    Evaluated,
    Prepared,
    Promoted,
    Scored,
    StepName,
    StepResult,
    Tuned,
)
from training_job.cluster.engine import ENGINE_FIELDS, Engine
from training_job.errors import BadInput
from training_job.inputs import State
from training_job.promotion import lock
from training_job.promotion import promote as promotion
from training_job.promotion.actor import Actors
from training_job.promotion.choice import Choice
from training_job.promotion.pointer import read_pointer
from training_job.promotion.repair import repair as restore
from training_job.settings import Settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from training_job.cluster.cluster import Cluster
    from training_job.dataset.production_rows import Source
    from training_job.evaluation.evaluate import RowEngine
    from training_job.evaluation.replay import LoggedRequests
    from training_job.search.fitters import FitsTrials

BY_HAND = "by-hand"
"""The execution of a step that no state machine started."""
MAXIMUM_REASONS_LENGTH = 2000
"""Characters of the verdict's reasons that are handed from state to state."""


def open_bucket(name: str) -> Bucket:
    """The bucket of that name; also called on workers, since no client can be sent there."""
    return Bucket(aws.client("s3", timeout_seconds=60), name)


@dataclass(frozen=True, slots=True)
class Context:
    """What every step works with."""

    settings: Settings
    execution: str
    state: State
    say: Callable[[str], None]
    started_at: int | None = None

    @property
    def contract(self) -> Contract:
        """The contract that the stack was deployed with."""
        return Contract.parse(unpack(self.settings.contract))

    def bucket(self, name: str) -> Bucket:
        """The bucket of that name."""
        return open_bucket(name)

    @property
    def data(self) -> Bucket:
        """The data bucket."""
        return self.bucket(self.settings.data_bucket)

    @property
    def models(self) -> Bucket:
        """The models bucket."""
        return self.bucket(self.settings.models_bucket)

    @property
    def predictions(self) -> Bucket:
        """The predictions bucket."""
        return self.bucket(self.settings.predictions_bucket)

    @property
    def engine(self) -> Engine:
        """What computes the steps over rows: the input's choice, or the stage's."""
        settings, asked = self.settings, self.state.input.engine
        if asked is not None:
            return asked
        return Engine.parse({name: getattr(settings, name) for name in ENGINE_FIELDS})

    @property
    def now(self) -> int:
        """When the execution started, so that a repeated step sees the same rows (UTC ms)."""
        return round(time.time() * 1000) if self.started_at is None else self.started_at

    @property
    def tracking(self) -> Tracking:
        """The tracking server."""
        settings = self.settings
        artifacts = f"s3://{settings.models_bucket}/{keys.artifacts(settings.model_name)}"
        return Tracking(settings.mlflow_tracking_uri, settings.model_name, artifacts)

    @property
    def name(self) -> str:
        """The execution's own name: the last part of its ARN."""
        return self.execution.rsplit(":", 1)[-1]

    @property
    def actors(self) -> Actors:
        """Who stands behind this execution."""
        sts, settings = aws.client("sts"), self.settings
        return Actors(
            identify=lambda proof: identity.identify(sts, proof, self.name),
            principals={
                "guard": settings.guard_principal,
                "probation": settings.probation_principal,
                "people": settings.people_principal or "",
            },
        )


def prepare(context: Context) -> Prepared:
    """Take the training lock, then make the dataset."""
    read_pointer(ModelStore(context.models))  # better refused now than after the search
    sfn = aws.client("stepfunctions")
    lock.take(
        context.models, context.execution, is_running=lambda arn: executions.is_running(sfn, arn)
    )
    started_by = context.actors.name(context.state.input.caller)
    return replace(_prepare(context), started_by=started_by)


def _prepare(context: Context) -> Prepared:
    options: Any = {
        "contract": context.contract,
        "bucket": context.data,
        "raw_prefix": context.state.input.raw_prefix,
        "salt": context.settings.split_salt,
        "bad_row_share": context.settings.bad_row_share,
        "execution": context.name,
        "say": context.say,
        "source": _choose_production(context),
    }
    if context.engine.is_local:
        from training_job.dataset.prepare import prepare as run

        return run(**options)
    from training_job.dataset.partitioned.prepare import prepare as run_parts
    from training_job.dataset.partitioned.production import read_labelled_on

    data, models, log = _open_on_workers(context)
    with _open_cluster(context) as cluster:
        if source := options["source"]:
            reading = partial(read_labelled_on, cluster=cluster, open_log=log, open_models=models)
            options["source"] = replace(source, read_rows=reading)
        return run_parts(**options, cluster=cluster, open_bucket=data)


def _open_cluster(context: Context) -> "AbstractContextManager[Cluster]":
    """The cluster that the step works on; the local engine never imports Dask."""
    from training_job.cluster.opening import open_cluster
    from training_job.cluster.tasks import WorkerTasks

    settings = context.settings
    tasks = WorkerTasks(
        ecs=aws.client("ecs"),
        cluster=settings.worker_cluster,
        family=settings.worker_family,
        container=settings.worker_container,
        subnets=tuple(settings.worker_subnets.split(",")),
        security_groups=tuple(settings.worker_security_groups.split(",")),
        provider=settings.worker_provider,
        processes=max(settings.processes, 1),
    )
    return open_cluster(context.engine, tasks, context.say)


def _open_on_workers(context: Context) -> list[Callable[[], Bucket]]:
    """What opens the buckets of data, models and predictions on a worker."""
    settings = context.settings
    names = (settings.data_bucket, settings.models_bucket, settings.predictions_bucket)
    return [partial(open_bucket, name) for name in names]


def _choose_production(context: Context) -> "Source | None":
    """Where production rows come from; None when the execution wants none."""
    from tabular.log_objects import LogObjects
    from tabular.models import Models
    from training_job.dataset.production_rows import Source
    from training_job.dataset.production_window import ProductionWindow

    settings, asked = context.settings, context.state.input.production
    wanted = ProductionWindow(days=settings.production_days) if asked is None else asked
    window = wanted.before(context.now, settings.label_maturity_days)
    if window is None:
        return None
    return Source(
        log=LogObjects(context.predictions),
        models=Models(context.models),
        start=window[0],
        end=window[1],
        now=context.now,
        test_share=settings.production_test_share,
    )


def _choose_requests(context: Context) -> "LoggedRequests | None":
    """The logged requests that a challenger answers once more; None when the stage wants none."""
    from tabular.log_objects import LogObjects
    from tabular.models import Models
    from training_job.evaluation.replay import LoggedRequests

    days = context.settings.replay_days
    if not days:
        return None
    start = context.now - days * times.DAY_MS
    log, models = LogObjects(context.predictions), Models(context.models)
    return LoggedRequests(log=log, models=models, start=start, end=context.now)


def tune(context: Context) -> Tuned:
    """Search the hyperparameters."""
    from training_job.search.tune import tune as run

    settings, asked = context.settings, context.state.input
    seed = settings.seed if asked.seed is None else asked.seed
    return run(
        contract=context.contract,
        data=context.data,
        models=context.models,
        tracking=context.tracking,
        dataset_id=context.state.result(Prepared).dataset_id,
        execution=context.name,
        trials=settings.trials if asked.trials is None else asked.trials,
        processes=settings.processes,
        seed=seed,
        say=context.say,
        fitting=None if context.engine.is_local else _fit_on_cluster(context, seed),
        minutes=asked.search_minutes or settings.search_minutes,
    )


@contextmanager
def _fit_on_cluster(context: Context, seed: int) -> "Iterator[tuple[FitsTrials, bool]]":
    """See `training_job.search.tune.Fitting`."""
    from training_job.dataset.dataset import list_parts
    from training_job.model.cluster_fit import ClusterData
    from training_job.search.cluster_fitters import ClusterFitters

    dataset_id = context.state.result(Prepared).dataset_id
    train, valid = (list_parts(context.data, dataset_id, side) for side in ("train", "valid"))
    with _open_cluster(context) as cluster:
        rows = ClusterData.open(
            cluster,
            partial(open_bucket, context.settings.data_bucket),
            context.contract,
            train=[*train],
            valid=[*valid],
            seed=seed,
        )
        yield ClusterFitters(rows, seed), rows.search_uploaded


def evaluate(context: Context) -> Evaluated:
    """Fit the final model and compare it with the champion."""
    from training_job.evaluation.evaluate import evaluate as run
    from training_job.evaluation.evaluate import open_one_machine

    settings, asked = context.settings, context.state.input
    limits = context.contract.gate
    if asked.minimum_f1 is not None:
        limits = limits.give_minimum_f1(asked.minimum_f1)
    promotion.align_registry(context.models, context.tracking)
    result = run(
        contract=context.contract,
        data=context.data,
        models=context.models,
        tracking=context.tracking,
        dataset_id=context.state.result(Prepared).dataset_id,
        params=context.state.result(Tuned).params,
        execution=context.name,
        seed=settings.seed if asked.seed is None else asked.seed,
        limits=limits,
        say=context.say,
        requests=_choose_requests(context),
        open_engine=open_one_machine
        if context.engine.is_local
        else partial(_evaluate_on_cluster, context),
        operator=settings.operator_command,
    )
    return replace(result, reasons=_shorten(result.reasons))


@contextmanager
def _evaluate_on_cluster(context: Context) -> "Iterator[RowEngine]":
    """Fit and answer on the workers, which end before the verdict is reached."""
    from training_job.evaluation.answers.answering import answer_side_on
    from training_job.evaluation.evaluate import RowEngine
    from training_job.evaluation.final import fit_final_on
    from training_job.evaluation.replay import sample_requests_on

    data, models, log = _open_on_workers(context)
    with _open_cluster(context) as cluster:
        options: Any = {"cluster": cluster, "open_data": data}
        yield RowEngine(
            fit=partial(fit_final_on, **options),
            answer=partial(answer_side_on, **options),
            sample=partial(sample_requests_on, cluster=cluster, open_log=log, open_models=models),
        )


def _shorten(reasons: tuple[str, ...]) -> tuple[str, ...]:
    """Keep as many as the state can hold: ECS takes 8,192 characters, the token included."""
    lengths = itertools.accumulate(map(len, reasons))
    kept = tuple(
        reason
        for reason, length in zip(reasons, lengths, strict=True)
        if length <= MAXIMUM_REASONS_LENGTH
    )
    left = len(reasons) - len(kept)
    if not left:
        return kept
    return (*kept, f"And {write_count(left, 'more reason')}: the version's model card has all.")


def promote(context: Context) -> Promoted:
    """Promote the evaluated version, a named one, roll back, or repair a lost pointer."""
    models, actor = context.models, context.actors.of_promotion(context.state)
    if context.state.input.repair:
        return restore(
            models=models,
            tracking=context.tracking,
            execution=context.name,
            say=context.say,
            actor=actor,
        )
    return promotion.promote(
        models=models,
        tracking=context.tracking,
        choice=Choice.of(models, context.state),
        execution=context.name,
        say=context.say,
        actor=actor,
        started_at=context.started_at,
    )


def check(context: Context) -> Checked:
    """Compare registry, pointer and ledger; nothing is changed."""
    from training_job.promotion.check import check as run

    return run(
        models=context.models,
        tracking=context.tracking,
        say=context.say,
        operator=context.settings.operator_command,
    )


def score(context: Context) -> Scored:
    """Score files with the champion, or with a named version."""
    from training_job.scoring.score import score as run

    request = context.state.input.score
    if request is None:
        raise BadInput("score needs an input and an output.")
    if not context.engine.is_local:
        from training_job.scoring.cluster_score import Buckets, score_on

        with _open_cluster(context) as cluster:
            return score_on(
                cluster,
                Buckets(*_open_on_workers(context)),
                request=request,
                say=context.say,
                context=DeployedContext.of(context.contract),
            )
    return run(
        request=request,
        data=context.data,
        models=context.models,
        predictions=context.predictions,
        say=context.say,
        context=DeployedContext.of(context.contract),
    )


def erase(context: Context) -> Erased:
    """Erase people's rows from every bucket."""
    from training_job.erasure.erase import Buckets
    from training_job.erasure.erase import erase as run
    from training_job.erasure.writers import list_erasures, wait_for_executions

    request, settings = context.state.input.erase, context.settings
    if request is None:
        raise BadInput("erase needs the key of a subject file.")
    sfn = aws.client("stepfunctions")

    def settle() -> None:
        time.sleep(settings.delivery_seconds)
        if context.execution != BY_HAND:
            wait_for_executions(sfn, context.execution, say=context.say)

    return run(
        request=request,
        contract=context.contract,
        buckets=Buckets(
            data=context.data,
            models=context.models,
            predictions=context.predictions,
            reports=context.bucket(settings.reports_bucket),
        ),
        execution=context.name,
        settle=settle,
        say=context.say,
        list_at_work=lambda: (
            () if context.execution == BY_HAND else list_erasures(sfn, context.execution)
        ),
    )


def compact(context: Context) -> Compacted:
    """Merge small objects of the logs, beside readers and writers."""
    from training_job.compaction.compact import compact as run
    from training_job.erasure.writers import refuse_another_rewriter

    request = context.state.input.compact
    if request is None:
        raise BadInput("compact needs the number of days that it looks back.")
    if context.execution != BY_HAND and not request.dry_run:
        refuse_another_rewriter(aws.client("stepfunctions"), context.execution)
    return run(
        request=request,
        predictions=context.predictions,
        retention=Retention.parse(context.settings.retention),
        now=context.now,
        say=context.say,
    )


STEPS: dict[StepName, Callable[[Context], StepResult]] = {
    "prepare": prepare,
    "tune": tune,
    "evaluate": evaluate,
    "promote": promote,
    "check": check,
    "score": score,
    "erase": erase,
    "compact": compact,
}
