"""One part of a batch scoring as Arrow tables: the scores, and the prediction log's records."""

import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domain.contract.contract import Contract
from domain.contract.records import SAMPLE_KEYS, SUBJECT_KEY, prediction_log_columns
from tabular.arrow_types import ARROW_TYPES
from training_job.dataset.dataset import to_arrays
from training_job.dataset.files.raw_batch import RawBatch
from training_job.dataset.hashing import NO_TEXT, Hashes
from training_job.dataset.quarantine import Quarantine
from training_job.dataset.validation import Checked, Columns
from training_job.model.walk import Floats
from training_job.scoring.batch_scorer import BatchScorer

NOTHING: Mapping[str, str] = MappingProxyType({})
KEPT_ROW = "row"
"""Column of the kept columns' table that holds the row's number."""
SHARED_CHARACTERS, OWN_CHARACTERS = 24, 12
"""Characters of a prediction id that name its file; the others name the row."""
HEX_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)


@dataclass(slots=True)
class Part:
    """Rows of one file as they are read: good ones as columns, bad ones with their reason.

    `share`: of the file that has been read by its end.
    """

    file: str
    columns: list[Columns] = field(default_factory=list)
    numbers: list[npt.NDArray[np.int64]] = field(default_factory=list)
    refused: Quarantine = field(default_factory=Quarantine)
    share: float = 0.0
    kept: list[pa.Table] = field(default_factory=list)

    def add(self, batch: RawBatch, checked: Checked, kept: Mapping[str, str] = NOTHING) -> None:
        """Put a batch in. `kept`: the output's name of a column → its name in the batch."""
        if kept:
            columns = {name: batch.table.column(source) for name, source in kept.items()}
            self.kept.append(pa.table({KEPT_ROW: batch.numbers, **columns}))
        self.columns.append(checked.columns)
        self.numbers.append(batch.numbers[checked.valid])
        self.refused.add_batch(self.file, batch, checked)
        self.share = batch.share

    @property
    def rows(self) -> int:
        """Good and bad ones."""
        return sum(map(len, self.numbers)) + len(self.refused)

    def joined(self, contract: Contract) -> tuple[Columns, npt.NDArray[np.int64]]:
        """All good rows' columns, and their numbers in the file."""
        names = [feature.name for feature in contract.features]
        names += [entry.name for entry in contract.request_context.columns]
        columns = {
            name: np.concatenate([part[name] for part in self.columns])
            for name in names
            if self.columns
        }
        return columns, np.concatenate([np.empty(0, np.int64), *self.numbers])

    def add_kept(self, scored: pa.Table) -> pa.Table:
        """Scores with the kept columns of their rows; null for a row that couldn't be read."""
        if not self.kept:
            return scored
        kept = pa.concat_tables(self.kept, promote_options="permissive")
        rows, wanted = kept[KEPT_ROW].to_numpy(), scored["row"].to_numpy()
        order = np.argsort(rows, kind="stable")
        places = order[np.minimum(np.searchsorted(rows, wanted, sorter=order), len(rows) - 1)]
        found = pa.array(places, mask=rows[places] != wanted) if len(rows) else None
        for name in kept.column_names:
            if name != KEPT_ROW:
                values = pa.nulls(len(wanted)) if found is None else kept[name].take(found)
                scored = scored.append_column(name, values)
        return scored


