"""What an output folder is for: fixed by the first attempt, followed by those after it."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from adapters.s3 import Bucket, Conflict
from domain import keys, times
from training_job.dataset import tables
from training_job.errors import BadData, BadInput
from training_job.scoring.batch_scorer import load
from training_job.scoring.score_request import ScoreRequest


@dataclass(frozen=True, slots=True)
class Plan:
    """The model, the files and their bytes, by key. `began` in UTC milliseconds."""

    version: str
    log: bool
    began: int
    files: dict[str, int]
    keep: list[str] = field(default_factory=list)


def plan(request: ScoreRequest, data: Bucket, models: Bucket) -> Plan:
    """The folder's plan: this request's, or the same request's from an earlier attempt.

    Raises BadData, BadInput, NothingToScoreWith.
    """
    found, others = tables.find(data, request.input)
    files = {entry.key: entry.size for entry in found}
    if not files:
        raise BadData(
            f"There is no {', '.join(keys.FORMATS)} file at {request.input}."
            f"{tables.describe_others(others)}"
        )
    key = keys.scoring_plan(request.output)
    stored = data.get(key)
    if stored is None:
        version = load(models, request.version).version
        began = times.to_millis(datetime.now(UTC))
        made = Plan(version, request.log, began, files, [*request.keep])
        try:
            data.put_if(key, json.dumps(asdict(made)).encode(), etag=None)
        except Conflict:  # somebody else's, or this one's whose answer got lost
            return plan(request, data, models)
        return made
    try:
        known = Plan(**json.loads(stored.data))
    except (ValueError, TypeError):
        raise BadInput(f"{key} can't be read: name another output.") from None
    asked = (request.version or known.version, request.log, files, [*request.keep])
    if asked != (known.version, known.log, known.files, known.keep):
        raise BadInput(
            f"{request.output} holds the scores of another input, model, or choice of logging and"
            " columns: name another output."
        )
    return known
