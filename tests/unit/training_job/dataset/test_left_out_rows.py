"""What prepare leaves out, counts once, or finds twice, and that it says so."""

import gzip
import io
import json
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
from domain.errors import BadRecord
from domain.model.left_out import LeftOut, RepeatedFile
from domain.typed_json import decode, encode, from_json, to_json
from tests.unit.patients import csv, patients
from training_job.dataset.prepare import prepare
from training_job.errors import BadData

FRAME = patients(2_000, seed=1)
Run = Callable[..., tuple[LeftOut, dict[str, Any]]]


@pytest.fixture
def run(moto_bucket: Bucket, contract: Contract) -> Run:
    """Upload files by name and prepare them: what was left out, and the manifest."""

    def upload_and_prepare(
        files: dict[str, bytes],
        *,
        bad_row_share: float = 0.01,
        context: tuple[str, ...] = (),
        partitions: tuple[str, ...] = (),
    ) -> tuple[LeftOut, dict[str, Any]]:
        for listed in list(moto_bucket.list(keys.RAW)):
            moto_bucket.delete(listed.key)
        for name, content in files.items():
            moto_bucket.put(f"{keys.RAW}{name}", content)
        extended = [{"name": role, "role": role} for role in context]
        added: dict[str, Any] = {"context": extended}
        added |= {"files": {"partition_columns": list(partitions)}} if partitions else {}
        made = prepare(
            contract=Contract.from_dict(contract.to_dict() | added),
            bucket=moto_bucket,
            raw_prefix=keys.RAW,
            salt="s",
            bad_row_share=bad_row_share,
            execution="e",
            say=lambda _: None,
        )
        stored = moto_bucket.get(keys.manifest(made.dataset_id))
        assert stored is not None
        manifest: dict[str, Any] = json.loads(stored.data)
        return decode(LeftOut, manifest["left_out"]), manifest

    return upload_and_prepare


def _parquet(frame: pd.DataFrame, types: dict[str, pa.DataType]) -> bytes:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for name, kind in types.items():
        texts = pa.array([str(value) for value in frame[name]])
        column = texts.cast(kind) if pa.types.is_decimal(kind) else texts.cast("double").cast(kind)
        table = table.set_column(table.schema.get_field_index(name), name, column)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def _survey(rows: int) -> pd.DataFrame:
    """Flags and bands, of which 9.4 % are positive: a few hundred different rows."""
    rng = np.random.default_rng(2)
    frame = FRAME.iloc[np.zeros(rows, int)].reset_index(drop=True)
    ill = rng.random(rows) < 0.094
    return frame.assign(
        hypertension=(rng.random(rows) < 0.1 + 0.3 * ill).astype(int),
        heart_disease=(rng.random(rows) < 0.05 + 0.2 * ill).astype(int),
        age=rng.choice([20.0, 40.0, 60.0, 80.0], rows),
        bmi=rng.choice([22.0, 27.0, 32.0], rows),
        diabetes=ill.astype(int),
    )


def test_a_survey_of_flags_and_bands_keeps_its_rows_and_its_prevalence(run: Run) -> None:
    frame = _survey(6_000)
    assert len(frame.drop_duplicates()) < 200
    left_out, manifest = run({"a.csv": csv(frame[:2500]), "b.csv": csv(frame[2500:])})
    rows = {side: split["rows"] for side, split in manifest["splits"].items()}
    assert 6_000 == sum(rows.values())
    assert frame["diabetes"].mean() == left_out.prevalence_kept == left_out.prevalence_read
    for split in manifest["splits"].values():
        assert 0.094 == pytest.approx(split["positives"] / split["rows"], abs=0.03)
    assert () == left_out.notes() + left_out.objections()


def test_a_file_uploaded_twice_is_counted_once_and_named(run: Run) -> None:
    once, before = run({"b.csv": csv(FRAME)})
    twice, after = run({"b.csv": csv(FRAME), "copy/a.csv": csv(FRAME), "c.csv": csv(FRAME)})
    assert before["dataset_id"] == after["dataset_id"]
    assert {} == once.copies
    assert {"raw/c.csv": "raw/b.csv", "raw/copy/a.csv": "raw/b.csv"} == twice.copies
    assert (
        "Copies of other files were counted once: raw/c.csv (of raw/b.csv), raw/copy/a.csv (of "
        "raw/b.csv).",
    ) == twice.notes()
    assert 2_000 == twice.rows_read


def test_equal_files_in_the_folders_of_different_values_are_no_copies(run: Run) -> None:
    content = csv(FRAME.drop(columns="gender"))
    folders = ("gender=Male/a.csv", "gender=Female/a.csv", "gender=Female/b.csv")
    left_out, manifest = run(dict.fromkeys(folders, content), partitions=("gender",))
    assert {"raw/gender=Female/b.csv": "raw/gender=Female/a.csv"} == left_out.copies
    assert 4_000 == sum(split["rows"] for split in manifest["splits"].values())


def test_files_of_one_person_each_are_people_even_where_they_are_equal(run: Run) -> None:
    frame = _survey(40).assign(bmi=22.0, age=40.0, hypertension=0)
    files = {f"{n}.csv": csv(frame[n : n + 1]) for n in range(40)}
    left_out, manifest = run({**files, "more.csv": csv(FRAME)})
    assert 2_040 == sum(split["rows"] for split in manifest["splits"].values())
    assert {} == left_out.copies


