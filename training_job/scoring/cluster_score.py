"""Score on a cluster: a file per worker at a time, by the functions of one machine."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from adapters.s3 import OpenBucket
from domain.contract.deployed_context import NO_CONTEXT, DeployedContext
from domain.training.steps import Scored
from training_job.cluster.cluster import Cluster
from training_job.scoring.batch_scorer import BatchScorer, load
from training_job.scoring.score import Progress, Tally, Writer
from training_job.scoring.score_plan import Plan, plan
from training_job.scoring.score_request import ScoreRequest


@dataclass(frozen=True, slots=True)
class Buckets:
    """Make clients on a worker."""

    data: OpenBucket
    models: OpenBucket
    predictions: OpenBucket


def score_on(
    cluster: Cluster,
    buckets: Buckets,
    *,
    request: ScoreRequest,
    say: Callable[[str], None],
    context: DeployedContext = NO_CONTEXT,
) -> Scored:
    """See `training_job.scoring.score`."""
    data, models = buckets.data(), buckets.models()
    todo = plan(request, data, models)
    threshold = load(models, todo.version, context).bundle.threshold
    progress = Progress(request, todo, data, say)
    scored = cluster.map(
        score_file,
        range(len(todo.files)),
        list(todo.files),
        buckets=buckets,
        request=request,
        todo=todo,
        context=context,
    )
    for number, (tally, lines) in enumerate(cluster.results(scored)):
        for line in lines:
            say(line)
        progress.tally.merge(tally)
        progress.report(number, 1.0)
    return progress.finish(threshold)


def score_file(
    number: int,
    key: str,
    *,
    buckets: Buckets,
    request: ScoreRequest,
    todo: Plan,
    context: DeployedContext,
) -> tuple[Tally, list[str]]:
    """On a worker: score one file; returns what was counted, and lines for the step's log.

    Another worker that repeats the file skips the parts that are there.
    """
    lines: list[str] = []
    scorer = _load(buckets.models, todo.version, context)
    writer = Writer(request, todo, buckets.data(), buckets.predictions(), scorer)
    tally = Tally()
    for table, _ in writer.write_file(number, key, lines.append):
        tally.add(table)
    return tally, lines


@lru_cache(maxsize=1)
def _load(models: OpenBucket, version: str, context: DeployedContext) -> BatchScorer:
    """The model, read once per worker."""
    return load(models(), version, context)
