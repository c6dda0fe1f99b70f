"""The labels of a stretch of time, before it is known which predictions they belong to.

`tabular.labels` keeps the labels of rows that are in memory. Here it is the other way round: the
labels are few and are read first, then the log streams past them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from domain import times
from domain.contract.records import LABEL_COLUMNS
from tabular.arrow_types import ARROW_TYPES
from tabular.footers import BAD_DATA
from tabular.labels import UNKNOWN, Labels, Ordered, is_later
from tabular.log_objects import Damage, LogObjects
from tabular.rows import read_typed_column

PENDING_ROWS = 1_000_000
"""How many new labels are held before those that don't count are dropped."""

Hashes = npt.NDArray[np.uint64]


@dataclass(slots=True)
class LabelIndex:
    """For each id, or each reference, the label that counts; 25 bytes for each.

    Texts go by their 64-bit hash: among ten million predictions and a million labels, one wrong
    match is expected in about two million indexes.
    """

    name: str
    _hashes: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))
    _observed: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    _received: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    _label: Labels = field(default_factory=lambda: np.empty(0, np.int8))
    _new: list[tuple[Hashes, *Ordered]] = field(default_factory=list)
    _pending: int = 0

    def add(self, columns: Mapping[str, pa.Array], good: npt.NDArray[np.bool_]) -> None:
        """Take in the `good` rows of the labels' table that have a text of this name."""
        rows = np.flatnonzero(good & columns[self.name].is_valid().to_numpy(zero_copy_only=False))
        if not len(rows):
            return
        hashes = _hash(columns[self.name].take(pa.array(rows)))
        observed, received = (columns[n].to_numpy()[rows] for n in ("observed_at", "received_at"))
        label = columns["label"].cast(pa.int8()).to_numpy(zero_copy_only=False)[rows]
        self._new.append((hashes, observed, received, label.astype(np.int8)))
        self._pending += len(rows)
        if self._pending >= PENDING_ROWS:
            self.settle()

    def settle(self) -> None:
        """Drop the labels that don't count."""
        if not self._new:
            return
        held = (self._hashes, self._observed, self._received, self._label)
        columns = [np.concatenate(parts) for parts in zip(held, *self._new, strict=True)]
        hashes, observed, received, label = columns
        order = np.lexsort((label, received, observed, hashes))
        last = np.append(hashes[order][1:] != hashes[order][:-1], True)
        self._hashes, self._observed, self._received, self._label = (
            column[order[last]] for column in columns
        )
        self._new, self._pending = [], 0

    def find(self, texts: pa.ChunkedArray) -> Ordered:
        """The label of each row; UNKNOWN, observed at -1, where there is none."""
        self.settle()
        rows = len(texts)
        observed, received = np.full(rows, -1, np.int64), np.full(rows, -1, np.int64)
        label: Labels = np.full(rows, UNKNOWN, np.int8)
        present = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
        if len(self._hashes) and len(present):
            hashes = _hash(texts.take(pa.array(present)))
            place = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
            found = self._hashes[place] == hashes
            rows_found, place = present[found], place[found]
            observed[rows_found], received[rows_found] = (
                self._observed[place],
                self._received[place],
            )
            label[rows_found] = self._label[place]
        return observed, received, label


@dataclass(frozen=True, slots=True)
class LabelIndexes:
    """Labels by prediction id and by reference."""

    by_id: LabelIndex = field(default_factory=lambda: LabelIndex("prediction_id"))
    by_reference: LabelIndex = field(default_factory=lambda: LabelIndex("reference"))

    def find(self, table: pa.Table) -> Labels:
        """The label that counts for each prediction: 0, 1 or UNKNOWN."""
        one = self.by_id.find(table["prediction_id"])
        other = self.by_reference.find(table["reference"])
        found: Labels = np.where(is_later(other, one), other[-1], one[-1])
        return found


def read_labels(*, log: LogObjects, start: int, now: int, damage: Damage) -> LabelIndexes:
    """Read the labels stored from `start` to `now` (UTC milliseconds), a batch at a time."""
    found = LabelIndexes()
    earliest = times.from_millis(max(start, times.DAY_MS)).date() - times.DAY
    days = [day for day in log.list_days("labels") if day >= earliest]
    entries = log.list_objects(days, since=start, stream="labels")
    latest = now + times.CLOCK_SKEW_MS  # as the API allows
    for batch in log.read_batches(entries, damage, columns=frozenset(LABEL_COLUMNS)):
        try:
            columns = {
                name: read_typed_column(name, ARROW_TYPES[kind], batch)
                for name, kind in LABEL_COLUMNS.items()
            }
        except BAD_DATA:
            damage.malformed["unreadable"] += batch.rows
            continue
        good = _usable(columns, latest)
        if unusable := int(np.count_nonzero(~good)):
            damage.malformed["label"] += unusable
        filled = columns | {n: columns[n].fill_null(-1) for n in ("observed_at", "received_at")}
        filled["label"] = columns["label"].fill_null(False)
        found.by_id.add(filled, good)
        found.by_reference.add(filled, good)
    found.by_id.settle()
    found.by_reference.settle()
    return found


def _usable(columns: Mapping[str, pa.Array], latest: int) -> npt.NDArray[np.bool_]:
    observed, received = (
        columns[name].fill_null(-1).to_numpy() for name in ("observed_at", "received_at")
    )
    labelled = columns["label"].is_valid().to_numpy(zero_copy_only=False)
    found: npt.NDArray[np.bool_] = (
        labelled & (observed >= 0) & (observed <= latest) & (received >= 0) & (received <= latest)
    )
    return found


def _hash(texts: Any) -> Hashes:
    values = texts.to_numpy() if isinstance(texts, pa.ChunkedArray) else texts.to_numpy(False)
    return np.asarray(pd.util.hash_array(values, categorize=False), np.uint64)
