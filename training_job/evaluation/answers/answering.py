"""Have challenger and champion answer a side's rows, on one machine or on the workers of a cluster.

The exported challenger is proved on the same rows in passing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import xgboost as xgb

from adapters.s3 import Bucket, OpenBucket
from domain.contract.contract import Contract
from domain.model.bundle import Bundle
from training_job.dataset.dataset import SplitFile, list_parts, opened
from training_job.dataset.tables import fetched
from training_job.evaluation.answers.answers import Answers
from training_job.evaluation.incumbent import Incumbent
from training_job.model.encoding import rows_per_batch
from training_job.model.proof import Proof, check_branches

if TYPE_CHECKING:
    from training_job.cluster.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Models:
    """Both models. `booster`: what the challenger's bundle was exported from."""

    bundle: Bundle
    booster: xgb.Booster
    incumbent: Incumbent


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers, and how many rows the export was compared with XGBoost on."""

    answers: Answers
    compared: int


AnswerSide = Callable[..., Answered]
"""`answer_side`, or another function of the same arguments."""


def answer_side(
    data: Bucket, dataset_id: str, side: str, contract: Contract, models: Models
) -> Answered:
    """Answer all rows of a side; raises ExportDisagrees."""
    check_branches(models.bundle.forest, len(contract.encoded_names))
    with opened(data, dataset_id, side, contract) as file:
        return _answer(file, contract, models, start=0)


def answer_side_on(
    data: Bucket,
    dataset_id: str,
    side: str,
    contract: Contract,
    models: Models,
    *,
    cluster: "Cluster",
    open_data: OpenBucket,
) -> Answered:
    """The same on a cluster; `open_data` makes a client of the bucket `data` on a worker."""
    check_branches(models.bundle.forest, len(contract.encoded_names))
    parts = list_parts(data, dataset_id, side)
    starts = accumulate((rows or 0 for rows in parts.values()), initial=0)
    answering = cluster.map(
        answer_part,
        [*parts],
        [start for start, _ in zip(starts, parts, strict=False)],
        open_data=open_data,
        contract=contract,
        models=models,
    )
    return _add_up(cluster.results(answering))


def answer_part(
    key: str, start: int, *, open_data: OpenBucket, contract: Contract, models: Models
) -> Answered:
    """On a worker: answer a part's rows, of which the first is the side's row number `start`."""
    with fetched(open_data(), key) as path:
        return _answer(SplitFile.open(path, contract=contract), contract, models, start=start)


def _answer(file: SplitFile, contract: Contract, models: Models, *, start: int) -> Answered:
    proof = Proof(models.bundle, models.booster, start=start)

    def answer_batches() -> Iterator[Answered]:
        for rows in file.batches(rows_per_batch(contract)):
            before = proof.compared
            scores = proof.score(rows)
            found = Answers.of(
                rows,
                contract,
                scores=scores,
                threshold=models.bundle.threshold,
                champion=models.incumbent.predict(rows) if models.incumbent.bundle else None,
            )
            yield Answered(found, proof.compared - before)

    return _add_up(answer_batches())


def _add_up(parts: Iterable[Answered]) -> Answered:
    compared = 0

    def take() -> Iterator[Answers]:
        nonlocal compared
        for part in parts:
            compared += part.compared
            yield part.answers

    answers = Answers.add_up(take())
    return Answered(answers, compared)
