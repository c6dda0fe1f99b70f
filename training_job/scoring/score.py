"""Score: a file or a folder of them → probabilities, in a stream, going on where it was.

The output folder holds ``plan.json`` (what was set out to do), ``progress.json`` (how far it is), a
Parquet part per half million rows and, at the end, ``summary.json``. A part that is there is not
made again.
"""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from adapters.s3 import Bucket
from domain import keys, times, typed_json
from domain.contract.contract import Contract
from domain.contract.deployed_context import NO_CONTEXT, DeployedContext
from domain.contract.file_format import FileColumn
from domain.plural import write_count
from domain.training.steps import RefusedRows, Scored
from training_job.dataset import tables
from training_job.dataset.files.headers import loosen
from training_job.dataset.files.hints import advise_rows
from training_job.dataset.files.reading import open_raw
from training_job.dataset.quarantine import TOP_REASONS
from training_job.dataset.validation import Columns, check, hash_subjects
from training_job.model.walk import Floats
from training_job.scoring.batch_scorer import BatchScorer, load
from training_job.scoring.score_plan import Plan, plan
from training_job.scoring.score_request import ScoreRequest, name_kept
from training_job.scoring.scored_parts import Part, log_records, prediction_ids, scores

PART_ROWS = 500_000
UNLIKE = ("row", "probability", "prediction_id")
"""Columns whose values hardly repeat."""


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

    def merge(self, other: "Tally") -> None:
        """Count what another tally has counted."""
        self.rows += other.rows
        self.refused += other.refused
        self.positives += other.positives
        self.reasons.update(other.reasons)


def score(
    *,
    request: ScoreRequest,
    data: Bucket,
    models: Bucket,
    predictions: Bucket,
    say: Callable[[str], None],
    context: DeployedContext = NO_CONTEXT,
) -> Scored:
    """Score every row of the input; returns the counts and where the scores are.

    `context`: the deployment's columns, which the input has and the log keeps. A row that breaks
    the model's contract gets a reason instead of a score. Raises BadInput, BadData,
    NothingToScoreWith.
    """
    todo = plan(request, data, models)
    scorer = load(models, todo.version, context)
    progress = Progress(request, todo, data, say)
    writer = Writer(request, todo, data, predictions, scorer)
    for number, key in enumerate(todo.files):
        for table, share in writer.write_file(number, key, say):
            progress.tally.add(table)
            progress.report(number, share)
    return progress.finish(scorer.bundle.threshold)


@dataclass(slots=True)
class Progress:
    """How far a scoring is: ``progress.json``, a line for the log, and at the end the summary."""

    request: ScoreRequest
    plan: Plan
    data: Bucket
    say: Callable[[str], None]
    tally: Tally = field(default_factory=Tally)
    began: float = field(default_factory=time.monotonic)

    def report(self, number: int, share: float) -> None:
        """Say that all files before this one are done, and that share of it."""
        sizes, tally = list(self.plan.files.values()), self.tally
        progress = {
            "rows": tally.rows,
            "refused": tally.refused,
            "bytes": sum(sizes[:number]) + int(share * sizes[number]),
        }
        self.data.put(keys.scoring_progress(self.request.output), json.dumps(progress).encode())
        speed = tally.rows / max(time.monotonic() - self.began, 1e-9)
        self.say(
            f"file {number + 1} of {len(sizes)}: {write_count(tally.rows, 'row')} scored,"
            f" {tally.refused:,} refused, {speed:,.0f} rows/s"
        )

    def finish(self, threshold: float) -> Scored:
        """Write the summary, which makes the scores whole."""
        tally = self.tally
        top = tally.reasons.most_common(TOP_REASONS)
        scored = Scored(
            model_version=self.plan.version,
            threshold=threshold,
            output=self.request.output,
            logged=self.plan.log,
            rows=tally.rows,
            refused=tally.refused,
            positives=tally.positives,
            top_reasons=tuple(RefusedRows(reason, rows) for reason, rows in top),
        )
        summary = keys.scoring_summary(self.request.output)
        self.data.put(summary, typed_json.to_json(scored), content_type="application/json")
        return scored