@pytest.mark.parametrize(
    "converted",
    [
        _parquet(FRAME, {"bmi": pa.decimal128(10, 4), "HbA1c_level": pa.decimal128(5, 2)}),
        _parquet(FRAME, {"bmi": pa.float32(), "age": pa.float32(), "HbA1c_level": pa.float32()}),
        gzip.compress(csv(FRAME[::-1])),
    ],
    ids=["decimal", "float32", "gzip"],
)
def test_a_converted_copy_is_the_same_dataset_and_beside_the_original_a_repeat(
    run: Run, converted: bytes
) -> None:
    name = "b.parquet" if converted[:4] == b"PAR1" else "b.csv.gz"
    _, one = run({"a.csv": csv(FRAME)})
    _, other = run({name: converted})
    assert one["dataset_id"] == other["dataset_id"]
    left_out, _ = run({"a.csv": csv(FRAME), name: converted})
    repeats = (RepeatedFile("raw/a.csv", f"raw/{name}", 2_000, 2_000),)
    assert repeats == left_out.repeats
    (sentence,) = left_out.objections()
    assert f"raw/a.csv repeats 2,000 of its 2,000 rows from raw/{name}: more than" in sentence
    assert '[[context]] with role = "row_id"' in sentence


def test_with_a_row_id_repeated_rows_are_counted_once_and_conflicts_are_listed(
    run: Run, moto_bucket: Bucket
) -> None:
    frame = FRAME.assign(row_id=[f"v{n}" for n in range(2_000)])
    _, before = run({"a.csv": csv(frame)}, context=("row_id",))
    late = pd.concat([frame[1_500:], frame[7:9].assign(age=3.5)])
    left_out, manifest = run({"a.csv": csv(frame), "b.csv": csv(late)}, context=("row_id",))
    assert 500 == left_out.rows_repeated
    assert 4 == left_out.rows_quarantined
    assert {"row_id is that of a row with other values": 4} == left_out.reasons
    assert 1_998 == sum(split["rows"] for split in manifest["splits"].values())
    assert () == left_out.objections()
    stored = moto_bucket.get(keys.dataset(manifest["dataset_id"], keys.QUARANTINE))
    assert stored is not None
    listed = pq.read_table(io.BytesIO(stored.data)).to_pandas()
    places = [("raw/a.csv", 9), ("raw/a.csv", 10), ("raw/b.csv", 502), ("raw/b.csv", 503)]
    assert places == list(zip(listed["file"], listed["row"], strict=True))
    assert before["dataset_id"] != manifest["dataset_id"]


def test_rows_without_their_id_go_to_quarantine(run: Run) -> None:
    frame = FRAME.assign(subject=[f"p{n % 700}" for n in range(2_000)]).astype(object)
    frame.loc[3:5, "subject"] = None
    left_out, _ = run({"a.csv": csv(frame)}, context=("subject",))
    assert {"subject must be there": 3} == left_out.reasons


def test_too_many_ids_of_several_rows_are_refused(run: Run) -> None:
    frame = FRAME.assign(row_id=[n // 2 for n in range(2_000)])
    with pytest.raises(BadData, match="2,000 of 2,000 rows break the contract"):
        run({"a.csv": csv(frame)}, context=("row_id",))


def test_a_loss_that_changes_the_share_of_positives_is_an_objection(run: Run) -> None:
    frame = FRAME.astype(object)
    ill = np.flatnonzero(FRAME["diabetes"])
    frame.loc[ill[: len(ill) // 2], "bmi"] = "unknown"
    left_out, _ = run({"a.csv": csv(frame)}, bad_row_share=0.5)
    assert pytest.approx(left_out.prevalence_read) == FRAME["diabetes"].mean()
    assert left_out.prevalence_kept < 0.7 * left_out.prevalence_read
    (sentence,) = left_out.objections()
    assert "changed the share of positives" in sentence


def test_a_large_loss_is_said_with_its_reasons_and_without_objection_where_shares_hold(
    run: Run,
) -> None:
    frame = FRAME.astype(object)
    frame.loc[::10, "bmi"] = "unknown"
    left_out, _ = run({"a.csv": csv(frame)}, bad_row_share=0.5)
    first, second = left_out.notes()
    assert (
        "200 of 2,000 rows (10.0%, which is much) were left out. The most frequent reasons: bmi "
        "must be a number from 10 to 100 (200 rows)."
    ) == first
    assert f"{FRAME['diabetes'].mean():.2%} with the rows that were left out" in second
    assert () == left_out.objections()


def test_what_was_left_out_survives_json() -> None:
    left_out = LeftOut(
        rows_read=10,
        rows_quarantined=2,
        rows_repeated=1,
        reasons={"a": 2},
        copies={"b": "a"},
        repeats=(RepeatedFile("a", "b", 3, 4),),
        prevalence_read=0.5,
        prevalence_kept=0.25,
    )
    assert left_out == from_json(LeftOut, to_json(left_out))
    for damaged in ({}, encode(left_out) | {"rows_read": None}):
        with pytest.raises(BadRecord):
            decode(LeftOut, damaged)
