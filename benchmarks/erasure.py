"""Erase one person out of ten million logged rows and a raw file of as many.

The buckets are folders, so transfers cost nothing and the code alone is measured, in a process of
its own. Afterwards every object is decoded: none may name the person, and of every object that was
rewritten all other rows must be what they were. ``--rows`` measures fewer.
"""

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from adapters.s3 import Bucket
from benchmarks.folder_bucket import FolderS3
from benchmarks.harness import Figure, main, measure_alone
from domain import keys
from domain.contract.contract import Contract
from domain.contract.feature import Feature
from domain.erasure import Certificate
from ops.laptop import ROOT

ROWS = 10_000_000
OBJECT_ROWS = 250_000
"""Rows of one object of the log: about what Firehose's buffer of 64 MiB holds."""
PEOPLE = 3_000_000
HER_NUMBER = 42
HER = f"person-{HER_NUMBER:07d}"
ERASURE = "20260131T140000-0a1b2c3d"
SUBJECT = '\n[[context]]\nname = "person"\nrole = "subject"\n'
BUCKETS = ("data", "models", "predictions", "reports")
RAW = f"{keys.RAW}rows.csv"


class OneVersionS3(FolderS3):
    """A folder whose objects have one version each; a replaced object is a new file."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._folder = root

    def download_file(self, bucket: str, key: str, path: str, **_: Any) -> None:
        """Link, whatever the version."""
        Path(path).unlink(missing_ok=True)
        super().download_file(bucket, key, path)

    def head_object(self, **_: Any) -> dict[str, Any]:
        """What `replace` keeps of an object."""
        return {"ContentType": "application/octet-stream", "Metadata": {}}

    def put_object(self, *, Bucket: str, Key: str, Body: Any, **_: Any) -> dict[str, str]:  # noqa: N803 - boto3's names
        """Write a new file over the old name, so that a link to the old one keeps its content."""
        path = self._path(Bucket, Key)
        part = path.with_name(f".{path.name}.part")
        with part.open("wb") as file:
            if isinstance(Body, bytes):
                file.write(Body)
            else:
                shutil.copyfileobj(Body, file)
        part.replace(path)
        return {"ETag": str(path.stat().st_mtime_ns)}

    def delete_object(self, *, Bucket: str, Key: str, **_: Any) -> None:  # noqa: N803 - boto3's names
        """Remove the file."""
        (self._folder / Bucket / Key).unlink(missing_ok=True)

    def get_paginator(self, operation: str) -> Any:
        """Pages of objects, or of their only versions."""
        return _Versions(self) if operation == "list_object_versions" else self


class _Versions:
    def __init__(self, client: FolderS3) -> None:
        self._client = client

    def paginate(self, **named: Any) -> Iterator[dict[str, Any]]:
        only = {"VersionId": "null", "IsLatest": True}
        for page in self._client.paginate(**named):
            yield {"Versions": [{**found, **only} for found in page["Contents"]]}


def measure(seed: int, rows: int = ROWS) -> Iterator[Figure]:
    """Make the rows, erase one person, then look for her and compare the rest."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder, before = Path(name) / "buckets", Path(name) / "before"
        hers, logged = _make(folder, rows, seed)
        shutil.copytree(folder, before, copy_function=os.link)
        wall = time.perf_counter()
        certificate, seconds, peak = measure_alone(_erase, folder)
        wall = time.perf_counter() - wall
        millions = f"{rows / 1e6:g} M"
        yield Figure(f"erase, {millions} logged and raw rows: CPU seconds", seconds, "s", "<= 600")
        yield Figure("erase: wall time beside whatever else runs", wall, "s")
        yield Figure("erase: peak memory", peak / 1e9, "GB", "<= 1.5")
        yield Figure("objects that hold her and were rewritten", len(certificate.objects), "")
        erased = sum(one.rows for one in certificate.objects)
        yield Figure("rows of hers that were not erased", abs(hers + logged - erased), "", "<= 0")
        yield Figure("objects that still name her", _count_traces(folder), "", "<= 0")
        changed = [(one.bucket, one.key) for one in certificate.objects]
        yield Figure("other rows that changed", _compare(before, folder, changed), "", "<= 0")


