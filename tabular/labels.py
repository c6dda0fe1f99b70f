"""Join labels to a window's predictions. Labels arrive late, out of order, and more than once."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from domain import times
from domain.contract.records import LABEL_COLUMNS
from tabular.arrow_types import ARROW_TYPES
from tabular.log_objects import BAD_DATA, Batch, Damage, LogObjects
from tabular.rows import read_typed_column

UNKNOWN = -1

Labels = npt.NDArray[np.int8]


def join_labels(
    ids: Mapping[str, pa.ChunkedArray], *, log: LogObjects, start: int, now: int, damage: Damage
) -> dict[str, Labels]:
    """Find the label (0, 1 or UNKNOWN) of each prediction id; `ids` and the result are by version.

    Of several labels the one observed last counts, and of those the one received last. Labels are
    read once, a batch at a time, from the window's `start` to `now` (UTC milliseconds). Only those
    of `ids` are kept in memory.
    """
    wanted = {version: pd.Index(column.to_pandas()) for version, column in ids.items()}
    earliest = times.from_millis(start).date() - timedelta(days=1)
    days = [day for day in log.list_days("labels") if day >= earliest]
    # A request that is repeated across a promotion has the same id under two versions.
    best = _Best(pd.Index(np.concatenate([*wanted.values(), ()])).unique(), now)
    entries = log.list_objects(days, since=start, stream="labels")
    for batch in log.read_batches(entries, damage, columns=frozenset(LABEL_COLUMNS)):
        try:
            best.add(batch, damage)
        except BAD_DATA:
            damage.malformed["unreadable"] += batch.rows
    return {version: best.label[best.index.get_indexer(index)] for version, index in wanted.items()}


class _Best:
    """For each prediction, the label that counts among those seen so far."""

    def __init__(self, index: "pd.Index[Any]", now: int) -> None:
        self.index = index
        self._latest = now + times.CLOCK_SKEW_MS  # as the API allows
        self._observed = np.full(len(index), -1, dtype=np.int64)
        self._received = self._observed.copy()
        self.label: Labels = np.full(len(index), UNKNOWN, dtype=np.int8)

    def add(self, batch: Batch, damage: Damage) -> None:
        columns = {
            name: read_typed_column(name, ARROW_TYPES[kind], batch)
            for name, kind in LABEL_COLUMNS.items()
        }
        position = self.index.get_indexer(columns["prediction_id"].to_pandas())
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
        later = (observed[order] > self._observed[at]) | (
            (observed[order] == self._observed[at]) & (received[order] >= self._received[at])
        )
        order, at = order[later], at[later]
        # With several labels for one prediction, the last assignment stays: the latest label.
        self._observed[at], self._received[at] = observed[order], received[order]
        self.label[at] = label[order]
