"""Read the rows of a window, per model version."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from adapters.s3 import Listed
from domain import times
from domain.contract.feature import Feature
from domain.drift.window import MAXIMUM_DAYS, LastRows, Window
from domain.errors import BadBundle
from tabular import rows
from tabular.log_objects import Damage, LogObjects, partitions
from tabular.models import Models
from tabular.sample import Sample

OBJECTS_PER_READ = 256
DELIVERY = timedelta(hours=1)
"""Firehose buffers for 15 minutes at most; what a day's partition holds is no later than this
after the day's end.
"""


@dataclass
class Contents:
    """What a window holds: a sample per version, and what could not be used."""

    samples: dict[str, Sample] = field(default_factory=dict)
    damage: Damage = field(default_factory=Damage)


def read_window(
    *, log: LogObjects, models: Models, start: int, end: int, sample_rows: int
) -> Contents:
    """Stream the partitions around ``[start, end)`` (UTC ms) once; memory is flat."""
    window = Window(times.from_millis(start), times.from_millis(end))
    contents = Contents()

    def features(version: str) -> tuple[Feature, ...] | None:
        if version not in models.versions:
            return None
        try:
            return models.bundle(version).contract.features
        except BadBundle:
            return None

    entries = log.listed(partitions(window.days()), since=start)
    for version, table in rows.usable(
        log.batches(entries, contents.damage),
        start=start,
        end=end,
        features=features,
        damage=contents.damage,
    ):
        contents.samples.setdefault(version, Sample(sample_rows)).add(table)
    return contents


def resolve(*, log: LogObjects, models: Models, wanted: Window | LastRows) -> tuple[int, int]:
    """The window in UTC milliseconds, half-open.

    For the last N rows it starts with the N-th latest prediction of known versions (those logged in
    the same millisecond included), or with the first when there are fewer; without any
    prediction it is the day before.
    """
    if isinstance(wanted, Window):
        return times.to_millis(wanted.start), times.to_millis(wanted.end)
    earliest = wanted.before - timedelta(days=MAXIMUM_DAYS - 2)
    latest = _Latest(wanted.rows)
    end = times.to_millis(wanted.before)
    for entries in _newest_first(log, wanted.before, latest):
        for _, table in rows.usable(
            log.batches(entries, Damage(), columns=frozenset(rows.OWN_COLUMNS), keep=True),
            start=times.to_millis(earliest),
            end=end,
            features=lambda version: () if version in models.versions else None,
            damage=Damage(),
        ):
            latest.add(table["prediction_id"].to_numpy(), table["predicted_at"].to_numpy())
    start = latest.start()
    return (end - times.DAY_MS if start is None else start), end


def _newest_first(log: LogObjects, before: datetime, latest: "_Latest") -> Iterator[list[Listed]]:
    """Objects in handfuls, those stored last first, until no other can hold one of the latest."""
    earliest = before.date() - timedelta(days=MAXIMUM_DAYS - 2)
    for day in log.days():
        if day < earliest or latest.is_certain(before=_end_of(day)):
            return
        if day > before.date() + times.DAY:
            continue
        entries = sorted(log.listed([day]), key=lambda entry: entry.modified, reverse=True)
        for first in range(0, len(entries), OBJECTS_PER_READ):
            handful = entries[first : first + OBJECTS_PER_READ]
            if latest.is_certain(before=times.to_millis(handful[0].modified) + times.CLOCK_SKEW_MS):
                break
            yield handful


def _end_of(day: date) -> int:
    """When the last row of a day's partition was predicted, at the latest (UTC ms)."""
    return times.to_millis(times.start_of(day) + times.DAY + DELIVERY)


class _Latest:
    """Times of the latest `wanted` predictions, each prediction by its earliest copy."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self._seen = pd.Series(dtype="int64")
        self._new: list[pd.Series[int]] = []

    def add(self, ids: npt.NDArray[np.object_], at: npt.NDArray[np.int64]) -> None:
        self._new.append(pd.Series(at, index=pd.util.hash_array(ids)))
        if sum(map(len, self._new)) > self.wanted:
            self._settle()

    def _settle(self) -> None:
        seen = pd.concat([self._seen, *self._new]).sort_values()
        self._seen = seen[~seen.index.duplicated()].iloc[-self.wanted :]
        self._new = []

    def is_certain(self, *, before: int) -> bool:
        """Whether no row predicted before that (UTC ms) can be one of them."""
        self._settle()
        return len(self._seen) == self.wanted and int(self._seen.iloc[0]) >= before

    def start(self) -> int | None:
        """Time of the earliest of them."""
        self._settle()
        return int(self._seen.iloc[0]) if len(self._seen) else None
