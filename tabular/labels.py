"""Join labels to a window's predictions. Labels arrive late, out of order, and more than once."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from domain import times
from domain.contract.records import LABEL_COLUMNS
from tabular.arrow_types import ARROW_TYPES
from tabular.footers import BAD_DATA
from tabular.log_objects import Damage, LogObjects
from tabular.rows import read_typed_column

UNKNOWN = -1

Labels = npt.NDArray[np.int8]


def join_labels(
    rows: Mapping[str, pa.Table], *, log: LogObjects, start: int, now: int, damage: Damage
) -> dict[str, Labels]:
    """Find the label (0, 1 or UNKNOWN) of each prediction; `rows` and the result are by version.

    A label reaches its prediction by ``prediction_id``, or by ``reference``, which several may
    share. Of several labels the one observed last counts, and of those the one received last.
    Labels are read once, a batch at a time, from the window's `start` to `now` (UTC milliseconds).
    Only those of `rows` are kept in memory. A label by reference may be older than its prediction,
    so all labels are read where rows have references.
    """
    if any(table["reference"].null_count < table.num_rows for table in rows.values()):
        start = 0
    earliest = times.from_millis(max(start, times.DAY_MS)).date() - times.DAY
    days = [day for day in log.list_days("labels") if day >= earliest]
    # A request that is repeated across a promotion has the same id under two versions.
    by_id, by_reference = (
        _Best(name, _distinct(rows.values(), name), now) for name in ("prediction_id", "reference")
    )
    entries = log.list_objects(days, since=start, stream="labels")
    for batch in log.read_batches(entries, damage, columns=frozenset(LABEL_COLUMNS)):
        try:
            columns = {
                name: read_typed_column(name, ARROW_TYPES[kind], batch)
                for name, kind in LABEL_COLUMNS.items()
            }
            by_id.add(columns, damage)
            by_reference.add(columns, damage)
        except BAD_DATA:
            damage.malformed["unreadable"] += batch.rows
    return {version: _choose_later(table, by_id, by_reference) for version, table in rows.items()}


def _distinct(tables: Iterable[pa.Table], name: str) -> "pd.Index[Any]":
    found = [table[name].drop_null().to_numpy() for table in tables]
    index: pd.Index[Any] = pd.Index(np.concatenate([*found, np.empty(0, object)]))
    return index.unique()


Ordered = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Labels]
"""Observed, received and label, by which labels are ordered."""


def is_later(ours: Ordered, others: Ordered) -> npt.NDArray[np.bool_]:
    """Whether each of our labels counts rather than the other one; a positive one wins a tie."""
    (observed, received, label), (observed_2, received_2, label_2) = ours, others
    breaks_tie = (received > received_2) | ((received == received_2) & (label > label_2))
    found: npt.NDArray[np.bool_] = (observed > observed_2) | ((observed == observed_2) & breaks_tie)
    return found


def _choose_later(table: pa.Table, by_id: "_Best", by_reference: "_Best") -> Labels:
    """The label that counts of the two that each row may have."""
    one, other = by_id.find(table), by_reference.find(table)
    labels: Labels = np.where(is_later(other, one), other[-1], one[-1])
    return labels


class _Best:
    """For each id, or each reference, the label that counts among those seen so far."""

    def __init__(self, name: str, index: "pd.Index[Any]", now: int) -> None:
        self._name = name
        self._index = index
        self._latest = now + times.CLOCK_SKEW_MS  # as the API allows
        self._observed = np.full(len(index), -1, dtype=np.int64)
        self._received = self._observed.copy()
        self._label: Labels = np.full(len(index), UNKNOWN, dtype=np.int8)

    def find(self, table: pa.Table) -> Ordered:
        """The label of each row of the table; UNKNOWN, observed at -1, where there is none."""
        places = self._index.get_indexer(table[self._name].to_pandas())
        found = (np.append(v, -1)[places] for v in (self._observed, self._received, self._label))
        observed, received, label = found
        return observed, received, label

    def add(self, columns: Mapping[str, pa.Array], damage: Damage) -> None:
        """Take in some rows of the labels' table."""
        if not len(self._index):
            return
        position = self._index.get_indexer(columns[self._name].to_pandas())
        label = columns["label"].cast(pa.int8()).fill_null(UNKNOWN).to_numpy()
        observed, received = (
            columns[name].fill_null(-1).to_numpy() for name in ("observed_at", "received_at")
        )
        good = (label != UNKNOWN) & (observed >= 0) & (observed <= self._latest) & (received >= 0)
        ours = position >= 0
        unusable = int(np.count_nonzero(ours & ~good))
        if unusable:
            damage.malformed["label"] += unusable
        order = np.flatnonzero(ours & good)
        order = order[np.lexsort((label[order], received[order], observed[order]))]
        at = position[order]
        later = is_later(
            (observed[order], received[order], label[order]),
            (self._observed[at], self._received[at], self._label[at]),
        )
        order, at = order[later], at[later]
        # With several labels for one prediction, the last assignment stays: the latest label.
        self._observed[at], self._received[at] = observed[order], received[order]
        self._label[at] = label[order]
