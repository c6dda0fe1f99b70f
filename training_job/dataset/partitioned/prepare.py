"""Prepare on a cluster: the same dataset as on one machine, whatever the files and the workers.

Workers read and check a file each. Dask's shuffle brings rows of one id, and then of one range of
hashes, together; each range is told apart, split and stored by the functions of one machine. The
step itself holds counts, the quarantine, and 8 bytes of one range's rows at a time. For a split by
time it holds 24 bytes of each person, or 16 of each different time.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np
from dask.delayed import Delayed, delayed
from distributed import Future

from adapters.s3 import Bucket, Listed
from domain import keys
from domain.contract.contract import Contract
from domain.model.left_out import LeftOut
from domain.training.steps import Prepared
from domain.typed_json import Json
from training_job.cluster.cluster import Cluster
from training_job.dataset import hashing, production_rows, repeats, tables
from training_job.dataset.manifest import Uploaded, count_sides, finish, make_notes
from training_job.dataset.partitioned.profile import PartedProfiles
from training_job.dataset.partitioned.ranges import (
    Range,
    RangeCounts,
    Rules,
    observe,
    settle_ids,
    sort_conflicts,
    split_range,
    store_range,
)
from training_job.dataset.partitioned.reading import (
    PLACE_BITS,
    FileReport,
    OpenBucket,
    make_empty,
    read_file,
)
from training_job.dataset.partitioned.shuffle import divide
from training_job.dataset.production_rows import Mask, ProductionRows, Source
from training_job.dataset.raw_files import (
    Collected,
    describe_copy,
    list_raw,
    refuse_bad_rows,
    refuse_files,
)
from training_job.dataset.repeats import Overlaps
from training_job.dataset.row_weights import WeightSums
from training_job.dataset.time_split import Observed
from training_job.dataset.validation import Columns

RANGE_BYTES = 64 * 1024 * 1024
"""So many bytes of raw files become one range of rows, if there are more ranges than workers."""


def prepare(
    *,
    cluster: Cluster,
    open_bucket: OpenBucket,
    contract: Contract,
    bucket: Bucket,
    raw_prefix: str,
    salt: str,
    bad_row_share: float,
    execution: str,
    say: Callable[[str], None],
    source: Source | None = None,
    ranges: int = 0,
) -> Prepared:
    """See `training_job.dataset.prepare`; `ranges`: how many, 0 for what suits the files."""
    listed, ignored = list_raw(bucket, raw_prefix, say)
    ranges = ranges or choose_ranges(listed, cluster.workers)
    say(f"{len(listed)} files in {ranges} ranges of rows on {cluster.workers} workers")
    row_id = contract.context_column("row_id")
    empty = make_empty(contract)
    read = _read(open_bucket, listed, contract)
    divided = divide([delayed(itemgetter(0))(one) for one in read], empty, ranges)
    reports = [delayed(itemgetter(1))(one) for one in read]
    started = cluster.compute([*divided, *reports])
    frames, told = started[: len(divided)], started[len(divided) :]
    gathered = _Gathered(Collected(ignored=ignored), contract, say)
    gathered.add(listed, list(cluster.results(told)))
    collected = gathered.collected
    refuse_files(collected, gathered.refusals, raw_prefix, contract)
    refused = keys.refused_rows(execution)
    refuse_bad_rows(collected, bad_row_share, bucket, refused)
    cluster.wait(frames)
    rules = gathered.rules(salt)
    repeated = 0
    if row_id is not None:
        settled = cluster.map(settle_ids, frames, rules=rules)
        found = list(cluster.results(cluster.map(itemgetter(1), settled)))
        repeated = sum(one.repeated for one in found)
        gathered.quarantine(*sort_conflicts(found))
        refuse_bad_rows(collected, bad_row_share, bucket, refused)
        kept = [delayed(itemgetter(0))(one) for one in settled]
        frames = cluster.compute(divide(kept, empty, ranges))
        cluster.wait(frames)
        del settled
    if time := contract.training_columns.time:
        parts = list(cluster.results(cluster.map(observe, frames, rules=rules)))
        rules = replace(rules, cut=Observed.merge(parts).cut(time))
    split = cluster.map(split_range, frames, rules=rules)
    rows = cluster.map(itemgetter(0), split)
    counts = list(cluster.results(cluster.map(itemgetter(1), split)))
    del frames, split
    weighed = [one.weights for one in counts if one.weights is not None]
    sums = WeightSums.merge(weighed) if weighed else None
    where = _Ranges(cluster, rows, contract, sums.mean if sums else 1.0)
    uploaded = Uploaded(
        dataset_id=where.name(salt),
        test_rows_id=hashing.name_parts(where.fetch("tested"), contract.version, salt),
        counts=count_sides(
            *np.array([[one.rows, one.positives] for one in counts], np.int64).sum(axis=0).tolist()
        ),
        left_out=gathered.left_out(counts, rules, repeated),
        notes=make_notes(contract, rules.cut, collected.times, sums),
    )
    loaded = None
    if source is not None:
        loaded = production_rows.load(
            source,
            contract,
            salt=salt,
            bad_row_share=bad_row_share,
            quarantine=collected.quarantine,
            find_sides=where.find_people if contract.context_column("subject") else None,
        )
    added = loaded if isinstance(loaded, ProductionRows) else None

    def measure(function: Callable[[Columns], Any]) -> list[Any]:
        answers = list(cluster.results(where.measure(function)))
        return answers if added is None else [*answers, function(added.columns)]

    return finish(
        contract=contract,
        bucket=bucket,
        salt=salt,
        collected=collected,
        uploaded=uploaded,
        loaded=loaded,
        profiles=PartedProfiles(contract, measure),
        store=partial(where.store, open_bucket, bucket, added),
        say=say,
    )


def choose_ranges(listed: Sequence[Listed], workers: int) -> int:
    """At least one range per worker."""
    return max(workers, -(-sum(entry.size for entry in listed) // RANGE_BYTES), 1)


def _read(open_bucket: OpenBucket, listed: Sequence[Listed], contract: Contract) -> list[Delayed]:
    sizes = Counter(entry.size for entry in listed)
    read = delayed(read_file, pure=False)
    return [
        read(open_bucket, entry.key, index, contract, has_twin=sizes[entry.size] > 1)
        for index, entry in enumerate(listed)
    ]


@dataclass(slots=True)
class _Gathered:
    """What the workers tell about the files."""

    collected: Collected
    contract: Contract
    say: Callable[[str], None]
    refusals: list[str] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    files: dict[int, FileReport] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)

    def add(self, listed: Sequence[Listed], reports: Sequence[FileReport]) -> None:
        """Take the reports in the order of the files, as one machine reads them."""
        self.keys = [entry.key for entry in listed]
        first: dict[bytes, int] = {}
        for index, report in enumerate(reports):
            original = first.setdefault(report.digest, index) if report.digest else index
            if original in self.files and original != index:
                surprise = self.files[original].surprise
                if repeats.is_surprising(surprise, len(listed)):
                    self.collected.copies[self.keys[index]] = self.keys[original]
                    self.say(describe_copy(self.keys[index], self.keys[original]))
                    self.skipped.append(index)
                    continue
            if report.file is None:
                self.refusals.append(report.refusal)
                continue
            self.files[index] = report
            self.collected.add(report.file)
            self.say(report.file.describe())

    def rules(self, salt: str) -> Rules:
        """What the ranges must know."""
        filled = {name for report in self.files.values() for name in report.filled}
        grouping = [f.name for f in self.contract.segment_context if f.name in filled]
        files = [index for index, report in self.files.items() if report.rows]
        return Rules(self.contract, salt, tuple(grouping), tuple(self.skipped), tuple(files))

    def quarantine(self, places: hashing.Hashes, subjects: hashing.Hashes | None) -> None:
        """Put rows of one id and different values into the quarantine."""
        reason = f"{self.contract.context_column('row_id')} is that of a row with other values"
        for index in np.unique(places >> PLACE_BITS).tolist():
            here = places >> PLACE_BITS == index
            numbers = places[here] & ((1 << PLACE_BITS) - 1)
            people = None if subjects is None else subjects[here]
            why = np.zeros(len(numbers), np.intp)
            self.collected.quarantine.add(self.keys[index], numbers, [reason], why, people)

    def left_out(self, counts: Sequence[RangeCounts], rules: Rules, repeated: int) -> LeftOut:
        """Counts of what is not in the dataset, and of what is in it twice."""
        overlaps = Overlaps(len(rules.files))
        for one in counts:
            overlaps.merge(one.overlaps)
        labelled, positives = self.collected.labels_left_out.tolist()
        rows = sum(report.rows for report in self.files.values())
        positive = sum(report.positives for report in self.files.values())
        kept = sum(sum(one.rows) for one in counts)
        return LeftOut(
            rows_read=self.collected.rows,
            rows_quarantined=len(self.collected.quarantine),
            rows_repeated=repeated,
            reasons=self.collected.quarantine.reasons(),
            copies=self.collected.copies,
            repeats=tuple(overlaps.find_repeats([self.keys[index] for index in rules.files])),
            prevalence_read=(positive + positives) / max(rows + labelled, 1),
            prevalence_kept=sum(sum(one.positives) for one in counts) / max(kept, 1),
        )


@dataclass(frozen=True, slots=True)
class _Ranges:
    """The rows of the dataset, which stay on the workers."""

    cluster: Cluster
    futures: Sequence[Future[Any]]
    contract: Contract
    mean_weight: float

    def fetch(self, name: str) -> "Any":
        """An attribute of each range in turn."""
        return self.cluster.results(self.cluster.map(attrgetter(name), self.futures))

    def name(self, salt: str) -> str:
        """The id of the dataset without production rows."""
        has_context = any(self.cluster.results(self.cluster.map(_has_context, self.futures)))
        contexts = self.fetch("context") if has_context else ()
        return hashing.name_parts(self.fetch("hashes"), self.contract.version, salt, contexts)

    def find_people(self, subjects: hashing.Hashes) -> tuple[Mask, Mask]:
        """See `production_rows.FindSides`."""
        answers = self.cluster.map(_find_people, self.futures, subjects=subjects)
        trained, tested = np.zeros((2, len(subjects)), bool)
        for learned, held_out in self.cluster.results(answers):
            trained |= learned
            tested |= held_out
        return trained, tested

    def measure(self, function: Callable[[Columns], Any]) -> list[Future[Any]]:
        """Apply a function to the columns of each range."""
        return self.cluster.map(_measure, self.futures, work=function)

    def store(
        self, open_bucket: OpenBucket, bucket: Bucket, added: ProductionRows | None, dataset_id: str
    ) -> Mapping[str, Json]:
        """Write all sides; returns the manifest's ``parts``: side → part → rows."""
        production = {
            side: added.table(side, self.contract)
            for side in keys.SPLITS
            if added is not None and added.on_side(side).any()
        }
        futures = self.cluster.map(
            store_range,
            self.futures,
            range(len(self.futures)),
            ranges=len(self.futures),
            dataset_id=dataset_id,
            contract=self.contract,
            extra={side: table.slice(0, 0) for side, table in production.items()},
            mean_weight=self.mean_weight,
            open_bucket=open_bucket,
        )
        parts: dict[str, dict[str, Json]] = {side: {} for side in keys.SPLITS}
        for stored in self.cluster.results(futures):
            for side, found in stored.items():
                parts[side] |= found
        for side, table in production.items():
            part = f"{side}-production"
            tables.store(table, bucket, keys.dataset(dataset_id, part))
            parts[side][part] = table.num_rows
        if added is not None:
            recent = added.table(keys.RECENT, self.contract)
            tables.store(recent, bucket, keys.dataset(dataset_id, keys.RECENT))
        return {"parts": {**parts}}


def _has_context(rows: Range) -> bool:
    return rows.context is not None


def _find_people(rows: Range, *, subjects: hashing.Hashes) -> tuple[Mask, Mask]:
    return rows.find_people(subjects)


def _measure(rows: Range, *, work: Callable[[Columns], Any]) -> Any:
    return work(rows.columns)
