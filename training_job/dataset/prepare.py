"""Prepare: raw files → validated, hash-split Parquet; bad rows to quarantine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.model.left_out import LeftOut, RepeatedFile
from domain.training.steps import Prepared
from domain.typed_json import Json
from training_job.dataset import dataset, hashing, production_rows, tables
from training_job.dataset.hashing import Sides
from training_job.dataset.identity import Identified, identify
from training_job.dataset.manifest import Counts, Uploaded, count_sides, finish, make_notes
from training_job.dataset.production_rows import ProductionRows, Source, UploadedPeople
from training_job.dataset.profile import (
    Profile,
    compare,
    count_values,
    find_previous_edges,
    profile,
)
from training_job.dataset.raw_files import Collected, collect, refuse_bad_rows
from training_job.dataset.repeats import Overlaps
from training_job.dataset.row_weights import WeightSums
from training_job.dataset.validation import Columns, has_values, hash_subjects

Labels = npt.NDArray[np.generic]


def prepare(
    *,
    contract: Contract,
    bucket: Bucket,
    raw_prefix: str,
    salt: str,
    bad_row_share: float,
    execution: str,
    say: Callable[[str], None],
    source: Source | None = None,
) -> Prepared:
    """Make a dataset of everything under `raw_prefix`; returns its id and counts.

    `source`: of labelled production rows, which join the uploaded ones.

    The same rows give the same dataset, in any order and split over any files; equal rows count as
    often as they are there. Raises BadData; when too many rows are bad they are all listed under
    the execution's name.
    """
    collected = collect(contract=contract, bucket=bucket, raw_prefix=raw_prefix, say=say)
    refused = keys.refused_rows(execution)
    refuse_bad_rows(collected, bad_row_share, bucket, refused)
    columns = _drop_absent_context(collected.columns(), contract)
    found = identify(columns, contract, salt)
    if len(found.conflicting):
        reason = f"{contract.context_column('row_id')} is that of a row with other values"
        people = hash_subjects(columns, contract)
        collected.quarantine_positions(found.conflicting, reason, people)
        refuse_bad_rows(collected, bad_row_share, bucket, refused)
    weights, sums = None, None
    if name := contract.training_columns.weight:
        raw = columns[name][found.order].astype(np.float64, copy=False)
        sums = WeightSums.of(raw)
        weights = raw / sums.mean
    uploaded = Uploaded(
        dataset_id=hashing.dataset_id(found.hashes, contract.version, salt, found.context),
        test_rows_id=_name_test_rows(found, contract, salt),
        counts=_count(columns[contract.target][found.order], found.sides),
        left_out=_left_out(collected, columns[contract.target], found, contract),
        notes=make_notes(contract, found.cut, collected.times, sums),
    )
    grouping = [f.name for f in contract.segment_context if f.name in columns]
    names = [*(feature.name for feature in contract.features), contract.target, *grouping]
    people = hash_subjects(columns, contract)
    subjects = None if people is None else people[found.order]
    columns = {name: columns.pop(name)[found.order] for name in names}
    sides = found.sides
    del found  # 16 bytes of each row
    loaded = None
    if source is not None:
        loaded = production_rows.load(
            source,
            contract,
            salt=salt,
            bad_row_share=bad_row_share,
            quarantine=collected.quarantine,
            find_sides=None if subjects is None else UploadedPeople(subjects, sides).find,
        )
    added = loaded if isinstance(loaded, ProductionRows) else None
    everything = columns if added is None else _join(columns, added.columns)

    def store(dataset_id: str) -> dict[str, Json]:
        for index, name in enumerate(keys.SPLITS):
            rows = sides == index
            part = dataset.to_table(
                {n: values[rows] for n, values in columns.items()},
                contract,
                None if subjects is None else subjects[rows],
                None if weights is None else weights[rows],
            )
            if added is not None and added.on_side(name).any():
                part = production_rows.append(part, added.table(name, contract))
            tables.store(part, bucket, keys.dataset(dataset_id, name))
        if added is not None:
            recent = added.table(keys.RECENT, contract)
            tables.store(recent, bucket, keys.dataset(dataset_id, keys.RECENT))
        return {}

    return finish(
        contract=contract,
        bucket=bucket,
        salt=salt,
        collected=collected,
        uploaded=uploaded,
        loaded=loaded,
        profiles=_ColumnProfiles(everything, contract),
        store=store,
        say=say,
    )


@dataclass(frozen=True, slots=True)
class _ColumnProfiles:
    columns: Columns
    contract: Contract

    def profile(self) -> dict[str, Profile]:
        return profile(self.columns, self.contract)

    def compare(self, previous: Mapping[str, Any], manifest: Mapping[str, Any]) -> Profile:
        edges = find_previous_edges(previous, self.contract)
        counted = {
            f.name: count_values(self.columns[f.name], f, edges.get(f.name, ()))
            for f in self.contract.features
        }
        return compare(previous, manifest, counted, self.contract)


def _join(columns: Columns, others: Columns) -> Columns:
    """The columns that uploaded rows have, with the values of both."""
    return {name: np.concatenate([values, others[name]]) for name, values in columns.items()}


def _name_test_rows(found: Identified, contract: Contract, salt: str) -> str:
    """A name for the uploaded test rows, which datasets of other training rows may share."""
    tested = found.sides == keys.SPLITS.index("test")
    return hashing.dataset_id(found.hashes[tested], contract.version, salt)


def _drop_absent_context(columns: Columns, contract: Contract) -> Columns:
    """The columns without those of context that no file has."""
    empty = {f.name for f in contract.segment_context if not has_values(columns[f.name], f)}
    return {name: values for name, values in columns.items() if name not in empty}


def _left_out(
    collected: Collected, labels: Labels, found: Identified, contract: Contract
) -> LeftOut:
    """Counts of what is not in the dataset, and of what is in it twice."""
    files, ends = collected.origin()
    repeats: list[RepeatedFile] = []
    if len(files) > 1 and contract.context_column("row_id") is None:
        overlaps = Overlaps(len(files))
        overlaps.add(found.hashes, np.searchsorted(ends, found.order, side="right"))
        repeats = overlaps.find_repeats(files)
    labelled, positives = collected.labels_left_out.tolist()
    kept = labels[found.order]
    return LeftOut(
        rows_read=collected.rows,
        rows_quarantined=len(collected.quarantine),
        rows_repeated=found.repeated,
        reasons=collected.quarantine.reasons(),
        copies=collected.copies,
        repeats=tuple(repeats),
        prevalence_read=(int(labels.sum()) + positives) / max(len(labels) + labelled, 1),
        prevalence_kept=int(kept.sum()) / max(len(kept), 1),
    )


def _count(labels: Labels, sides: Sides) -> Counts:
    """Rows and positives per side; raises BadData when a side lacks a class."""
    rows = np.bincount(sides, minlength=len(keys.SPLITS))
    positives = np.bincount(sides[labels == 1], minlength=len(keys.SPLITS))
    return count_sides(rows, positives)
