"""A bounded, deterministic sample of one version's rows.

Rows are kept by their `sample_key`: the sample is all rows with a key below a cutoff, the largest
cutoff that fits. It depends on the rows alone, not on their order, and holds every copy of a
row it holds, so copies inside it are removed exactly.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.records import SAMPLE_KEYS

SLACK = 1.5
"""Rows held at most while reading, as a multiple of the sample: trimming costs a pass."""


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
        fits = int(np.searchsorted(np.cumsum(self._per_key), self.limit, side="right"))
        self._cutoff = max(1, min(self._cutoff, fits))
        tables, self._tables, self._held = self._tables, [], 0
        self._hold([pa.concat_tables(tables)])

    @property
    def share(self) -> float:
        """Share of the keys that the sample covers; 1.0 when it is everything."""
        return self._cutoff / SAMPLE_KEYS

    def distinct(self) -> tuple[pa.Table, int]:
        """The sample with the earliest row of each prediction, and how many copies that removed."""
        if self._held > self.limit:
            self._trim()
        table = pa.concat_tables(self._tables)
        order = pc.sort_indices(
            table, [("predicted_at", "ascending"), ("prediction_id", "ascending")]
        )
        table = table.take(order)
        ids = table["prediction_id"].combine_chunks().dictionary_encode().indices.to_numpy()
        _, first = np.unique(ids, return_index=True)  # the first is the earliest
        return table.take(np.sort(first)), table.num_rows - first.size
