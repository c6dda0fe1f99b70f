"""Prepare: raw files → validated, hash-split Parquet; bad rows to quarantine."""

import contextlib
import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.contract.feature import Feature
from domain.contract.file_values import MISSING
from domain.contract.records import SAMPLING_WEIGHT
from domain.model.left_out import LeftOut, RepeatedFile
from domain.model.production import Production
from domain.training.steps import Prepared
from domain.typed_json import encode
from training_job.dataset import dataset, hashing, production_rows, tables
from training_job.dataset.hashing import Sides
from training_job.dataset.identity import Identified, identify
from training_job.dataset.production_rows import ProductionRows, Source
from training_job.dataset.profile import Profile, compare, profile
from training_job.dataset.raw_files import Collected, collect, refuse_bad_rows
from training_job.dataset.repeats import find_repeats
from training_job.dataset.validation import Columns, hash_subjects
from training_job.errors import BadData
from training_job.model import masking

Labels = npt.NDArray[np.generic]
ROOM = 700
"""Characters of what was left out that are handed from state to state."""


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
    left_out = _left_out(collected, columns[contract.target], found, contract)
    grouping = [f.name for f in contract.segment_context if f.name in columns]
    names = [*(feature.name for feature in contract.features), contract.target, *grouping]
    people = hash_subjects(columns, contract)
    subjects = None if people is None else people[found.order]
    columns = {name: columns.pop(name)[found.order] for name in names}
    dataset_id = hashing.dataset_id(found.hashes, contract.version, salt, found.context)
    counts = _counts(columns[contract.target], found.sides)
    loaded = None
    if source is not None:
        loaded = production_rows.load(
            source,
            contract,
            salt=salt,
            bad_row_share=bad_row_share,
            quarantine=collected.quarantine,
            uploaded_people=subjects,
            uploaded_sides=found.sides,
        )
    added = loaded if isinstance(loaded, ProductionRows) else None
    everything = columns
    if added is not None:
        dataset_id = added.dataset_id(dataset_id)
        counts = _add_counts(counts, added, contract)
        everything = _join(columns, added.columns)
    production = added.production if added else loaded if isinstance(loaded, Production) else None
    manifest: dict[str, Any] = {
        "dataset_id": dataset_id,
        "contract_version": contract.version,
        "target": contract.target,
        "salt": salt,
        "files": collected.files,
        "ignored_files": collected.ignored,
        "extra_columns": collected.extra,
        "absent_columns": collected.absent,
        "left_out": encode(left_out),
        "splits": counts,
        "test_rows_id": _name_test_rows(found, contract, salt),
        "columns": profile(everything, contract),
    }
    if production is not None:
        manifest["production"] = encode(production)
    manifest |= _compared(bucket, manifest, everything, contract)
    say(f"{collected.rows:,} rows read, {len(found.order):,} in dataset {dataset_id}")
    notes = (*left_out.objections(), *left_out.notes(), *(production.notes() if production else ()))
    for sentence in notes:
        say(sentence)
    rare = [
        f.name for f in contract.features if f.nullable and _is_rarely_missing(manifest, f.name)
    ]
    if rare:
        say(
            f"{', '.join(rare)} may be missing but hardly ever is in these files: training blanks "
            f"{masking.SHARE:.0%} of the values at random, to learn what to answer without them"
        )
    for index, name in enumerate(keys.SPLITS):
        rows = found.sides == index
        part = dataset.to_table(
            {n: values[rows] for n, values in columns.items()},
            contract,
            None if subjects is None else subjects[rows],
        )
        tables.store(_append(part, added, name, contract), bucket, keys.dataset(dataset_id, name))
    if added is not None:
        recent = added.table(keys.RECENT, contract)
        tables.store(recent, bucket, keys.dataset(dataset_id, keys.RECENT))
    bad = collected.quarantine.table()
    tables.store(bad, bucket, keys.dataset(dataset_id, keys.QUARANTINE))
    document = json.dumps(manifest, indent=2, sort_keys=True).encode()
    bucket.put(keys.manifest(dataset_id), document, content_type="application/json")
    return Prepared(
        dataset_id=dataset_id,
        rows={name: count["rows"] for name, count in counts.items()},
        rows_read=collected.rows,
        rows_quarantined=left_out.rows_quarantined,
        rows_repeated=found.repeated,
        left_out=_shorten(notes),
    )