def scores(
    *,
    file: str,
    numbers: npt.NDArray[np.int64],
    probabilities: Floats,
    threshold: float,
    refused: Quarantine,
    ids: pa.StringArray | None,
    subjects: Hashes | None = None,
) -> pa.Table:
    """A row per row of the input, in its order: file, row, probability, predicted, reason.

    A bad row has a reason and no score. Further columns are `ids`, prediction ids of the good ones,
    and a hash of the subject of each row, `subjects` being those of the good ones.
    """
    good, bad = len(numbers), refused.table()
    rows = good + bad.num_rows
    nothing = [None] * bad.num_rows
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "file": pa.repeat(file, rows),
        "row": pa.array(np.concatenate([numbers, bad["row"].to_numpy()])),
        "probability": pa.chunked_array([pa.array(probabilities), pa.array(nothing, pa.float64())]),
        "predicted": pa.chunked_array(
            [pa.array(probabilities >= threshold), pa.array(nothing, pa.bool_())]
        ),
        "reason": pa.chunked_array(
            [pa.nulls(good, pa.string()), *bad["reason"].cast(pa.string()).chunks]
        ),
    }
    if ids is not None:
        columns["prediction_id"] = pa.chunked_array([ids, pa.array(nothing, pa.string())])
    refused_people = SUBJECT_KEY in bad.column_names
    if subjects is not None or refused_people:
        people = np.empty(0, np.uint64) if subjects is None else subjects
        others = (
            bad[SUBJECT_KEY].chunks if refused_people else [pa.nulls(bad.num_rows, pa.uint64())]
        )
        columns[SUBJECT_KEY] = pa.chunked_array([pa.array(people, mask=people == NO_TEXT), *others])
    table = pa.table(columns)
    return table.sort_by("row") if bad.num_rows else table


def prediction_ids(batch: uuid.UUID, file: int, numbers: npt.NDArray[np.int64]) -> pa.StringArray:
    """A UUID per row, the same at each attempt: of the batch, the file and the row's number."""
    rows, length = len(numbers), SHARED_CHARACTERS + OWN_CHARACTERS
    texts = np.empty((rows, length), np.uint8)
    shared = str(uuid.uuid5(batch, str(file)))[:SHARED_CHARACTERS].encode()
    texts[:, :SHARED_CHARACTERS] = np.frombuffer(shared, np.uint8)
    for place in range(OWN_CHARACTERS):
        texts[:, length - 1 - place] = HEX_DIGITS[numbers >> 4 * place & 15]
    ends = np.arange(rows + 1, dtype=np.int32) * length
    return pa.StringArray.from_buffers(rows, pa.py_buffer(ends), pa.py_buffer(texts))


def _sample_keys(ids: pa.StringArray) -> npt.NDArray[np.int64]:
    """`domain.contract.records.sample_key` of each prediction id of one file."""
    texts, length = memoryview(ids.buffers()[2]), SHARED_CHARACTERS + OWN_CHARACTERS
    shared = zlib.crc32(texts[:SHARED_CHARACTERS])
    checksums = (
        zlib.crc32(texts[end - OWN_CHARACTERS : end], shared)
        for end in range(length, len(texts) + 1, length)
    )
    return np.fromiter(checksums, np.int64, len(ids)) % SAMPLE_KEYS


def log_records(
    scorer: BatchScorer,
    columns: Columns,
    probabilities: Floats,
    ids: pa.StringArray,
    now: int,
) -> pa.Table:
    """The part's predictions with the prediction log's columns; `now` in UTC milliseconds."""
    contract, rows = scorer.contract, len(ids)
    values: dict[str, pa.Array | npt.NDArray[np.generic]] = {
        "prediction_id": ids,
        "predicted_at": np.full(rows, now),
        "model_version": pa.repeat(scorer.version, rows),
        "contract_version": pa.repeat(contract.version, rows),
        "probability": probabilities,
        "threshold": np.full(rows, scorer.bundle.threshold),
        "predicted": probabilities >= scorer.bundle.threshold,
        "source": pa.repeat("batch", rows),
        "sample_key": _sample_keys(ids),
        "reference": pa.nulls(rows),
        "subject": pa.nulls(rows),
    }
    context = contract.request_context.columns
    logged = (*contract.features, *(entry.values for entry in context if entry.values))
    arrays = to_arrays(columns, logged)
    values |= {feature.column: arrays[feature.name] for feature in logged}
    values |= {entry.column: columns[entry.name] for entry in context if entry.values is None}
    types = prediction_log_columns(contract)
    return pa.table({name: _typed(values[name], ARROW_TYPES[kind]) for name, kind in types.items()})


def _typed(values: Any, kind: pa.DataType) -> pa.Array:
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)
