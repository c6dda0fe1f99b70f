"""Prepare: raw files → validated, de-duplicated, hash-split Parquet; bad rows to quarantine."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from training_job.dataset import dataset, hashing, tables
from training_job.dataset.profile import Profile, compare, profile
from training_job.dataset.raw_files import collect, refuse_bad_rows
from training_job.dataset.validation import Columns
from training_job.errors import BadData


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
    collected = collect(contract=contract, bucket=bucket, raw_prefix=raw_prefix, say=say)
    refuse_bad_rows(collected, bad_row_share, bucket, keys.refused_rows(execution))
    columns = collected.columns()
    features = hashing.feature_hashes(columns, contract)
    hashes = hashing.row_hashes(features, columns[contract.target])
    kept = _sorted_unique(hashes)
    duplicates = len(hashes) - len(kept)
    columns = {name: columns.pop(name)[kept] for name in list(columns)}
    side = hashing.sides(features[kept], salt)
    dataset_id = hashing.dataset_id(hashes[kept], contract.version, salt)
    counts = _counts(columns[contract.target], side)
    manifest: dict[str, Any] = {
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
    manifest |= _compared(bucket, manifest, columns, contract)
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
