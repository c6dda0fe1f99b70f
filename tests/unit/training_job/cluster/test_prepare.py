"""Prepare on a cluster makes the dataset of one machine, whatever the files and the ranges."""

import io
import itertools
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.s3 import Bucket
from benchmarks.folder_bucket import FolderS3
from domain import keys, times
from domain.contract.contract import Contract
from tabular.log_objects import LogObjects
from tabular.models import Models
from tests.repository import CONTRACT_TOML
from tests.unit.labelled_log import END, ROWS, START, Story
from tests.unit.patients import csv, patients
from training_job.cluster.cluster import Cluster
from training_job.dataset.dataset import Split, opened
from training_job.dataset.partitioned.prepare import prepare as prepare_parts
from training_job.dataset.partitioned.production import read_labelled_on
from training_job.dataset.prepare import prepare
from training_job.dataset.production_rows import Source
from training_job.errors import BadData

FRAME = patients(600, seed=1)


class Places:
    """A folder in which the same files are prepared twice."""

    def __init__(self, folder: Path, contract: Contract, cluster: Cluster) -> None:
        self.folder, self.contract, self.cluster = folder, contract, cluster

    def run(
        self, files: dict[str, bytes], ranges: int, contract: Contract | None = None
    ) -> tuple["Made", "Made"]:
        """Prepare on one machine and on the cluster."""
        with_contract = contract or self.contract
        return self._run(files, 0, with_contract), self._run(files, ranges, with_contract)

    def _run(self, files: dict[str, bytes], ranges: int, contract: Contract) -> "Made":
        folder = Path(self.folder) / f"{len(list(self.folder.iterdir()))}"
        bucket = FolderS3(folder).bucket("data")
        for name, content in files.items():
            bucket.put(f"{keys.RAW}{name}", content)
        said: list[str] = []
        options: dict[str, Any] = {"raw_prefix": keys.RAW, "salt": "s", "bad_row_share": 0.1}
        options |= {"execution": "e", "say": said.append, "bucket": bucket}
        options |= {"contract": contract}
        if ranges:
            options |= {"cluster": self.cluster, "ranges": ranges}
            options |= {"open_bucket": partial(FolderS3(folder).bucket, "data")}
        try:
            found = (prepare_parts if ranges else prepare)(**options).to_dict()
        except BadData as error:
            found = {"refused": str(error).replace(str(folder), "")}
        return Made(bucket, found, [line for line in said if " of rows on " not in line])


class Made:
    """What became of the files."""

    def __init__(self, bucket: Bucket, result: dict[str, Any], said: list[str]) -> None:
        self.bucket, self.result, self.said = bucket, result, said

    def manifest(self) -> dict[str, Any]:
        """The manifest, without the parts that the rows are stored in."""
        stored = self.bucket.get(keys.manifest(self.result["dataset_id"]))
        assert stored is not None
        found: dict[str, Any] = json.loads(stored.data)
        self.parts = found.pop("parts", {})
        return found

    def table(self, side: str) -> pa.Table:
        """The rows of a side, from its parts in order."""
        self.manifest()
        names = self.parts.get(side, [side])
        return pa.concat_tables(
            [self._read(keys.dataset(self.result["dataset_id"], name)) for name in names]
        ).unify_dictionaries()

    def _read(self, key: str) -> pa.Table:
        stored = self.bucket.get(key)
        assert stored is not None
        return pq.read_table(io.BytesIO(stored.data))


def check_equal(one: Made, other: Made) -> None:
    """Compare result, sentences, manifest, every row in its order, and the quarantine."""
    assert one.result == other.result
    assert one.said == other.said
    if "refused" in one.result:
        return
    first, second = one.manifest(), other.manifest()
    columns = first.pop("columns"), second.pop("columns")
    assert first == second
    for name, column in columns[0].items():
        assert column == {
            key: pytest.approx(value, rel=1e-12) if key in ("mean", "deviation") else value
            for key, value in columns[1][name].items()
        }
    for side in (*keys.SPLITS, keys.QUARANTINE):
        assert one.table(side).equals(other.table(side).combine_chunks()), side


@pytest.fixture
def places(tmp_path: Path, contract: Contract, cluster: Cluster) -> Places:
    return Places(tmp_path, contract, cluster)


def cut(cuts: list[int], copies: int, repeated: int, bad: int) -> dict[str, bytes]:
    """Files of the frame cut there, with copies of the first, and with repeated and bad rows."""
    frame = pd.concat([FRAME, FRAME[:repeated]]).astype(object)
    frame.iloc[:bad:2, 1] = 999
    bounds = sorted({0, *cuts, len(frame)})
    pieces = itertools.pairwise(bounds)
    files = {f"{start:04d}.csv": csv(frame[start:stop]) for start, stop in pieces}
    first = next(iter(files.values()))
    return files | {f"copy-{number}.csv": first for number in range(copies)}


FILES = st.builds(
    cut,
    cuts=st.lists(st.integers(0, len(FRAME)), max_size=4),
    copies=st.integers(0, 3),
    repeated=st.integers(0, 300),
    bad=st.integers(0, 120),
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=FILES, ranges=st.integers(1, 9))
def test_any_files_in_any_ranges_are_the_dataset_of_one_machine(
    places: Places, files: dict[str, bytes], ranges: int
) -> None:
    check_equal(*places.run(files, ranges))


PEOPLE = """
[[context]]
name = "person"
role = "subject"

[[context]]
name = "Site"
kind = "category"
categories = ["north", "south"]

[[context]]
name = "Ward"
kind = "category"
categories = ["a", "b"]

[[segments]]
feature = "Site"

[[segments]]
feature = "Ward"
"""
ROW_ID = """
[[context]]
name = "visit"
role = "row_id"
"""


