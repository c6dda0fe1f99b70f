"""What was logged in the weeks before a day, for comparisons with its own weekday."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import pyarrow as pa

from domain.times import DAY_MS
from tabular.log_objects import LogObjects
from tabular.log_queries import LogQueries
from tabular.models import Models
from tabular.reading import read_window

WEEKS = 4
"""How many of the same weekday are read."""


class Past(NamedTuple):
    """A version's rows: of the same weekday in the weeks before, and of the seven days before."""

    weekday: pa.Table
    week: pa.Table


@dataclass(frozen=True, kw_only=True)
class History:
    """The log before the day that starts at `start` (UTC milliseconds); read when first asked.

    At most `sample_rows` of each version are read for either part. `queries` reads large parts.
    """

    log: LogObjects
    models: Models
    start: int
    sample_rows: int
    queries: LogQueries | None = None

    def find(self, version: str, *, minimum_rows: int) -> Past | None:
        """The rows that the version itself logged; None if either part has too few."""
        found = [tables.get(version) for tables in (self._weekday, self._week)]
        weekday, week = (
            table if table and table.num_rows >= minimum_rows else None for table in found
        )
        return Past(weekday, week) if weekday and week else None

    @cached_property
    def _weekday(self) -> Mapping[str, pa.Table]:
        days = [
            self._read(days=7 * week, length=1, rows=self.sample_rows // WEEKS)
            for week in range(1, WEEKS + 1)
        ]
        versions = {version for day in days for version in day}
        return {
            version: pa.concat_tables(day[version] for day in days if version in day)
            for version in versions
        }

    @cached_property
    def _week(self) -> Mapping[str, pa.Table]:
        return self._read(days=7, length=7, rows=self.sample_rows)

    def _read(self, *, days: int, length: int, rows: int) -> Mapping[str, pa.Table]:
        """Read `length` days, from so many `days` before the start on."""
        start = self.start - days * DAY_MS
        contents = read_window(
            log=self.log,
            models=self.models,
            start=start,
            end=start + length * DAY_MS,
            sample_rows=rows,
            queries=self.queries,
        )
        return {version: sample.finish().table for version, sample in contents.samples.items()}