def _make(folder: Path, rows: int, seed: int) -> tuple[int, int]:
    """Write raw rows and a log of them; returns how many of either are hers."""
    contract = Contract.parse((ROOT / "contract.toml").read_text())
    rng = np.random.default_rng(seed)
    raw, log = folder / "data" / RAW, folder / "predictions" / "log" / "dt=2026-01-31"
    for place in (raw.parent, log, *(folder / bucket for bucket in BUCKETS)):
        place.mkdir(parents=True, exist_ok=True)
    hers, writer = 0, None
    for start in range(0, rows, OBJECT_ROWS):
        number = min(OBJECT_ROWS, rows - start)
        drawn = rng.integers(0, PEOPLE, number)
        drawn[:: number // 2] = HER_NUMBER  # some rows of hers in every object
        people = pa.array(drawn)
        padded = pc.utf8_lpad(pc.cast(people, pa.string()), 7, "0")
        subjects = pc.binary_join_element_wise("person", padded, "-")
        features = {f.name: _draw(f, rng, number) for f in contract.features}
        hers += int(pc.sum(pc.equal(subjects, HER)).as_py())
        labels = pa.array(rng.integers(0, 2, number))
        table = pa.table({**features, contract.target: labels, "person": subjects})
        writer = writer or pyarrow.csv.CSVWriter(raw, table.schema)
        writer.write_table(table)
        columns = {f.column: features[f.name] for f in contract.features}
        pq.write_table(_log(columns, subjects, start), log / f"{start:08d}.parquet")
    if writer is not None:
        writer.close()
    request = folder / "data" / keys.erasure_subjects(ERASURE)
    request.parent.mkdir(parents=True)
    request.write_text(HER)
    return hers, hers


def _draw(feature: Feature, rng: np.random.Generator, rows: int) -> pa.Array:
    if feature.kind == "category":
        codes = rng.integers(0, len(feature.categories), rows)
        return pa.array(feature.categories).take(pa.array(codes))
    if feature.kind == "flag":
        return pa.array(rng.integers(0, 2, rows))
    return pa.array(np.round(rng.uniform(feature.minimum, feature.maximum, rows), 2))


def _log(features: dict[str, pa.Array], subjects: pa.Array, start: int) -> pa.Table:
    rows = len(subjects)
    numbers = pa.array(np.arange(start, start + rows))
    return pa.table(
        {
            "prediction_id": pc.utf8_lpad(pc.cast(numbers, pa.string()), 36, "0"),
            "predicted_at": numbers,
            "model_version": ["1-0a1b2c3d"] * rows,
            "probability": np.linspace(0, 1, rows),
            "subject": subjects,
            "reference": pc.binary_join_element_wise("visit", pc.cast(numbers, pa.string()), "-"),
            **features,
        }
    )


def _erase(folder: Path) -> tuple[Certificate, float]:
    from training_job.erasure.erase import Buckets, erase
    from training_job.erasure.erase_request import EraseRequest

    client = OneVersionS3(folder)
    buckets = Buckets(**{name: client.bucket(name) for name in BUCKETS})
    began = time.process_time()
    erase(
        request=EraseRequest(subjects=keys.erasure_subjects(ERASURE)),
        contract=Contract.parse((ROOT / "contract.toml").read_text() + SUBJECT),
        buckets=buckets,
        execution="erase-1",
        settle=lambda: None,
        say=lambda _: None,
    )
    return _read_certificate(buckets.data), time.process_time() - began


def _read_certificate(data: Bucket) -> Certificate:
    stored = data.get(keys.erasure_certificate(ERASURE))
    if stored is None:
        raise RuntimeError("The erasure wrote no certificate.")
    return Certificate.from_json(stored.data)


def _count_traces(folder: Path) -> int:
    return sum(_names_her(path) for path in folder.rglob("*") if path.is_file())


def _names_her(path: Path) -> bool:
    if path.suffix != ".parquet":
        with path.open("rb") as file:
            return any(HER.encode() in line for line in file)
    with pq.ParquetFile(path) as file:
        subjects = (batch.column(0) for batch in file.iter_batches(columns=["subject"]))
        return any(pc.any(pc.equal(column, HER)).as_py() for column in subjects)


def _compare(before: Path, after: Path, changed: list[tuple[str, str]]) -> int:
    """Objects of which other rows differ, and objects that were not rewritten and differ."""
    differing = 0
    for path in before.rglob("*"):
        place = path.relative_to(before)
        if not path.is_file() or place.parts[1] == keys.ERASURES.rstrip("/"):
            continue
        if (place.parts[0], "/".join(place.parts[1:])) not in changed:
            differing += not path.samefile(after / place)
        elif path.suffix == ".parquet":
            old = pq.read_table(path)
            kept = old.filter(pc.not_equal(old["subject"], HER))
            differing += not kept.equals(pq.read_table(after / place))
        else:
            differing += _hash_others(path) != _hash_others(after / place)
    return differing


def _hash_others(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for line in file:
            if HER.encode() not in line:
                digest.update(line)
    return digest.hexdigest()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--rows", type=int, default=ROWS)
    given, sys.argv[1:] = parser.parse_known_args()
    main("erasure", lambda seed: measure(seed, given.rows))
