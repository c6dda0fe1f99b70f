"""What is derived from rows of people says whose row it is, by a hash of the pseudonym."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.contract.records import SUBJECT_KEY
from tests.repository import CONTRACT_TOML
from tests.unit.patients import csv, patients
from training_job.dataset.hashing import hash_texts
from training_job.dataset.prepare import prepare

SUBJECT = """
[[context]]
name = "patient"
role = "subject"
nullable = true
"""
ROW_ID = """
[[context]]
name = "row"
role = "row_id"
"""
PEOPLE: list[Any] = [f"p-{n % 300}" for n in range(999)]
SOME: list[Any] = [*PEOPLE, None]
FRAME = patients(1_000, seed=2).assign(patient=SOME, row=range(1_000))


def _prepare(bucket: Bucket, data: bytes, context: str) -> dict[str, pa.Table]:
    bucket.put(f"{keys.RAW}a.csv", data)
    made = prepare(
        contract=Contract.parse(CONTRACT_TOML.read_text() + context),
        bucket=bucket,
        raw_prefix=keys.RAW,
        salt="s",
        bad_row_share=0.5,
        execution="e",
        say=lambda _: None,
    )
    parts = (*keys.SPLITS, keys.QUARANTINE)
    stored = {part: bucket.get(keys.dataset(made.dataset_id, part)) for part in parts}
    return {part: pq.read_table(io.BytesIO(found.data)) for part, found in stored.items() if found}


def _keys(*people: str) -> list[int]:
    found: list[int] = hash_texts(pa.array(people)).tolist()
    return found


def test_each_row_of_a_dataset_has_the_hash_of_its_subject_on_one_side_of_the_split(
    moto_bucket: Bucket,
) -> None:
    parts = _prepare(moto_bucket, csv(FRAME.drop(columns="row")), SUBJECT)
    sides = {side: parts[side][SUBJECT_KEY].to_pylist() for side in keys.SPLITS}
    everybody = [key for side in sides.values() for key in side]
    assert sorted([*_keys(*PEOPLE), 0]) == sorted(key or 0 for key in everybody)
    people = [set(side) - {None} for side in sides.values()]
    assert all(people)
    assert 300 == sum(map(len, people)) == len(set().union(*people))


def test_without_a_subject_in_the_contract_nothing_is_stored(moto_bucket: Bucket) -> None:
    parts = _prepare(moto_bucket, csv(FRAME.drop(columns="row")), "")
    assert [SUBJECT_KEY in table.column_names for table in parts.values()] == [False] * 4


def test_quarantined_rows_have_it_whatever_is_wrong_with_them(moto_bucket: Bucket) -> None:
    frame = FRAME.assign(age=[-1.0, -1.0, *FRAME["age"][2:]])
    frame.loc[10, "row"] = 9  # one id with two sets of values
    frame.loc[1, "patient"] = None
    table = _prepare(moto_bucket, csv(frame) + b"too,few\n", SUBJECT + ROW_ID)[keys.QUARANTINE]
    found = dict(zip(table["row"].to_pylist(), table[SUBJECT_KEY].to_pylist(), strict=True))
    first, *others = _keys("p-0", "p-9", "p-10")
    assert {2: first, 3: None, 11: others[0], 12: others[1], 1002: None} == found


@pytest.mark.parametrize("patient", [12, 12.0, "12", " 12.0 "])
def test_one_pseudonym_has_one_hash_however_the_file_writes_it(
    moto_bucket: Bucket, patient: object
) -> None:
    people: list[Any] = [*[patient] * 3, *SOME[3:]]
    parts = _prepare(moto_bucket, csv(FRAME.assign(patient=people)), SUBJECT)
    everybody = [key for side in keys.SPLITS for key in parts[side][SUBJECT_KEY].to_pylist()]
    assert 3 == everybody.count(*_keys("12"))


@pytest.mark.parametrize("spoilt", ["1.23457E+11", "1,23457E+11", " 9E+15"])
def test_a_number_that_a_spreadsheet_shortened_is_nobody(moto_bucket: Bucket, spoilt: str) -> None:
    good = ["1.5e+16", "12E5", "E+11", "1.23457E+11x"]  # these may be what somebody is called
    people: list[Any] = [spoilt, *good, *SOME[5:]]
    parts = _prepare(moto_bucket, csv(FRAME.assign(patient=people)), SUBJECT)
    quarantined = parts[keys.QUARANTINE]
    assert [2] == quarantined["row"].to_pylist()
    assert (
        "patient must not be a number that a spreadsheet shortened"
        in (quarantined["reason"].to_pylist()[0])
    )
    kept = {key for side in keys.SPLITS for key in parts[side][SUBJECT_KEY].to_pylist()}
    assert set(_keys(*good)) <= kept


def test_a_hash_uses_all_64_bits() -> None:
    assert np.uint64(2**63) < hash_texts(pa.array(list(map(str, range(64))))).max()
