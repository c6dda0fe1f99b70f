"""Batch scoring: every row gets a score or a reason, once, wherever it is interrupted."""

import io
import json
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.contract.deployed_context import NO_CONTEXT, DeployedContext
from domain.contract.records import SUBJECT_KEY, prediction_log_columns, sample_key
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from tests.repository import CONTRACT_TOML
from tests.unit.domain.contract.test_context import CONTEXT
from tests.unit.fakes import random_forest
from tests.unit.patients import csv, patients
from training_job.dataset import tables
from training_job.dataset.files import csv_reading, text_blocks
from training_job.dataset.hashing import hash_texts
from training_job.errors import BadData, BadInput, ExportDisagrees, NothingToScoreWith
from training_job.inputs import ExecutionInput
from training_job.model.walk import Walk
from training_job.scoring import score as scoring
from training_job.scoring.score import score
from training_job.scoring.score_request import OUTPUT_COLUMNS, ScoreRequest

FRAME = patients(1_000, seed=5).drop(columns="diabetes")
INPUT = f"{keys.SCORING}in/a.csv"
OUTPUT = f"{keys.SCORING}out/x/"


@pytest.fixture
def bundle(contract: Contract) -> Bundle:
    return Bundle(contract, random_forest(contract, 3, trees=20), 0.3)


@pytest.fixture
def bucket(moto_bucket: Bucket, bundle: Bundle) -> Bucket:
    """Data, models and predictions in one, with a champion and a file to score."""
    content = bundle.to_bytes()
    model = ModelRef.of(1, digest(content))
    moto_bucket.put(model.bundle_key, content)
    champion = Champion.successor(None, model, action="promote", execution="e", now=1)
    moto_bucket.put(keys.CHAMPION, champion.to_json())
    moto_bucket.put(INPUT, csv(FRAME))
    return moto_bucket


def run(bucket: Bucket, **options: Any) -> dict[str, Any]:
    say = options.pop("say", lambda _: None)
    context = options.pop("context", NO_CONTEXT)
    request = ScoreRequest(**{"input": INPUT, "output": OUTPUT, **options})
    scored = score(
        request=request,
        data=bucket,
        models=bucket,
        predictions=bucket,
        say=say,
        context=context,
    )
    return scored.to_dict()


def table(bucket: Bucket, prefix: str) -> pd.DataFrame:
    parts = [entry.key for entry in bucket.list(prefix) if entry.key.endswith(".parquet")]
    frames = []
    for key in parts:
        stored = bucket.get(key)
        assert stored is not None
        frames.append(pq.read_table(io.BytesIO(stored.data)).to_pandas())
    whole: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return whole


def test_the_scores_are_the_predictors_own(bucket: Bucket, bundle: Bundle) -> None:
    assert 1000 == run(bucket)["rows"]
    scored = table(bucket, OUTPUT)
    rows: list[dict[str, Any]] = FRAME.to_dict(orient="records")  # type: ignore[assignment]  # names are texts
    expected = [bundle.probability(bundle.contract.row(row)) for row in rows]
    assert expected == scored["probability"].tolist()
    assert (np.array(expected) >= 0.3).tolist() == scored["predicted"].tolist()
    assert list(range(2, 1002)) == scored["row"].tolist()


