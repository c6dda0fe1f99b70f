"""Prepare on a cluster: the same dataset as on one machine, whatever the files and the workers.

Workers read and check some files at a time by the functions of one machine, and cut the rows by
ranges of their hashes (first of their ids, where the contract has a row id). The pieces of a range
are joined on one worker, where the functions of one machine tell rows apart, split and store them.
The step itself holds counts, the quarantine, and 8 bytes of one range's rows at a time. For a
split by time it holds 24 bytes of each person, or 16 of each different time.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np
from distributed import Future

from adapters.s3 import Bucket, Listed, OpenBucket
from domain import keys
from domain.contract.contract import Contract
from domain.model.left_out import LeftOut
from domain.plural import write_count
from domain.training.steps import Prepared
from domain.typed_json import Json
from training_job.cluster.cluster import Cluster
from training_job.dataset import hashing, production_rows, repeats, tables
from training_job.dataset.manifest import Uploaded, count_sides, finish, make_notes
from training_job.dataset.partitioned.profile import PartedProfiles
from training_job.dataset.partitioned.ranges import (
    Conflicts,
    Range,
    RangeCounts,
    Rules,
    observe,
    settle_ids,
    split_range,
    store_range,
)
from training_job.dataset.partitioned.reading import (
    MAXIMUM_RANGES,
    RANGE_BYTES,
    FileReport,
    choose_size,
    group_files,
    read_files,
)
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
    files, workers = write_count(len(listed), "file"), write_count(cluster.workers, "worker")
    say(f"{files} in {write_count(ranges, 'range')} of rows on {workers}")
    groups = list(group_files(listed, choose_size(listed, cluster.workers)))
    read = cluster.map(partial(read_files, open_bucket), groups, contract=contract, ranges=ranges)
    pieces = _exchange(cluster, read, ranges)
    reports = cluster.map(itemgetter(1), read)
    del read
    gathered = _Gathered(Collected(ignored=ignored), contract, say)
    gathered.add(listed, list(itertools.chain(*cluster.results(reports))))
    collected = gathered.collected
    refuse_files(collected, gathered.refusals, raw_prefix, contract)
    refused = keys.refused_rows(execution)
    refuse_bad_rows(collected, bad_row_share, bucket, refused)
    rules = gathered.rules(salt)
    repeated = 0
    if contract.context_column("row_id") is not None:
        settled = cluster.spread(partial(settle_ids, rules=rules, ranges=ranges), pieces)
        found = list(cluster.results(cluster.map(itemgetter(1), settled)))
        repeated = sum(one.repeated for one in found)
        gathered.quarantine(found)
        refuse_bad_rows(collected, bad_row_share, bucket, refused)
        pieces = _exchange(cluster, settled, ranges)
        del settled
    if time := contract.training_columns.time:
        observed = cluster.results(cluster.spread(partial(observe, rules=rules), pieces))
        rules = replace(rules, cut=Observed.merge(list(observed)).cut(time))
    split = cluster.spread(partial(split_range, rules=rules), pieces)
    del pieces
    rows = cluster.map(itemgetter(0), split)
    counts = list(cluster.results(cluster.map(itemgetter(1), split)))
    del split
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
    wanted = -(-sum(entry.size for entry in listed) // RANGE_BYTES)
    return max(workers, min(wanted, MAXIMUM_RANGES), 1)


def _exchange(cluster: Cluster, cut: Sequence[Future[Any]], ranges: int) -> list[list[Future[Any]]]:
    """For each range its pieces, in the order of what was cut; each is fetched by itself."""
    found = cluster.map(
        _pick, [*cut] * ranges, [index for index in range(ranges) for _ in range(len(cut))]
    )
    return [found[start : start + len(cut)] for start in range(0, len(found), len(cut))]


def _pick(cut: tuple[Sequence[Any], Any], index: int) -> Any:
    return cut[0][index]


@dataclass(slots=True)
class _Gathered:
    """What the workers report about the files, in the files' order."""

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
        """What the workers must know before they join ranges."""
        filled = {name for report in self.files.values() for name in report.filled}
        grouping = [f.name for f in self.contract.segment_context if f.name in filled]
        files = [index for index, report in self.files.items() if report.rows]
        return Rules(self.contract, salt, tuple(grouping), tuple(self.skipped), tuple(files))

    def quarantine(self, found: Sequence[Conflicts]) -> None:
        """Put rows of one id and different values into the quarantine, in the files' order."""
        reason = f"{self.contract.context_column('row_id')} is that of a row with other values"
        files, numbers = (
            np.concatenate([getattr(one, name) for one in found]) for name in ("files", "numbers")
        )
        subjects = [one.subjects for one in found if one.subjects is not None]
        people = np.concatenate(subjects) if subjects else None
        order = np.lexsort((numbers, files))
        for index in np.unique(files).tolist():
            here = order[files[order] == index]
            why = np.zeros(len(here), np.intp)
            of_people = None if people is None else people[here]
            self.collected.quarantine.add(self.keys[index], numbers[here], [reason], why, of_people)

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
