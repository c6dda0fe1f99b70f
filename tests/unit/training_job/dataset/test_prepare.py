"""Prepare: what becomes of raw files, good and bad."""

import gzip
import io
import json
import tracemalloc
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from tests.unit.patients import csv, patients
from training_job.dataset.files.raw_batch import Malformed, RawBatch
from training_job.dataset.prepare import prepare
from training_job.dataset.quarantine import Quarantine
from training_job.dataset.raw_files import IGNORED
from training_job.dataset.validation import check
from training_job.errors import BadData

FRAME = patients(2_000, seed=1)
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(moto_bucket: Bucket, contract: Contract) -> Run:
    """Upload files by name and prepare them."""

    def upload_and_prepare(files: dict[str, bytes], **options: Any) -> dict[str, Any]:
        for listed in list(moto_bucket.list(keys.RAW)):
            moto_bucket.delete(listed.key)
        for name, content in files.items():
            moto_bucket.put(f"{keys.RAW}{name}", content)
        defaults: dict[str, Any] = {"raw_prefix": keys.RAW, "salt": "s", "bad_row_share": 0.01}
        defaults |= {"execution": "e", "say": lambda _: None}
        options = defaults | options
        return prepare(contract=contract, bucket=moto_bucket, **options).to_dict()

    return upload_and_prepare


def _table(bucket: Bucket, key: str) -> pd.DataFrame:
    stored = bucket.get(key)
    assert stored is not None
    frame: pd.DataFrame = pq.read_table(io.BytesIO(stored.data)).to_pandas()
    return frame


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


def test_the_same_rows_are_the_same_dataset_in_any_order_and_format(run: Run) -> None:
    shuffled = FRAME.sample(frac=1, random_state=2)[sorted(FRAME.columns)].assign(extra="x")
    whole = run({"a.csv": csv(FRAME)})
    pieces = run(
        {
            "b/1.csv": csv(shuffled[:700]),
            "b/2.csv.gz": gzip.compress(csv(shuffled[700:1500])),
            "c.PARQUET": _parquet(shuffled[1500:]),
            "ignored.txt": b"not data",
        }
    )
    assert whole == pieces


def test_every_row_lands_in_a_split_and_equal_rows_as_often_as_they_are_there(
    run: Run, moto_bucket: Bucket
) -> None:
    frame = pd.concat([FRAME, FRAME[:50]])
    result = run({"a.csv": csv(frame)})
    parts = [_table(moto_bucket, keys.dataset(result["dataset_id"], s)) for s in keys.SPLITS]
    together = pd.concat(parts).astype(FRAME.dtypes.to_dict())
    order = list(FRAME.columns)
    pd.testing.assert_frame_equal(
        frame.sort_values(order).reset_index(drop=True),
        together.sort_values(order).reset_index(drop=True),
    )
    shares = np.array([len(part) for part in parts]) / len(frame)
    np.testing.assert_allclose(shares, [6 / 8, 1 / 8, 1 / 8], atol=0.03)


def test_appending_rows_never_moves_a_row_to_another_side(run: Run, moto_bucket: Bucket) -> None:
    def sides(result: dict[str, Any]) -> Counter[tuple[Any, ...]]:
        return Counter(
            (side, *row)
            for side in keys.SPLITS
            for row in _table(moto_bucket, keys.dataset(result["dataset_id"], side))
            .astype(object)
            .itertuples(index=False)
        )

    repeated = pd.concat([FRAME, FRAME[:300]])
    before = sides(run({"b.csv": csv(repeated[:1000])}))
    after = sides(run({"b.csv": csv(repeated[:1000]), "a.csv": csv(repeated[1000:])}))
    assert before <= after


def test_the_manifest_profiles_each_column_and_compares_with_the_dataset_before(
    run: Run, moto_bucket: Bucket
) -> None:
    def manifest(result: dict[str, Any]) -> dict[str, Any]:
        stored = moto_bucket.get(keys.manifest(result["dataset_id"]))
        assert stored is not None
        found: dict[str, Any] = json.loads(stored.data)
        return found

    first = manifest(run({"a.csv": csv(FRAME)}))
    shifted = FRAME.assign(blood_glucose_level=FRAME["blood_glucose_level"] + 60)
    shifted.loc[:199, "bmi"] = None
    second = manifest(run({"a.csv": csv(shifted)}))
    glucose = first["columns"]["blood_glucose_level"]
    assert pytest.approx(glucose["mean"]) == FRAME["blood_glucose_level"].mean()
    assert sorted(glucose["edges"]) == glucose["edges"]
    female = (FRAME["gender"] == "Female").mean()
    assert pytest.approx(first["columns"]["gender"]["shares"][0]) == female
    assert "previous" not in first
    changes = second["previous"]
    assert first["dataset_id"] == changes["dataset_id"]
    assert changes["same_contract"]
    assert 0.1 == pytest.approx(changes["columns"]["bmi"]["missing"])
    indices = {name: change["stability_index"] for name, change in changes["columns"].items()}
    assert indices.pop("blood_glucose_level") > 0.5
    assert all(index < 0.02 for index in indices.values())