def test_a_score_that_is_not_the_predictors_stops_the_scoring(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Walk.margins
    monkeypatch.setattr(Walk, "margins", lambda walk, matrix: right(walk, matrix) * (1 + 1e-15))
    with pytest.raises(ExportDisagrees, match="nothing was scored"):
        run(bucket)
    assert [] == [entry.key for entry in bucket.list(OUTPUT) if entry.key.endswith(".parquet")]


def test_a_missing_value_is_scored_and_a_bad_row_gets_its_reason(
    bucket: Bucket, bundle: Bundle
) -> None:
    frame = FRAME[:4].astype(object)
    frame.loc[0, "bmi"] = None
    frame.loc[1, "age"] = 999
    lines = csv(frame).decode().splitlines()
    lines.insert(4, "too,few")
    bucket.put(INPUT, "\n".join(lines).encode())
    summary = run(bucket)
    scored = table(bucket, OUTPUT)
    reasons = [
        "",
        "age must be a number from 0 to 120",
        "",
        "has 2 fields, and the header has 8",
        "",
    ]
    assert reasons == scored["reason"].fillna("").tolist()
    assert [2, 3, 4, 5, 6] == scored["row"].tolist()
    assert [False, True, False, True, False] == scored["probability"].isna().tolist()
    first: dict[str, Any] = {str(k): v for k, v in frame.iloc[0].items()} | {"bmi": None}
    assert (
        pytest.approx(bundle.probability(bundle.contract.row(first)), abs=1e-6)
        == scored["probability"][0]
    )
    assert (5, 2) == (summary["rows"], summary["refused"])


def test_an_interrupted_scoring_goes_on_and_scores_no_row_twice(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b", "c"):
        bucket.put(f"{keys.SCORING}in/{name}.csv", csv(FRAME[:300]))
    monkeypatch.setattr(scoring, "PART_ROWS", 200)
    written: list[str] = []
    store = tables.store

    def dies_at_the_third(part: Any, target: Bucket, key: str, **options: Any) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        store(part, target, key, **options)
        written.append(key)

    monkeypatch.setattr(tables, "store", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(bucket, input=f"{keys.SCORING}in/", log=True)
    first = list(written)
    monkeypatch.setattr(tables, "store", store)
    summary = run(bucket, input=f"{keys.SCORING}in/", log=True)
    again = run(bucket, input=f"{keys.SCORING}in/", log=True)
    assert summary == again
    assert 3 == len(first)
    logged, scored = table(bucket, "log/"), table(bucket, OUTPUT)
    assert 1600 == len(scored) == len(logged) == logged["prediction_id"].nunique()
    assert set(scored["prediction_id"]) == set(logged["prediction_id"])


def test_logged_rows_look_like_the_predictors_records(bucket: Bucket, contract: Contract) -> None:
    run(bucket, log=True)
    logged = table(bucket, "log/dt=")
    assert list(prediction_log_columns(contract)) == list(logged.columns)
    assert {"batch"} == set(logged["source"])
    ids = logged["prediction_id"].tolist()
    assert ids == [str(uuid.UUID(i)) for i in ids]
    assert [sample_key(i) for i in ids] == logged["sample_key"].tolist()
    assert FRAME["gender"].tolist() == logged["gender"].tolist()
    np.testing.assert_allclose(FRAME["HbA1c_level"], logged["hba1c_level"])


def test_context_is_logged_with_scored_rows_and_changes_no_score(
    bucket: Bucket, contract: Contract
) -> None:
    run(bucket, log=True)
    plain = table(bucket, OUTPUT)["probability"].tolist()
    for entry in list(bucket.list("log/")):
        bucket.delete(entry.key)
    context = DeployedContext.of(Contract.parse(CONTRACT_TOML.read_text() + CONTEXT))
    sent = FRAME.assign(Visit=[f"v {n}" for n in range(1_000)], Site="north", urgent=[0, 1] * 500)
    sent["patient"] = [f"p-{n}" if n % 2 == 0 else None for n in range(1_000)]
    bucket.put(INPUT, csv(sent.assign(Site=["east", *sent["Site"][1:]])))
    output = f"{keys.SCORING}out/with/"
    assert 1 == run(bucket, log=True, output=output, context=context)["refused"]
    assert plain[1:] == table(bucket, output)["probability"].tolist()[1:]
    logged = table(bucket, "log/")
    assert list(prediction_log_columns(context.add_to(contract))) == list(logged.columns)
    expected = [f"v {n}" for n in range(1, 1_000)]
    assert expected == logged["reference"].tolist()
    assert {"north"} == set(logged["site"])
    assert [1, 0, 1] == logged["urgent"].tolist()[:3]
    people = [f"p-{n}" for n in range(2, 1_000, 2)]
    assert people == logged["subject"].dropna().tolist()
    scored = table(bucket, output)
    known = scored[SUBJECT_KEY].dropna()  # doubles, as pandas reads whole numbers with gaps
    assert hash_texts(pa.array(["p-0", *people])).astype(float).tolist() == known.tolist()


def test_parts_follow_each_other_in_the_order_of_rows_malformed_ones_too(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "PART_ROWS", 100)
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", 4_096)
    lines = csv(FRAME).decode().splitlines()
    malformed = [3, 4, 90, 400, 401, 999, 1008, 1009]  # rows of the file; the first is the header
    for row in malformed:
        lines.insert(row - 1, "too,few")
    bucket.put(INPUT, "\n".join(lines).encode())
    run(bucket)
    scored = table(bucket, OUTPUT)
    assert list(range(2, 1010)) == scored["row"].tolist()
    refused = scored["row"][scored["reason"].notna()]
    assert malformed == refused.tolist()


def test_the_output_carries_the_key_and_the_chosen_columns(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "PART_ROWS", 300)
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", 8_192)
    text = CONTRACT_TOML.read_text() + '[[context]]\nname = "number"\nrole = "row_id"\n'
    numbered = FRAME.assign(number=[f"n-{n}" for n in range(1_000)], ward="east, 2")
    numbered.loc[500, "gender"] = "?"
    lines = csv(numbered).decode().splitlines()
    bucket.put(INPUT, "\n".join([*lines[:11], "too,few", *lines[11:]]).encode())
    context = DeployedContext.of(Contract.parse(text))
    run(bucket, keep=("ward", "age"), context=context)
    scored = table(bucket, OUTPUT)
    kept = scored.dropna(subset="row_id")
    assert [12] == scored.loc[scored["row_id"].isna(), "row"].tolist()  # it couldn't be read
    assert numbered["number"].tolist() == kept["row_id"].tolist()
    assert {"east, 2"} == set(kept["ward"])
    assert numbered["age"].tolist() == kept["age"].astype(float).tolist()
    assert 2 == scored["reason"].notna().sum()


def test_a_kept_column_called_like_one_of_the_outputs_gets_a_name_of_its_own(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "PART_ROWS", 300)
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", 8_192)
    run(bucket)
    names = sorted(OUTPUT_COLUMNS)
    added = {name: [f"{name} {n}" for n in range(1_000)] for name in names}
    bucket.put(INPUT, csv(FRAME.assign(**added)))
    place = f"{keys.SCORING}out/kept/"
    run(bucket, output=place, keep=tuple(names))
    scored, plain = table(bucket, place), table(bucket, OUTPUT)
    assert added == {name: scored[f"kept_{name}"].tolist() for name in names}
    assert plain.equals(scored[plain.columns])
    assert {f"kept_{name}" for name in names} == {*scored.columns} - {*plain.columns}


def test_a_single_row_is_scored_as_among_others(bucket: Bucket) -> None:
    run(bucket)
    bucket.put(INPUT, csv(FRAME[:1]))
    run(bucket, output=f"{keys.SCORING}out/one/")
    (alone,) = table(bucket, f"{keys.SCORING}out/one/")["probability"]
    assert table(bucket, OUTPUT)["probability"][0] == alone


def test_columns_of_parquet_keep_their_type(bucket: Bucket) -> None:
    made = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(FRAME.assign(ward=range(1_000))), made)
    place = f"{keys.SCORING}in/a.parquet"
    bucket.put(place, made.getvalue())
    run(bucket, input=place, keep=("ward",))
    assert [*range(1_000)] == table(bucket, OUTPUT)["ward"].tolist()


def test_a_chosen_column_that_the_file_lacks_is_named(bucket: Bucket) -> None:
    with pytest.raises(BadData, match="ward"):
        run(bucket, keep=("ward",))


def test_other_columns_are_another_request(bucket: Bucket) -> None:
    run(bucket)
    with pytest.raises(BadInput, match="name another output"):
        run(bucket, keep=("age",))


@pytest.mark.parametrize(
    ("keep", "problem"),
    [
        ("age", "must be a list"),
        ([""], "must be a list"),
        (["age", "age"], "name each column once"),
        (["kept_row", "row"], "row and kept_row would both be called kept_row"),
    ],
)
def test_chosen_columns_that_make_no_sense_are_refused(keep: object, problem: str) -> None:
    (found,) = ScoreRequest.problems({"input": INPUT, "output": OUTPUT, "keep": keep})
    assert problem in found


def test_how_far_it_is_can_be_read_while_it_goes_on(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "PART_ROWS", 4_000)
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", 4_096)
    monkeypatch.setattr(csv_reading, "LONGEST_HEADER", 1_000)
    whole = csv(pd.concat([FRAME] * 10))
    for name in ("a", "b"):
        bucket.put(f"{keys.SCORING}in/{name}.csv", whole)
    told: list[dict[str, Any]] = []

    def look(_: str) -> None:
        stored = bucket.get(keys.scoring_progress(OUTPUT))
        assert stored is not None
        told.append(json.loads(stored.data))

    run(bucket, input=f"{keys.SCORING}in/", say=look)
    size = 2 * len(whole)
    shares = [progress["bytes"] / size for progress in told]
    assert shares == sorted(shares)
    assert (1.0, 20_000) == (shares[-1], told[-1]["rows"])
    assert 0 < shares[0] < 0.5


def test_another_request_may_not_continue_an_output(bucket: Bucket) -> None:
    run(bucket)
    bucket.put(INPUT, csv(FRAME[:10]))
    with pytest.raises(BadInput, match="name another output"):
        run(bucket)


@pytest.mark.parametrize("content", [b"{", b"[1]", b'{"version": "1"}'])
def test_an_output_whose_plan_is_damaged_is_left_alone(bucket: Bucket, content: bytes) -> None:
    bucket.put(keys.scoring_plan(OUTPUT), content)
    with pytest.raises(BadInput, match="can't be read: name another output"):
        run(bucket)


def test_without_input_or_model_nothing_is_written(bucket: Bucket) -> None:
    with pytest.raises(BadData, match=r"There is no \.csv"):
        run(bucket, input=f"{keys.SCORING}in/none/")
    with pytest.raises(NothingToScoreWith, match="7-0a1b2c3d"):
        run(bucket, version="7-0a1b2c3d")
    bucket.delete(keys.CHAMPION)
    with pytest.raises(NothingToScoreWith, match="No model serves"):
        run(bucket)
    assert [] == list(bucket.list(OUTPUT))


def test_a_bundle_whose_bytes_changed_is_not_loaded(bucket: Bucket) -> None:
    (entry,) = bucket.list(keys.BUNDLES)
    stored = bucket.get(entry.key)
    assert stored is not None
    bucket.put(entry.key, stored.data[:-1] + b"x")
    with pytest.raises(NothingToScoreWith, match="match the hash"):
        run(bucket)


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("x", "must be a JSON object"),
        ({}, "score.input must be.*; score.output must be"),
        (
            {"input": "mlflow/x", "output": OUTPUT},
            "score.input must be a file under raw/ or scoring/",
        ),
        (
            {"input": "datasets/0/test.parquet", "output": OUTPUT},
            "score.input must be a file under",
        ),
        ({"input": "raw/2024", "output": OUTPUT}, "or a folder there, ending with /"),
        ({"input": "raw/", "output": "raw/out/"}, "score.output must be a folder under"),
        ({"input": "scoring/", "output": OUTPUT}, "must lie outside"),
        ({"input": "raw/", "output": OUTPUT, "log": 1}, "score.log must be true or false"),
        ({"input": "raw/", "output": OUTPUT, "version": "x"}, "score.version must be a version"),
        ({"input": "raw/", "output": OUTPUT, "x": 1}, "score.x is not known"),
    ],
)
def test_a_bad_request_is_refused_with_every_problem(document: object, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        ExecutionInput.parse({"score": document})


def test_a_refusal_names_the_files_that_are_there_and_not_read(bucket: Bucket) -> None:
    bucket.put(f"{keys.SCORING}zip/a.zip", b"x")
    with pytest.raises(BadData, match=r"Found and not read, .*: scoring/zip/a\.zip\."):
        run(bucket, input=f"{keys.SCORING}zip/")


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (csv(FRAME[:5]).replace(b",", b";").replace(b".", b","), "have a decimal comma"),
        (csv(FRAME[:5]).replace(b"\n", b"\n1,"), "give that column a"),
    ],
    ids=["decimal commas", "row names without a header"],
)
def test_the_log_says_what_to_do_about_refused_rows(
    bucket: Bucket, content: bytes, advice: str
) -> None:
    bucket.put(INPUT, content)
    said: list[str] = []
    run(bucket, say=said.append)
    assert 1 == sum(advice in line for line in said)
