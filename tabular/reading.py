"""Read the rows of a window for each model version, with their labels."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from adapters.athena import QueryFailed, QueryTooSlow
from adapters.s3 import Listed
from domain import times
from domain.contract.feature import Feature
from domain.drift.window import MAXIMUM_DAYS, LastRows, Window
from domain.errors import BadBundle
from tabular import rows
from tabular.labels import Labels, join_labels
from tabular.log_objects import Batch, Damage, LogObjects, Part, touched_days
from tabular.log_queries import LogQueries, Span
from tabular.merged_objects import ListedMerged
from tabular.models import Models
from tabular.sample import Sample, SampledRows

logger = logging.getLogger(__name__)

OBJECTS_PER_READ = 256
"""Objects that are read at a time while searching for the latest rows."""
DELIVERY = timedelta(hours=1)
"""Firehose buffers for 15 minutes at most, so the rows in a day's partition were predicted no later
than this after the end of the day.
"""


@dataclass
class Contents:
    """The predictions of a window: a sample per version, and what could not be used."""

    samples: dict[str, Sample] = field(default_factory=dict)
    damage: Damage = field(default_factory=Damage)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowData:
    """A window ``[start, end)`` (UTC milliseconds) with rows and labels by version.

    `labels` holds one label for each of a version's rows.
    """

    start: int
    end: int
    rows: Mapping[str, SampledRows]
    labels: Mapping[str, Labels]
    damage: Damage


def load_window(
    *,
    log: LogObjects,
    models: Models,
    wanted: Window | LastRows,
    now: int,
    sample_rows: int,
    queries: LogQueries | None = None,
) -> WindowData:
    """Read a window's predictions and their labels, at most `sample_rows` of each version.

    `now`: UTC milliseconds. `queries` reads the predictions of a large window. Versions are sorted
    by name.
    """
    start, end = resolve_window(log=log, models=models, wanted=wanted)
    contents = read_window(
        log=log, models=models, start=start, end=end, sample_rows=sample_rows, queries=queries
    )
    # Each sample is released as soon as its rows are taken.
    rows = {version: contents.samples.pop(version).finish() for version in sorted(contents.samples)}
    labels = join_labels(
        {version: sampled.table for version, sampled in rows.items()},
        log=log,
        start=start,
        now=now,
        damage=contents.damage,
    )
    return WindowData(start=start, end=end, rows=rows, labels=labels, damage=contents.damage)


def read_window(
    *,
    log: LogObjects,
    models: Models,
    start: int,
    end: int,
    sample_rows: int,
    queries: LogQueries | None = None,
) -> Contents:
    """Read the partitions around ``[start, end)`` (UTC milliseconds) once, in constant memory.

    A window with more rows than the least of `queries` is read by SQL, others are streamed. Both
    find the same. If Athena can't answer, as with a damaged object, the window is streamed, too.
    """
    window = Window(times.from_millis(start), times.from_millis(end))
    reader = _Reader(log, models, sample_rows, Span(touched_days(window.days()), start, end))
    if queries is not None and reader.estimate_rows(queries.from_rows) > queries.from_rows:
        try:
            return reader.query(queries)
        except (QueryFailed, QueryTooSlow) as error:  # their text may quote values
            logger.warning(
                "Athena could not read the window (%s; the workgroup's history says why), so the "
                "objects of the log are streamed",
                type(error).__name__,
            )
    return reader.stream()


@dataclass(frozen=True, slots=True)
class _Reader:
    log: LogObjects
    models: Models
    sample_rows: int
    span: Span

    def estimate_rows(self, enough: int) -> int:
        return self.log.estimate_rows(self.span.days, since=self.span.start, enough=enough)

    def stream(self, parts: tuple[Part, ...] = ("stream", "fallback")) -> Contents:
        """Stream all objects of these parts of the log."""
        contents = Contents()
        entries = self.log.list_objects(self.span.days, since=self.span.start, parts=parts)
        batches = self.log.read_batches(entries, contents.damage)
        for version, table in self._read_usable(batches, contents.damage):
            self._sample_of(contents, version).add(table)
        return contents

    def query(self, queries: LogQueries) -> Contents:
        """Stream the fallback; count the rows of the table and select those of the samples."""
        contents = self.stream(parts=("fallback",))
        merged = self._list_merged()
        counts = queries.count(self.span, self.models.versions)
        contents.damage.malformed.update(counts.malformed)
        for version, per_key in counts.per_key.items():
            if self._find_features(version) is None:
                contents.damage.malformed["model_version"] += int(per_key.sum())
                continue
            sample = self._sample_of(contents, version)
            cutoff = sample.add_counts(per_key)
            batches = queries.select(self.span, version, cutoff=cutoff, limit=self.sample_rows)
            for _, table in self._read_usable(batches, Damage()):
                sample.add_counted(table)
        still = self._list_merged()
        twice = self._count_malformed([merged[key] for key in merged.keys() & still.keys()])
        contents.damage.malformed.subtract(twice)
        return contents

    def _list_merged(self) -> dict[str, ListedMerged]:
        """The merged objects whose sources are still there: the table has their rows twice."""
        entries = self.log.list_objects(self.span.days, since=self.span.start, parts=("stream",))
        return {entry.key: entry for entry in entries if isinstance(entry, ListedMerged)}

    def _count_malformed(self, entries: Sequence[Listed]) -> Counter[str]:
        damage = Damage()
        for _ in self._read_usable(self.log.read_batches(entries, damage), damage):
            pass
        return damage.malformed

    def _sample_of(self, contents: Contents, version: str) -> Sample:
        return contents.samples.setdefault(version, Sample(self.sample_rows))

    def _read_usable(
        self, batches: Iterable[Batch], damage: Damage
    ) -> Iterator[tuple[str, pa.Table]]:
        return rows.read_usable(
            batches,
            start=self.span.start,
            end=self.span.end,
            features=self._find_features,
            damage=damage,
        )

    def _find_features(self, version: str) -> tuple[Feature, ...] | None:
        if version not in self.models.versions:
            return None
        try:
            contract = self.models.contract(version)
        except BadBundle:
            return None
        return contract.features + contract.segment_context


def resolve_window(
    *, log: LogObjects, models: Models, wanted: Window | LastRows
) -> tuple[int, int]:
    """Start and end of the window in UTC milliseconds; the end does not belong to it.

    The last N rows start with the N-th latest prediction of a known version, together with any
    others of the same millisecond, or with the first prediction when there are fewer. Without any
    prediction, the window is the 24 hours before.
    """
    if isinstance(wanted, Window):
        return times.to_millis(wanted.start), times.to_millis(wanted.end)
    earliest = wanted.before - timedelta(days=MAXIMUM_DAYS - 2)
    latest = _Latest(wanted.rows)
    end = times.to_millis(wanted.before)
    for entries in _newest_first(log, wanted.before, latest):
        for _, table in rows.read_usable(
            log.read_batches(entries, Damage(), columns=rows.READ_COLUMNS, keep=True),
            start=times.to_millis(earliest),
            end=end,
            features=lambda version: () if version in models.versions else None,
            damage=Damage(),
        ):
            latest.add(table["prediction_id"].to_numpy(), table["predicted_at"].to_numpy())
    start = latest.find_start()
    return (end - times.DAY_MS if start is None else start), end


def _newest_first(log: LogObjects, before: datetime, latest: "_Latest") -> Iterator[list[Listed]]:
    """List objects in batches, the newest first, until no other can hold one of the latest rows."""
    earliest = before.date() - timedelta(days=MAXIMUM_DAYS - 2)
    for day in log.list_days():
        if day < earliest or latest.is_certain(before=_end_of(day)):
            return
        if day > before.date() + times.DAY:
            continue
        entries = sorted(log.list_objects([day]), key=lambda entry: entry.modified, reverse=True)
        for first in range(0, len(entries), OBJECTS_PER_READ):
            batch = entries[first : first + OBJECTS_PER_READ]
            if latest.is_certain(before=times.to_millis(batch[0].modified) + times.CLOCK_SKEW_MS):
                break
            yield batch


def _end_of(day: date) -> int:
    """The latest time at which a row in a day's partition was predicted (UTC milliseconds)."""
    return times.to_millis(times.start_of(day) + times.DAY + DELIVERY)


class _Latest:
    """Collects the times of the latest `wanted` predictions; the earliest copy of each counts."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self._seen = pd.Series(dtype="int64")
        self._new: list[pd.Series[int]] = []

    def add(self, ids: npt.NDArray[np.object_], at: npt.NDArray[np.int64]) -> None:
        self._new.append(pd.Series(at, index=pd.util.hash_array(ids)))
        if sum(map(len, self._new)) > self.wanted:
            self._merge_new()

    def _merge_new(self) -> None:
        seen = pd.concat([self._seen, *self._new]).sort_values()
        self._seen = seen[~seen.index.duplicated()].iloc[-self.wanted :]
        self._new = []

    def is_certain(self, *, before: int) -> bool:
        """Whether no row predicted before that time (UTC milliseconds) can be one of them."""
        self._merge_new()
        return len(self._seen) == self.wanted and int(self._seen.iloc[0]) >= before

    def find_start(self) -> int | None:
        """Time of the earliest of them; None without any."""
        self._merge_new()
        return int(self._seen.iloc[0]) if len(self._seen) else None
