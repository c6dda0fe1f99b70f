"""Context columns in files: what training keeps of them, and what scoring logs."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from tabular.segments import segment_masks
from tests.repository import CONTRACT_TOML
from tests.unit.patients import csv, patients
from training_job.dataset import hashing
from training_job.dataset.dataset import Split
from training_job.dataset.identity import Identified, identify
from training_job.dataset.prepare import prepare
from training_job.dataset.validation import Columns, check
from training_job.errors import BadData

SITE = """
[[context]]
name = "visit"
role = "reference"
maximum_length = 6

[[context]]
name = "Site"
kind = "category"
categories = ["north", "south"]

[[context]]
name = "waited"
kind = "number"
minimum = 0
maximum = 600

[[segments]]
feature = "Site"
"""
CONTRACT = Contract.parse(CONTRACT_TOML.read_text() + SITE)
PLAIN = Contract.parse(CONTRACT_TOML.read_text())
FRAME = patients(1_000, seed=2)
COARSE = FRAME.assign(
    age=(FRAME["age"] // 40) * 40.0, bmi=25.0, HbA1c_level=6.0, blood_glucose_level=100.0
)
SITES = np.where(np.random.default_rng(1).random(1_000) < 0.3, "north", "south")


def _prepare(bucket: Bucket, frame: pd.DataFrame, contract: Contract = CONTRACT) -> dict[str, Any]:
    bucket.put(f"{keys.RAW}a.csv", csv(frame))
    return prepare(
        contract=contract,
        bucket=bucket,
        raw_prefix=keys.RAW,
        salt="s",
        bad_row_share=0.5,
        execution="e",
        say=lambda _: None,
    ).to_dict()


def _columns(frame: pd.DataFrame, contract: Contract) -> Columns:
    return check(pa.Table.from_pandas(frame, preserve_index=False), contract).columns


def _sides(columns: Columns, found: Identified) -> list[tuple[Any, ...]]:
    names = [feature.name for feature in PLAIN.features] + [PLAIN.target]
    rows = zip(*(columns[name][found.order].tolist() for name in names), strict=True)
    return sorted((repr(row), side) for row, side in zip(rows, found.sides.tolist(), strict=True))


def test_a_column_that_defines_a_segment_is_stored_with_the_dataset(moto_bucket: Bucket) -> None:
    made = _prepare(moto_bucket, FRAME.assign(Site=SITES, waited=3, visit="v"))
    test = Split.download(moto_bucket, made["dataset_id"], "test", CONTRACT)
    assert "Site" in test.table.column_names
    assert {"waited", "visit"} & set(test.table.column_names) == set()
    masks = segment_masks(test.table, CONTRACT)
    north, south = masks["Site=north"], masks["Site=south"]
    assert len(test.labels) == int(north.sum() + south.sum())
    assert 0 < north.sum() < south.sum()


def test_without_the_column_the_dataset_is_the_same_as_without_the_context(
    moto_bucket: Bucket,
) -> None:
    with_contract = _prepare(moto_bucket, FRAME)
    test = Split.download(moto_bucket, with_contract["dataset_id"], "test", CONTRACT)
    assert "Site" not in test.table.column_names
    assert not [name for name in segment_masks(test.table, CONTRACT) if name.startswith("Site")]
    assert with_contract == _prepare(moto_bucket, FRAME, PLAIN)


def test_another_value_makes_another_dataset(moto_bucket: Bucket) -> None:
    frames = [FRAME, *(FRAME.assign(Site=sites) for sites in (SITES, SITES[::-1], "north"))]
    ids = [_prepare(moto_bucket, frame)["dataset_id"] for frame in frames]
    assert 4 == len(set(ids))


def test_a_row_with_an_unknown_value_is_quarantined_and_one_without_any_is_not(
    moto_bucket: Bucket,
) -> None:
    sites: list[Any] = [None, "east", *SITES[2:]]
    made = _prepare(moto_bucket, FRAME.assign(Site=sites))
    assert (1_000, 1) == (made["rows_read"], made["rows_quarantined"])


@pytest.mark.parametrize("frame", [FRAME, COARSE], ids=["fine", "coarse"])
@pytest.mark.parametrize("seed", range(5))
def test_context_moves_no_row_to_another_side_and_order_is_nothing(
    frame: pd.DataFrame, seed: int
) -> None:
    plain = _columns(frame, PLAIN)
    whole = _columns(frame.assign(Site=SITES), CONTRACT)
    order = np.random.default_rng(seed).permutation(len(frame))
    shuffled = {name: values[order] for name, values in whole.items()}
    one, other = identify(whole, CONTRACT, "s"), identify(shuffled, CONTRACT, "s")
    assert _sides(plain, identify(plain, PLAIN, "s")) == _sides(whole, one)
    names = [
        hashing.dataset_id(found.hashes, CONTRACT.version, "s", found.context)
        for found in (one, other)
    ]
    assert names[0] == names[1]
    stored = [
        sorted(zip(c["Site"][f.order].tolist(), f.sides.tolist(), strict=True))
        for c, f in ((whole, one), (shuffled, other))
    ]
    assert stored[0] == stored[1]


def test_a_row_without_an_optional_subject_is_a_person_of_its_own() -> None:
    contract = Contract.from_dict(
        PLAIN.to_dict() | {"context": [{"name": "who", "role": "subject", "nullable": True}]}
    )
    nobody = _columns(FRAME.assign(who=None), contract)
    found = identify(nobody, contract, "s")
    assert {0, 1, 2} == set(found.sides.tolist())
    every_second: list[Any] = ["p", None] * 500
    some = _columns(FRAME.assign(who=every_second), contract)
    sides = identify(some, contract, "s")
    theirs = some["who"][sides.order] != hashing.NO_TEXT
    assert 500 == theirs.sum()
    assert 1 == len(set(sides.sides[theirs].tolist()))
    assert {0, 1, 2} == set(sides.sides[~theirs].tolist())


def test_a_scored_file_is_checked_for_what_is_logged() -> None:
    frame = FRAME[:6].drop(columns="diabetes").reset_index(drop=True)
    visits: list[Any] = [" v-1 ", None, "too long", "a\tb", "12.0", "v-6"]
    frame = frame.assign(
        visit=visits,
        Site=["north", "south", "north", "north", "south", "east"],
        waited=[1, 2, 3, 4, 5, 6],
    )
    checked = check(pa.Table.from_pandas(frame), CONTRACT, labelled=False)
    assert [True, False, False, False, True, False] == checked.valid.tolist()
    assert ["v-1", "12"] == checked.columns["visit"].tolist()
    assert [1.0, 5.0] == checked.columns["waited"].tolist()
    text = CONTRACT.request_context.columns[0].expectation
    reasons = [checked.reasons[n] for n in checked.why]
    assert [f"visit {text}"] * 3 + ["Site must be one of: north, south"] == reasons


def test_a_file_without_a_required_column_is_refused_by_its_name(moto_bucket: Bucket) -> None:
    from training_job.dataset.files.reading import open_raw
    from training_job.dataset.tables import fetched

    moto_bucket.put("a.csv", csv(FRAME.drop(columns="diabetes").assign(Site="north", waited=1)))
    with (
        fetched(moto_bucket, "a.csv") as path,
        pytest.raises(BadData, match="visit"),
        open_raw(path, "a.csv", CONTRACT, labelled=False) as file,
    ):
        list(file.batches)