def _append(
    uploaded: pa.Table, added: ProductionRows | None, side: str, contract: Contract
) -> pa.Table:
    """The uploaded rows of one side, then the production rows, if it has any."""
    if added is None or not added.on_side(side).any():
        return uploaded
    weights = pa.array(np.ones(uploaded.num_rows))
    return pa.concat_tables(
        [uploaded.append_column(SAMPLING_WEIGHT, weights), added.table(side, contract)],
        promote_options="default",
    )


def _join(columns: Columns, others: Columns) -> Columns:
    """The columns that uploaded rows have, with the values of both."""
    return {name: np.concatenate([values, others[name]]) for name, values in columns.items()}


def _add_counts(
    counts: dict[str, dict[str, int]], added: ProductionRows, contract: Contract
) -> dict[str, dict[str, int]]:
    """Rows and positives per side with the production rows; their share of both beside them."""
    labels, found = added.columns[contract.target], dict(counts)
    for side in production_rows.SIDES:
        rows = added.on_side(side)
        own = {"rows": int(rows.sum()), "positives": int((labels[rows] == 1).sum())}
        base = counts.get(side, {"rows": 0, "positives": 0})
        found[side] = {name: base[name] + own[name] for name in own}
        found[side] |= {f"production_{name}": value for name, value in own.items()}
    return found


def _name_test_rows(found: Identified, contract: Contract, salt: str) -> str:
    """A name for the uploaded test rows, which datasets of other training rows may share."""
    tested = found.sides == keys.SPLITS.index("test")
    return hashing.dataset_id(found.hashes[tested], contract.version, salt)


def _drop_absent_context(columns: Columns, contract: Contract) -> Columns:
    """The columns without those of context that no file has."""
    empty = {f.name for f in contract.segment_context if not _has_values(columns[f.name], f)}
    return {name: values for name, values in columns.items() if name not in empty}


def _has_values(values: Labels, feature: Feature) -> bool:
    missing = np.isnan(values) if feature.kind == "number" else values == MISSING
    return not bool(np.all(missing))


def _is_rarely_missing(manifest: dict[str, Any], name: str) -> bool:
    return bool(manifest["columns"][name]["missing"] < masking.ENOUGH)


def _left_out(
    collected: Collected, labels: Labels, found: Identified, contract: Contract
) -> LeftOut:
    """Counts of what is not in the dataset, and of what is in it twice."""
    files, ends = collected.origin()
    repeats: list[RepeatedFile] = []
    if len(files) > 1 and contract.context_column("row_id") is None:
        repeats = find_repeats(found.hashes, found.order, ends, files)
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


def _shorten(sentences: Iterable[str]) -> tuple[str, ...]:
    """As many as the state has room for, the first one at least."""
    kept: list[str] = []
    for sentence in sentences:
        if kept and len(sentence) + sum(map(len, kept)) > ROOM:
            return (*kept, "There is more: the dataset's manifest has all.")
        kept.append(sentence[:ROOM])
    return tuple(kept)


def _counts(labels: Labels, sides: Sides) -> dict[str, dict[str, int]]:
    """Rows and positives per side; raises BadData when a side lacks a class."""
    if len(np.unique(labels)) < 2:
        raise BadData("All rows have the same label: a classifier needs both classes.")
    rows = np.bincount(sides, minlength=len(keys.SPLITS))
    positives = np.bincount(sides[labels == 1], minlength=len(keys.SPLITS))
    counts = {
        name: {"rows": int(rows[index]), "positives": int(positives[index])}
        for index, name in enumerate(keys.SPLITS)
    }
    for name, count in counts.items():
        if not 0 < count["positives"] < count["rows"]:
            raise BadData(f"The {name} side lacks one of the classes: more rows are needed.")
    return counts


def _compared(
    bucket: Bucket, manifest: dict[str, Any], columns: Columns, contract: Contract
) -> dict[str, Profile]:
    """``previous``: against the dataset made last before this one whose manifest can be read."""
    own = keys.manifest(manifest["dataset_id"])
    made = sorted(
        (entry.modified, entry.key)
        for entry in bucket.list(keys.DATASETS)
        if entry.key == keys.manifest(entry.key.split("/")[1]) != own
    )
    for _, key in reversed(made):
        stored = bucket.get(key)
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            earlier = json.loads(stored.data if stored else b"")
            return {"previous": compare(earlier, manifest, columns, contract)}
    return {}