@pytest.mark.parametrize("manifest", [b"{", b"{}", b"[]", b'{"columns": 1}', b'{"columns": {}}'])
def test_a_damaged_manifest_of_an_earlier_dataset_is_no_obstacle(
    manifest: bytes, run: Run, moto_bucket: Bucket
) -> None:
    moto_bucket.put(keys.manifest("0" * 16), manifest)
    assert 2000 == run({"a.csv": csv(FRAME)})["rows_read"]


def test_bad_rows_go_to_quarantine_with_file_row_and_reason(run: Run, moto_bucket: Bucket) -> None:
    frame = FRAME[:1000].astype(object)
    frame.loc[0, "age"] = 999
    frame.loc[1, ["gender", "bmi"]] = ["Robot", "heavy"]
    frame.loc[2, "diabetes"] = None
    lines = csv(frame).decode().splitlines()
    lines.insert(5, "too,few,fields")
    result = run({"a.csv": "\n".join(lines).encode()})
    quarantine = _table(moto_bucket, keys.dataset(result["dataset_id"], keys.QUARANTINE))
    assert 4 == result["rows_quarantined"]
    assert {
        (2, "age must be a number from 0 to 120"),
        (
            3,
            "gender must be one of: Female, Male, Other; bmi must be a number from 10 to 100",
        ),
        (4, "diabetes must be 0 or 1"),
        (6, "has 3 fields, and the header has 9"),
    } == set(zip(quarantine["row"], quarantine["reason"], strict=True))
    assert {"raw/a.csv"} == set(quarantine["file"])


def test_the_manifest_accounts_for_every_row(run: Run, moto_bucket: Bucket) -> None:
    result = run({"a.csv": csv(FRAME.assign(note="x")), "b.csv": csv(FRAME[:10])})
    stored = moto_bucket.get(keys.manifest(result["dataset_id"]))
    assert stored is not None
    manifest = json.loads(stored.data)
    assert {"raw/a.csv": 2000, "raw/b.csv": 10} == manifest["files"]
    assert {"raw/a.csv": ["note"], "raw/b.csv": []} == manifest["extra_columns"]
    in_splits = sum(split["rows"] for split in manifest["splits"].values())
    assert 2010 == in_splits


BAD_FILES = {
    "no file": ({}, "There is no .csv"),
    "empty file": ({"a.csv": b""}, "No file under raw/ holds any row: raw/a.csv"),
    "header only": ({"a.csv": csv(FRAME[:0])}, "No file under raw/ holds any row"),
    "empty gzip": ({"a.csv.gz": gzip.compress(b"")}, "No file under raw/ holds any row"),
    "missing columns": (
        {"a.csv": csv(FRAME.drop(columns=["age", "gender"]))},
        "a.csv lacks the columns gender, age. Its header has hypertension, ",
    ),
    "unknown category": ({"a.csv": csv(FRAME.assign(gender="Robot"))}, "gender must be one of"),
    "text for a number": (
        {"a.csv": csv(FRAME.assign(bmi="heavy"))},
        "2,000 rows: bmi must be a number from 10 to 100",
    ),
    "one class": ({"a.csv": csv(FRAME.assign(diabetes=0))}, "needs both classes"),
    "too few rows": (
        {"a.csv": csv(FRAME[:4].assign(diabetes=[0, 1, 0, 1]))},
        "and 2 of all 4 are. With 40 or more of each class every side nearly always has some",
    ),
    "not UTF-8": ({"a.csv": csv(FRAME).replace(b"Female", b"\xff\xfe")}, "not UTF-8"),
    "repeated column": (
        {"a.csv": csv(FRAME).replace(b"hypertension", b"age", 1)},
        "lacks the column hypertension",
    ),
}


