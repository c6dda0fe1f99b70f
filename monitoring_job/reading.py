"""Read the rows of a window, per model version."""

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from adapters.s3 import Bucket
from domain import keys, times
from domain.contract import Feature
from domain.errors import BadBundle
from domain.window import MAXIMUM_DAYS, LastRows, Window
from monitoring_job import log_objects, rows
from monitoring_job.log_objects import Damage
from monitoring_job.models import Models
from monitoring_job.sample import Sample

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
    *, bucket: Bucket, models: Models, start: int, end: int, sample_rows: int
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

    batches = log_objects.batches(bucket, log_objects.partitions(window.days()), contents.damage)
    for version, table in rows.usable(
        batches, start=start, end=end, features=features, damage=contents.damage
    ):
        contents.samples.setdefault(version, Sample(sample_rows)).add(table)
    return contents


def resolve(*, bucket: Bucket, models: Models, wanted: Window | LastRows) -> tuple[int, int]:
    """The window in UTC milliseconds, half-open.

    For the last N rows it starts with the N-th latest prediction of known versions (those logged in
    the same millisecond included), or with the first when there are fewer; without any
    prediction it is the day before.
    """
    if isinstance(wanted, Window):
        return times.to_millis(wanted.start), times.to_millis(wanted.end)
    end = times.to_millis(wanted.before)
    earliest = wanted.before - timedelta(days=MAXIMUM_DAYS - 2)
    latest = _Latest(wanted.rows)
    for day in _logged_days(bucket, before=wanted.before.date() + times.DAY):
        if day < earliest.date() or latest.is_certain(day):
            break
        batches = log_objects.batches(bucket, [day], Damage(), columns=frozenset(rows.OWN_COLUMNS))
        for _, table in rows.usable(
            batches,
            start=times.to_millis(earliest),
            end=end,
            features=lambda version: () if version in models.versions else None,
            damage=Damage(),
        ):
            latest.add(table["prediction_id"].to_numpy(), table["predicted_at"].to_numpy())
    start = latest.start()
    return (end - 86_400_000 if start is None else start), end


def _logged_days(bucket: Bucket, *, before: date) -> list[date]:
    """Days with a partition in the log or its fallback, the latest first."""
    folders = [*bucket.folders("log/"), *bucket.folders(f"{keys.FALLBACK}log/")]
    days = set()
    for folder in folders:
        try:
            days.add(date.fromisoformat(folder.rstrip("/").rpartition("dt=")[2]))
        except ValueError:
            continue  # not a partition
    return sorted((day for day in days if day <= before), reverse=True)


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

    def is_certain(self, day: date) -> bool:
        """Whether no partition from `day` back can hold one of them."""
        self._settle()
        limit = times.to_millis(times.start_of(day) + times.DAY + DELIVERY)
        return len(self._seen) == self.wanted and int(self._seen.iloc[0]) >= limit

    def start(self) -> int | None:
        """Time of the earliest of them."""
        self._settle()
        return int(self._seen.iloc[0]) if len(self._seen) else None