def _parts(
    data: Bucket,
    key: str,
    scorer: BatchScorer,
    keep: Sequence[str],
    say: Callable[[str], None],
) -> Iterator[Part]:
    """The rows of one file in parts of at least PART_ROWS, the same at each attempt."""
    contract, part = scorer.contract, Part(key)
    kept, further = _choose_kept(contract, keep)
    with (
        tables.fetched(data, key) as path,
        open_raw(path, key, contract, labelled=False, kept=further) as file,
    ):
        if file.absent:
            say(f"{key}: columns that are absent and count as missing: {', '.join(file.absent)}")
        hints_given: set[str] = set()
        for batch in file.batches:
            checked = check(batch.table, contract, labelled=False)
            hints = {*checked.hints, *advise_rows(batch.malformed.reasons)} - hints_given
            for hint in sorted(hints):
                say(f"{key}: {hint}")
            hints_given |= hints
            part.add(batch, checked, kept)
            if part.rows >= PART_ROWS:
                yield part
                part = Part(key)
    if part.rows:
        yield part


def _choose_kept(
    contract: Contract, keep: Sequence[str]
) -> tuple[dict[str, str], list[FileColumn]]:
    """The output's name of each kept column → its name in a batch, and which are read for it alone.

    The contract's row id is always kept, as ``row_id``.
    """
    read = {loosen(c.source): c.name for c in contract.file_columns(labelled=False)}
    kept: dict[str, str] = {}
    further: list[FileColumn] = []
    for entry in contract.context:
        if entry.role == "row_id":
            source = entry.in_files.source or entry.name
            further.append(FileColumn(entry.name, source, required=False))
            kept["row_id"] = read[loosen(source)] = entry.name
    taken = {*read.values()}
    for source in keep:
        if loosen(source) not in read:
            name = f"{source} (kept)" if source in taken else source
            read[loosen(source)] = name
            further.append(FileColumn(name, source, required=True))
        kept[name_kept(source)] = read[loosen(source)]
    return kept, further


@dataclass(frozen=True, slots=True)
class Writer:
    """Scores files part by part, and stores what isn't there yet."""

    request: ScoreRequest
    plan: Plan
    data: Bucket
    predictions: Bucket
    scorer: BatchScorer

    def write_file(
        self, number: int, key: str, say: Callable[[str], None]
    ) -> Iterator[tuple[pa.Table, float]]:
        """Score one file; yields each part's scores, and the share of the file that is done."""
        for index, part in enumerate(_parts(self.data, key, self.scorer, self.request.keep, say)):
            yield self._write(key, number, index, part), part.share

    def _write(self, key: str, file: int, index: int, part: Part) -> pa.Table:
        """Score and store one part, unless it is there; returns its scores.

        The log comes first: a part that is there is in the log too, and one that is made again
        writes the same records over the same object.
        """
        target = keys.scoring_part(self.request.output, file, index)
        if self.data.exists(target):
            with tables.fetched(self.data, target) as path:
                return pyarrow.parquet.read_table(path, columns=["predicted", "reason"])
        columns, numbers = part.joined(self.scorer.contract)
        probabilities = self._probabilities(columns)
        ids = None
        if self.plan.log:
            batch = uuid.uuid5(
                uuid.NAMESPACE_URL, f"{self.data.uri(self.request.output)}\n{self.plan.began}"
            )
            ids = prediction_ids(batch, file, numbers)
            if len(ids):
                day = times.from_millis(self.plan.began).date()
                records = log_records(self.scorer, columns, probabilities, ids, self.plan.began)
                logged = keys.batch_log(day, batch.hex[:12], file, index)
                _store(records, self.predictions, logged)
        threshold = self.scorer.bundle.threshold
        table = scores(
            file=key,
            numbers=numbers,
            probabilities=probabilities,
            threshold=threshold,
            refused=part.refused,
            ids=ids,
            subjects=hash_subjects(columns, self.scorer.contract),
        )
        table = part.add_kept(table)
        _store(table, self.data, target)
        return table

    def _probabilities(self, columns: Columns) -> Floats:
        if not columns:
            return np.empty(0)
        self.scorer.prove(columns)
        return self.scorer.probabilities(columns)


def _store(table: pa.Table, bucket: Bucket, key: str) -> None:
    tables.store(table, bucket, key, compression="snappy", unlike=UNLIKE)