@pytest.mark.parametrize(("files", "message"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_files_that_cannot_be_trained_on_are_refused_and_leave_nothing(
    files: dict[str, bytes], message: str, run: Run, moto_bucket: Bucket
) -> None:
    with pytest.raises(BadData, match=message):
        run(files)
    left = {entry.key for entry in moto_bucket.list(keys.DATASETS)}
    assert left <= {keys.refused_rows("e")}


def _with_bad_rows(bad: int, rows: int) -> bytes:
    frame = FRAME[:rows].astype(object)
    frame.loc[frame.index[:bad], "age"] = 999
    return csv(frame)


@pytest.mark.parametrize("bad", [5, 10])
def test_bad_rows_up_to_the_allowed_share_are_left_out(run: Run, bad: int) -> None:
    assert bad == run({"a.csv": _with_bad_rows(bad, 1_000)})["rows_quarantined"]


def test_too_many_bad_rows_are_refused_and_all_of_them_are_listed(
    run: Run, moto_bucket: Bucket
) -> None:
    sentence = (
        "20 of 1,000 rows break the contract, more than the allowed share of 1.0%. 20 rows: age"
        " must be a number from 0 to 120. Each of them is listed in"
        " s3://unit/datasets/refused/e/quarantine.parquet. If a word or number stands for a missing"
        " value, declare missing = [...] and nullable = true in feature age."
    )
    with pytest.raises(BadData) as found:
        run({"a.csv": _with_bad_rows(20, 1_000)})
    assert sentence == str(found.value)
    listed = _table(moto_bucket, keys.refused_rows("e"))
    assert list(range(2, 22)) == listed["row"].tolist()
    assert {("raw/a.csv", "age must be a number from 0 to 120")} == set(
        zip(listed["file"], listed["reason"], strict=True)
    )


def test_what_is_skipped_is_said_and_stops_nothing(run: Run, moto_bucket: Bucket) -> None:
    said: list[str] = []
    whole = run({"a.csv": csv(FRAME)})
    files = {"a.csv": csv(FRAME.assign(note="x")), "b.csv": b"", "c.csv": csv(FRAME[:0])}
    found = run(files | {"d.json": b"{}"}, say=said.append)
    assert whole == found
    assert f"ignored, since {IGNORED}: raw/d.json" in said
    assert "read raw/a.csv: 2,000 rows, further columns ignored: note" in said
    assert "read raw/b.csv: 0 rows" in said
    stored = moto_bucket.get(keys.manifest(found["dataset_id"]))
    assert stored is not None
    assert ["raw/d.json"] == json.loads(stored.data)["ignored_files"]


def test_what_programs_leave_beside_data_is_ignored_and_listed(
    run: Run, moto_bucket: Bucket
) -> None:
    whole = run({"a.csv": csv(FRAME)})
    left = [
        "._a.csv",
        ".ipynb_checkpoints/a-checkpoint.csv",
        "2024/_temporary/0/part-00000.csv",
        "2024/.hidden.parquet",
        "__MACOSX/2024/._a.csv",
        "~$a.csv",
        "_SUCCESS",
        "_delta_log/00.json",
    ]
    found = run({"a.csv": csv(FRAME)} | dict.fromkeys(left, b"\x00\x05\x16\x07"))
    assert whole == found
    stored = moto_bucket.get(keys.manifest(found["dataset_id"]))
    assert stored is not None
    ignored = json.loads(stored.data)["ignored_files"]
    assert sorted(f"raw/{name}" for name in left) == sorted(ignored)


def test_every_file_that_cannot_be_read_is_named_at_once(run: Run) -> None:
    files = {"a.csv": csv(FRAME), "b.csv": b"x,y\n1,2\n", "c.csv": b"PK\x03\x04"}
    with pytest.raises(BadData, match=r"(?s)raw/b.csv lacks .*raw/c.csv is a zip archive"):
        run(files)


def test_a_folder_is_that_folder_and_a_file_that_file(run: Run) -> None:
    files = {"2024/a.csv": csv(FRAME), "2024-old/b.csv": csv(FRAME[:9]), "c.csv": csv(FRAME[:9])}
    assert 2000 == run(files, raw_prefix="raw/2024/")["rows_read"]
    assert 2000 == run(files, raw_prefix="raw/2024/a.csv")["rows_read"]


def test_a_million_bad_rows_take_little_memory(contract: Contract) -> None:
    quarantine = Quarantine()
    table = pa.Table.from_pandas(FRAME.assign(age=999.0), preserve_index=False)
    numbers = np.arange(len(FRAME))
    tracemalloc.start()
    for _ in range(500):
        batch = RawBatch(table, numbers, Malformed(), 0.0)
        quarantine.add_batch("raw/a.csv", batch, check(table, contract))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 1_000_000 == len(quarantine)
    assert kept < 20 * len(quarantine)
    reason = "age must be a number from 0 to 120"
    assert {reason: 1_000_000} == quarantine.reasons()


def test_features_that_may_be_missing_and_never_are_get_a_warning(run: Run) -> None:
    said: list[str] = []
    frame = FRAME.copy()
    frame.loc[:199, "bmi"] = None
    run({"a.csv": csv(frame)}, say=said.append)
    (warning,) = [line for line in said if "may be missing" in line]
    assert warning.startswith("smoking_history, HbA1c_level, blood_glucose_level may be missing")


def test_a_refusal_names_the_files_that_are_there_and_not_read(run: Run) -> None:
    with pytest.raises(BadData, match=r"upload one first\. Found and not read, .*: raw/a\.tsv"):
        run({"a.tsv": csv(FRAME), "b.zip": b"x"})
    with pytest.raises(BadData) as raised:
        run({f"{number:02}.txt": b"x" for number in range(9)})
    assert str(raised.value).endswith("raw/03.txt, raw/04.txt and 4 more.")


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        (lambda n, line: f"{n},{line}", "give that column a name in the header"),
        (lambda _, line: f'"a \\"b\\""{line[line.index(",") :]}', "a quote is written twice"),
    ],
    ids=["row names without a header", "quotes behind a backslash"],
)
def test_a_refusal_of_all_rows_says_what_to_do(
    run: Run, change: Callable[[int, str], str], advice: str
) -> None:
    header, *rows = csv(FRAME[:300]).decode().splitlines()
    content = "\n".join([header, *(change(n, row) for n, row in enumerate(rows))]).encode()
    with pytest.raises(BadData, match=advice):
        run({"a.csv": content})
