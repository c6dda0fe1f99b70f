"""Prepare: raw files → validated, de-duplicated, hash-split Parquet; bad rows to quarantine."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adapters.s3 import Bucket
from domain import keys
from domain.contract import Contract
from training_job import dataset, hashing, reading, tables
from training_job.errors import BadData
from training_job.profile import compare, profile
from training_job.quarantine import Quarantine
from training_job.validation import Columns, check, target_feature

NAMED = 20
"""So many ignored files are named in the log; the manifest names all."""


@dataclass(slots=True)
class Collected:
    """What the raw files held, column by column."""

    parts: list[Columns] = field(default_factory=list)
    quarantine: Quarantine = field(default_factory=Quarantine)
    ignored: list[str] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    extra: dict[str, list[str]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows read, good and bad."""
        return sum(self.files.values())

    def columns(self) -> Columns:
        """All valid rows; empties the parts, so that memory holds the rows about once."""
        names = list(self.parts[0])
        return {name: np.concatenate([part.pop(name) for part in self.parts]) for name in names}


def prepare(
    *,
    contract: Contract,
    bucket: Bucket,
    raw_prefix: str,
    salt: str,
    bad_row_share: float,
    execution: str,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Make a dataset of everything under `raw_prefix`; returns its id and counts.

    The same rows give the same dataset, in any order and split over any files. Raises BadData; when
    too many rows are bad they are all listed under the execution's name.
    """
    collected = _collect(contract=contract, bucket=bucket, raw_prefix=raw_prefix, say=say)
    _refuse_bad_rows(collected, bad_row_share, bucket, keys.refused_rows(execution))
    columns = collected.columns()
    features = hashing.feature_hashes(columns, contract)
    hashes = hashing.row_hashes(features, columns[contract.target])
    kept = _sorted_unique(hashes)
    duplicates = len(hashes) - len(kept)
    columns = {name: columns.pop(name)[kept] for name in list(columns)}
    side = hashing.sides(features[kept], salt)
    dataset_id = hashing.dataset_id(hashes[kept], contract.version, salt)
    counts = _counts(columns[contract.target], side)
    manifest = {
        "dataset_id": dataset_id,
        "contract_version": contract.version,
        "target": contract.target,
        "salt": salt,
        "files": collected.files,
        "ignored_files": collected.ignored,
        "extra_columns": collected.extra,
        "rows_read": collected.rows,
        "rows_quarantined": len(collected.quarantine),
        "top_reasons": collected.quarantine.top_reasons(),
        "duplicates_removed": duplicates,
        "splits": counts,
        "columns": profile(columns, contract),
    }
    previous = _previous(bucket, dataset_id)
    if previous is not None:
        manifest["previous"] = compare(previous, manifest, columns, contract)
    say(
        f"{collected.rows:,} rows read, {len(collected.quarantine):,} in quarantine, "
        f"{duplicates:,} duplicates removed; dataset {dataset_id}"
    )
    for name in keys.SPLITS:
        rows = side == name
        part = dataset.to_table({n: values[rows] for n, values in columns.items()}, contract)
        tables.store(part, bucket, keys.dataset(dataset_id, name))
    bad = collected.quarantine.table()
    tables.store(bad, bucket, keys.dataset(dataset_id, keys.QUARANTINE))
    document = json.dumps(manifest, indent=2, sort_keys=True).encode()
    bucket.put(keys.manifest(dataset_id), document, content_type="application/json")
    return {
        "dataset_id": dataset_id,
        "rows": {name: counts[name]["rows"] for name in keys.SPLITS},
        "rows_read": collected.rows,
        "rows_quarantined": len(collected.quarantine),
        "duplicates_removed": duplicates,
    }


def _collect(
    *, contract: Contract, bucket: Bucket, raw_prefix: str, say: Callable[[str], None]
) -> Collected:
    listed, ignored = tables.find(bucket, raw_prefix)
    if not listed:
        raise BadData(
            f"There is no {', '.join(keys.FORMATS)} file under {raw_prefix}; upload one first."
        )
    names = [*(feature.name for feature in contract.features), target_feature(contract).name]
    collected = Collected(ignored=ignored)
    if ignored:
        say(f"ignored, being none of {', '.join(keys.FORMATS)}: {', '.join(ignored[:NAMED])}")
    for entry in listed:
        with tables.fetched(bucket, entry.key) as path:
            extra = reading.extra_columns(path, entry.key, names)
            _collect_file(collected, path, entry.key, contract, names)
        collected.extra[entry.key] = extra
        say(
            f"read {entry.key}: {collected.files[entry.key]:,} rows"
            + (f", further columns ignored: {', '.join(extra)}" if extra else "")
        )
    if not collected.rows:
        raise BadData(f"No file under {raw_prefix} holds any row: {', '.join(collected.files)}.")
    return collected


def _collect_file(
    collected: Collected, path: Path, key: str, contract: Contract, names: list[str]
) -> None:
    rows = 0
    for batch in reading.read(path, key, names):
        checked = check(batch.table, contract)
        collected.parts.append(checked.columns)
        collected.quarantine.add_batch(key, batch, checked)
        rows += batch.table.num_rows + len(batch.malformed)
    collected.files[key] = rows


def _refuse_bad_rows(collected: Collected, bad_row_share: float, bucket: Bucket, key: str) -> None:
    bad, rows = len(collected.quarantine), collected.rows
    if bad <= bad_row_share * rows and bad < rows:
        return
    tables.store(collected.quarantine.table(), bucket, key)
    top = collected.quarantine.top_reasons()
    reasons = ". ".join(f"{found['rows']:,} rows: {found['reason']}" for found in top)
    raise BadData(
        f"{bad:,} of {rows:,} rows break the contract, more than the allowed share of "
        f"{bad_row_share:.1%}. {reasons}. Each of them is listed in {bucket.uri(key)}."
    )


def _sorted_unique(hashes: hashing.Hashes) -> npt.NDArray[np.intp]:
    """Positions of the first of each distinct hash, in the order of hashes."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    first = np.empty(len(order), dtype=bool)
    first[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return order[first]


def _counts(
    labels: npt.NDArray[np.generic], side: npt.NDArray[np.str_]
) -> dict[str, dict[str, int]]:
    """Rows and positives per side; raises BadData when a side lacks a class."""
    if len(np.unique(labels)) < 2:
        raise BadData("All rows have the same label: a classifier needs both classes.")
    counts = {
        name: {"rows": int((side == name).sum()), "positives": int(labels[side == name].sum())}
        for name in keys.SPLITS
    }
    for name, count in counts.items():
        if not 0 < count["positives"] < count["rows"]:
            raise BadData(f"The {name} side lacks one of the classes: more rows are needed.")
    return counts


def _previous(bucket: Bucket, dataset_id: str) -> dict[str, Any] | None:
    """The manifest of the dataset that was made last before this one, if any can be read."""
    made = sorted(
        (entry.modified, entry.key)
        for entry in bucket.list(keys.DATASETS)
        if entry.key == keys.manifest(entry.key.split("/")[1]) != keys.manifest(dataset_id)
    )
    for _, key in reversed(made):
        stored = bucket.get(key)
        with contextlib.suppress(ValueError):
            manifest: dict[str, Any] = json.loads(stored.data if stored else b"")
            return manifest
    return None
