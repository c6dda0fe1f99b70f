"""Score: a file or a folder of them → probabilities, in a stream, going on where it was.

The output folder holds ``plan.json`` (what was set out to do), a Parquet part per half million rows
and, at the end, ``summary.json``. A part that is there is not made again.
"""

import json
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from adapters.s3 import Bucket, Conflict
from domain import keys, times
from training_job import reading
from training_job.batch_scorer import BatchScorer, load
from training_job.errors import BadData, BadInput
from training_job.model import Probabilities
from training_job.reading import MALFORMED
from training_job.score_request import ScoreRequest
from training_job.scored_parts import Part, log_records, prediction_ids, scores
from training_job.validation import Columns, check

PART_ROWS = 500_000
TOP_REASONS = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What an output folder is for; fixed by the first attempt. `began` in UTC milliseconds."""

    version: str
    log: bool
    began: int
    files: dict[str, int]
    """Key → bytes."""


@dataclass(slots=True)
class Tally:
    """What has been done."""

    rows: int = 0
    refused: int = 0
    positives: int = 0
    reasons: "Counter[str]" = field(default_factory=Counter)

    def add(self, table: pa.Table) -> None:
        """Count one part."""
        refused = table.num_rows - table["reason"].null_count
        self.rows += table.num_rows
        self.refused += refused
        self.positives += pc.sum(table["predicted"]).as_py() or 0
        if refused:
            counted = pc.value_counts(table["reason"].drop_null().combine_chunks())
            self.reasons.update({c["values"]: c["counts"] for c in counted.to_pylist()})


def score(
    *,
    request: ScoreRequest,
    data: Bucket,
    models: Bucket,
    predictions: Bucket,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Score every row of the input; returns the counts and where the scores are.

    A row that breaks the model's contract gets a reason instead of a score. Raises BadInput,
    BadData, NothingToScoreWith.
    """
    plan = _plan(request, data, models)
    scorer = load(models, plan.version)
    tally, began = Tally(), time.monotonic()
    writer = _Writer(request, plan, data, predictions, scorer)
    for number, key in enumerate(plan.files):
        for index, part in enumerate(_parts(data, key, scorer)):
            tally.add(writer.write(key, number, index, part))
            speed = tally.rows / (time.monotonic() - began)
            say(
                f"file {number + 1} of {len(plan.files)}: {tally.rows:,} rows scored,"
                f" {tally.refused:,} refused, {speed:,.0f} rows/s"
            )
    summary = {
        "model_version": plan.version,
        "threshold": scorer.bundle.threshold,
        "output": request.output,
        "logged": plan.log,
        "rows": tally.rows,
        "refused": tally.refused,
        "positives": tally.positives,
        "top_reasons": [
            {"reason": reason, "rows": rows}
            for reason, rows in tally.reasons.most_common(TOP_REASONS)
        ],
    }
    document = json.dumps(summary, indent=2).encode()
    data.put(keys.scoring_summary(request.output), document, content_type="application/json")
    return summary


def _plan(request: ScoreRequest, data: Bucket, models: Bucket) -> Plan:
    """The folder's plan: this request's, or the same request's from an earlier attempt."""
    files = {
        entry.key: entry.size
        for entry in data.list(request.input)
        if entry.key.endswith(reading.FORMATS)
    }
    if not files:
        raise BadData(f"There is no {', '.join(reading.FORMATS)} file at {request.input}.")
    key = keys.scoring_plan(request.output)
    stored = data.get(key)
    if stored is None:
        version = load(models, request.version).version
        plan = Plan(version, request.log, times.to_millis(datetime.now(UTC)), files)
        try:
            data.put_if(key, json.dumps(asdict(plan)).encode(), etag=None)
        except Conflict:
            raise BadInput(f"Another scoring has just begun in {request.output}.") from None
        return plan
    plan = Plan(**json.loads(stored.data))
    asked = (request.version or plan.version, request.log, files)
    if asked != (plan.version, plan.log, plan.files):
        raise BadInput(
            f"{request.output} holds the scores of another input, model or choice of logging: name"
            " another output."
        )
    return plan


def _parts(data: Bucket, key: str, scorer: BatchScorer) -> Iterator[Part]:
    """The rows of one file in parts of at least PART_ROWS, the same at each attempt."""
    names = [feature.name for feature in scorer.contract.features]
    part = Part()
    with tempfile.TemporaryDirectory(prefix="score-") as folder:
        path = Path(folder) / "file"
        data.download(key, path)
        for batch in reading.read(path, key, names):
            if isinstance(batch, reading.Malformed):
                part.bad |= dict.fromkeys(batch.numbers, MALFORMED)
                continue
            checked = check(batch.table, scorer.contract, labelled=False)
            part.columns.append(checked.columns)
            part.numbers.append(batch.numbers[checked.valid])
            refused = batch.numbers[~checked.valid].tolist()
            part.bad |= dict(zip(refused, checked.reasons, strict=True))
            if part.rows >= PART_ROWS:
                yield part
                part = Part()
    if part.rows:
        yield part


@dataclass(frozen=True, slots=True)
class _Writer:
    request: ScoreRequest
    plan: Plan
    data: Bucket
    predictions: Bucket
    scorer: BatchScorer

    def write(self, key: str, file: int, index: int, part: Part) -> pa.Table:
        """Score and store one part, unless it is there; returns its scores.

        The log comes first: a part that is there is in the log too, and one that is made again
        writes the same records over the same object.
        """
        target = keys.scoring_part(self.request.output, file, index)
        if self.data.exists(target):
            return self._stored(target)
        columns, numbers = part.joined(self.scorer.contract)
        probabilities = self._probabilities(columns)
        ids = None
        if self.plan.log:
            batch = uuid.uuid5(
                uuid.NAMESPACE_URL, f"{self.data.uri(self.request.output)}\n{self.plan.began}"
            )
            ids = prediction_ids(batch, file, numbers)
            if ids:
                day = times.from_millis(self.plan.began).date()
                records = log_records(self.scorer, columns, probabilities, ids, self.plan.began)
                logged = keys.batch_log(day, batch.hex[:12], file, index)
                _upload(records, self.predictions, logged)
        threshold = self.scorer.bundle.threshold
        table = scores(
            file=key,
            numbers=numbers,
            probabilities=probabilities,
            threshold=threshold,
            bad=part.bad,
            ids=ids,
        )
        _upload(table, self.data, target)
        return table

    def _probabilities(self, columns: Columns) -> Probabilities:
        if not columns:
            return np.empty(0, np.float32)
        self.scorer.prove(columns)
        return self.scorer.probabilities(columns)

    def _stored(self, key: str) -> pa.Table:
        with tempfile.TemporaryDirectory(prefix="score-") as folder:
            path = Path(folder) / "part.parquet"
            self.data.download(key, path)
            return pyarrow.parquet.read_table(path, columns=["predicted", "reason"])


def _upload(table: pa.Table, bucket: Bucket, key: str) -> None:
    with tempfile.TemporaryDirectory(prefix="score-") as folder:
        path = Path(folder) / "part.parquet"
        pyarrow.parquet.write_table(table, path, compression="snappy")
        bucket.upload(path, key)