@pytest.mark.parametrize("ranges", [1, 5])
@pytest.mark.parametrize("context", [PEOPLE, PEOPLE + ROW_ID, ROW_ID])
def test_ids_people_and_context_are_those_of_one_machine(
    places: Places, context: str, ranges: int
) -> None:
    contract = Contract.parse(CONTRACT_TOML.read_text() + context)
    random = np.random.default_rng(1)
    frame = FRAME.assign(
        visit=[f"v{number}" for number in range(len(FRAME))],
        person=random.integers(0, 200, len(FRAME)),
        Site=random.choice(["north", "south", ""], len(FRAME)),
        Ward="",
    )
    again = frame[100:140].assign(bmi=lambda f: np.where(np.arange(40) % 2, f["bmi"], 20.0))
    frames = [frame[:350], pd.concat([frame[350:], frame[:60], again]), frame[200:400]]
    files = {f"{number}.csv": csv(part) for number, part in enumerate(frames)}
    one, other = places.run(files, ranges, contract)
    check_equal(one, other)
    assert "refused" not in one.result
    kinds = one.manifest()["left_out"]["reasons"]
    assert bool(kinds) == ("row_id" in context)


@pytest.mark.parametrize(("context", "ranges"), [("", 3), (PEOPLE + ROW_ID, 5)])
def test_a_split_by_time_and_weights_are_those_of_one_machine(
    places: Places, context: str, ranges: int
) -> None:
    text = CONTRACT_TOML.read_text().replace("[target]\nname", '[target]\nweight = "w"\nname')
    contract = Contract.parse(text + '[split]\ntime = "seen"\n' + context)
    random = np.random.default_rng(1)
    frame = FRAME.assign(
        visit=[f"v{number}" for number in range(len(FRAME))],
        person=random.integers(0, 200, len(FRAME)),
        Site="north",
        Ward="a",
        seen=[f"2024-01-{day:02}" for day in random.integers(1, 29, len(FRAME))],
        w=random.lognormal(3, 1, len(FRAME)),
    )
    files = {"a.csv": csv(frame[:350]), "b.csv": csv(pd.concat([frame[350:], frame[:60]]))}
    one, other = places.run(files, ranges, contract)
    check_equal(one, other)
    manifest = one.manifest()
    assert "split by seen: the test side begins at 2024-01-" in manifest["split_by"]
    assert "weighted by w" in manifest["weighted_by"]
    weights = [one.table(side)["sampling_weight"].to_numpy() for side in keys.SPLITS]
    assert pytest.approx(1) == np.concatenate(weights).mean()


def test_a_coarse_table_with_many_equal_rows_is_divided_as_on_one_machine(places: Places) -> None:
    frame = FRAME.assign(age=FRAME["age"] // 40 * 40.0, bmi=25.0, blood_glucose_level=100.0)
    files = {"a.csv": csv(frame[:250]), "b.csv": csv(frame[250:])}
    check_equal(*places.run(files, 7))


@pytest.mark.parametrize(
    "files",
    [
        {"a.csv": b"a,b\n1,2\n"},
        {"a.csv": csv(FRAME), "b.csv": b"nothing\n1\n", "c.csv": b"nothing\n1\n"},
        {"a.csv": csv(FRAME[:9]), "b.csv": csv(FRAME.assign(age=999))},
        {"a.csv": csv(FRAME.assign(diabetes=1))},
        {"a.csv": csv(FRAME[:0])},
    ],
)
def test_what_one_machine_refuses_the_cluster_refuses_with_the_same_words(
    places: Places, files: dict[str, bytes]
) -> None:
    one, other = places.run(files, 3)
    assert "refused" in one.result
    check_equal(one, other)


def _open() -> Bucket:
    return Bucket(boto3.client("s3"), "unit")


def test_labelled_predictions_join_the_parts_as_on_one_machine(
    moto_bucket: Bucket, contract: Contract, cluster: Cluster
) -> None:
    story = Story(moto_bucket, contract)
    story.label(np.arange(ROWS) % 2 == 0)
    moto_bucket.put(f"{keys.RAW}a.csv", csv(FRAME))
    source = Source(
        LogObjects(moto_bucket), Models(moto_bucket), START, END, END + times.DAY_MS, 0.3
    )
    said: list[str] = []
    options: dict[str, Any] = {"salt": "s", "bad_row_share": 0.01, "source": source}
    options |= {"contract": contract, "bucket": moto_bucket, "raw_prefix": keys.RAW}
    options |= {"execution": "e", "say": said.append}
    one = prepare(**options)
    sides = (*keys.SPLITS, keys.RECENT)
    whole = {
        side: Split.download(moto_bucket, one.dataset_id, side, contract).table for side in sides
    }
    reading = partial(read_labelled_on, cluster=cluster, open_log=_open, open_models=_open)
    options["source"] = replace(source, read_rows=reading)
    other = prepare_parts(**options, cluster=cluster, open_bucket=_open, ranges=3)
    assert one == other
    for side, table in whole.items():
        parts = Split.download(moto_bucket, one.dataset_id, side, contract).table
        assert table.equals(parts.select(table.column_names).combine_chunks()), side
        with opened(moto_bucket, one.dataset_id, side, contract) as file:
            assert (
                table.num_rows == len(file.labels) == sum(len(b.labels) for b in file.batches(99))
            )
            assert table.column("bmi").null_count == file.count_missing("bmi")
