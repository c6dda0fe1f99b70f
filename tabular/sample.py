"""A bounded, deterministic sample of one version's rows.

The sample is all rows whose `sample_key` is below a cutoff: the largest cutoff with which they fit.
It depends on the rows alone and not on their order. All copies of a row have the same key, so the
sample holds all of them or none, and copies are removed exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.records import SAMPLE_KEYS

SLACK = 1.2
"""While reading, up to this multiple of the sample is held, because trimming costs a pass."""


@dataclass(frozen=True, slots=True)
class SampledRows:
    """A finished sample without copies.

    `copies`: how many were removed from it. `logged`: how many rows were seen in all. `share`: the
    share of the keys that is in the sample.
    """

    table: pa.Table = field(default_factory=lambda: pa.table({}))
    copies: int = 0
    logged: int = 0
    share: float = 1.0

    @property
    def distinct(self) -> int:
        """How many predictions were seen in all; an estimate where the sample has only a part."""
        return self.logged - round(self.copies / self.share)


class Sample:
    """Collects tables of one version; at most `limit` rows remain."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.logged = 0
        self._per_key = np.zeros(SAMPLE_KEYS, dtype=np.int64)
        self._cutoff = SAMPLE_KEYS
        self._tables: list[pa.Table] = []
        self._held = 0

    @classmethod
    def of_parts(cls, parts: Sequence[Self]) -> Self:
        """The sample of all parts' rows; the parts have one limit, and stay as they are."""
        found = cls(parts[0].limit)
        for part in parts:
            found._count(part._per_key)
        found._cutoff = min(part._cutoff for part in parts)
        found._hold([table for part in parts for table in part._tables])
        if found._held > found.limit:
            found._trim()
        return found

    def add(self, rows: pa.Table) -> None:
        """Count all rows, and keep those that belong to the sample."""
        self._count(np.bincount(rows["sample_key"].to_numpy(), minlength=SAMPLE_KEYS))
        self._hold([rows])
        if self._held > self.limit * SLACK:
            self._trim()

    def add_counts(self, per_key: npt.NDArray[np.int64]) -> int:
        """Count rows that somebody else has read, by their `sample_key`, and choose the cutoff.

        Those of them with a key below the returned cutoff belong to the sample. Add them with
        `add_counted`.
        """
        self._count(per_key)
        self._cutoff, _ = self._choose_cutoff()
        return self._cutoff

    def add_counted(self, rows: pa.Table) -> None:
        """Keep rows that `add_counts` has counted."""
        self._hold([rows])

    def _count(self, per_key: npt.NDArray[np.int64]) -> None:
        self._per_key += per_key
        self.logged += int(per_key.sum())

    def _choose_cutoff(self) -> tuple[int, bool]:
        """``(cutoff, whether one key alone has more rows than fit)``."""
        below = np.cumsum(self._per_key)
        fits = int(np.searchsorted(below, self.limit, side="right"))
        is_empty = fits == 0 or below[fits - 1] == 0
        return min(self._cutoff, fits + is_empty), bool(is_empty)

    def _hold(self, tables: list[pa.Table]) -> None:
        for table in tables:
            kept = table
            if self._cutoff < SAMPLE_KEYS:
                kept = table.filter(pc.less(table["sample_key"], self._cutoff))
            self._tables.append(kept)
            self._held += kept.num_rows

    def _trim(self) -> None:
        self._cutoff, is_empty = self._choose_cutoff()
        tables, self._tables, self._held = self._tables, [], 0
        self._hold([pa.concat_tables(tables)])
        del tables  # before the release below
        if is_empty and self._held > self.limit:
            # No hash puts so many rows under one key, so the log's keys are wrong. Choose by id, so
            # that the order of reading does not matter here either.
            order = pc.sort_indices(self._tables[0], [("prediction_id", "ascending")])
            self._tables = [self._tables[0].take(order[: self.limit])]
            self._held = self.limit
        pa.default_memory_pool().release_unused()  # else the peak is the sum of all passes

    def finish(self) -> SampledRows:
        """Finish the sample: keep the earliest row of each prediction."""
        if self._held > self.limit:
            self._trim()
        table = pa.concat_tables(self._tables)
        order = pc.sort_indices(
            table, [("predicted_at", "ascending"), ("prediction_id", "ascending")]
        )
        table = table.take(order)
        ids = table["prediction_id"].combine_chunks().dictionary_encode().indices.to_numpy()
        _, first = np.unique(
            ids, return_index=True
        )  # the rows are sorted by time, so the first is the earliest
        return SampledRows(
            table=table.take(np.sort(first)),
            copies=table.num_rows - first.size,
            logged=self.logged,
            share=self._cutoff / SAMPLE_KEYS,
        )
