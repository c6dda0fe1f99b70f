"""A bounded, deterministic sample of one version's rows.

Rows are kept by their `sample_key`: the sample is all rows with a key below a cutoff, the largest
cutoff that fits. It depends on the rows alone, not on their order, and holds every copy of a
row it holds, so copies inside it are removed exactly.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.records import SAMPLE_KEYS

SLACK = 1.2
"""Rows held at most while reading, as a multiple of the sample: trimming costs a pass."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A sample without its `copies` (of rows in it); `logged` rows were seen, `share` of the keys
    is in it.
    """

    table: pa.Table = field(default_factory=lambda: pa.table({}))
    copies: int = 0
    logged: int = 0
    share: float = 1.0


class Sample:
    """Collects tables of one version; `limit` rows stay at the end."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.logged = 0
        self._per_key = np.zeros(SAMPLE_KEYS, dtype=np.int64)
        self._cutoff = SAMPLE_KEYS
        self._tables: list[pa.Table] = []
        self._held = 0

    def add(self, rows: pa.Table) -> None:
        """Count all rows, keep those of the sample."""
        self.logged += rows.num_rows
        keys = rows["sample_key"].to_numpy()
        self._per_key += np.bincount(keys, minlength=SAMPLE_KEYS)
        self._hold([rows])
        if self._held > self.limit * SLACK:
            self._trim()

    def _hold(self, tables: list[pa.Table]) -> None:
        for table in tables:
            kept = table
            if self._cutoff < SAMPLE_KEYS:
                kept = table.filter(pc.less(table["sample_key"], self._cutoff))
            self._tables.append(kept)
            self._held += kept.num_rows

    def _trim(self) -> None:
        below = np.cumsum(self._per_key)
        fits = int(np.searchsorted(below, self.limit, side="right"))
        is_empty = fits == 0 or below[fits - 1] == 0
        self._cutoff = min(self._cutoff, fits + is_empty)
        tables, self._tables, self._held = self._tables, [], 0
        self._hold([pa.concat_tables(tables)])
        del tables  # before the release below
        if is_empty and self._held > self.limit:
            # No hash puts that many rows under one key: the log's keys are wrong. By their ids, so
            # that the order of reading doesn't matter here either.
            order = pc.sort_indices(self._tables[0], [("prediction_id", "ascending")])
            self._tables = [self._tables[0].take(order[: self.limit])]
            self._held = self.limit
        pa.default_memory_pool().release_unused()  # or the peak is that of all passes together

    def taken(self) -> Taken:
        """The earliest row of each prediction."""
        if self._held > self.limit:
            self._trim()
        table = pa.concat_tables(self._tables)
        order = pc.sort_indices(
            table, [("predicted_at", "ascending"), ("prediction_id", "ascending")]
        )
        table = table.take(order)
        ids = table["prediction_id"].combine_chunks().dictionary_encode().indices.to_numpy()
        _, first = np.unique(ids, return_index=True)  # the first is the earliest
        return Taken(
            table=table.take(np.sort(first)),
            copies=table.num_rows - first.size,
            logged=self.logged,
            share=self._cutoff / SAMPLE_KEYS,
        )
