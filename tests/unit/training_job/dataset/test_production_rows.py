"""Labelled predictions join the uploaded rows of a dataset: checked, weighted, split by time."""

import io
import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.context import Context
from domain.contract.contract import Contract
from domain.training.steps import Prepared
from tabular.log_objects import LogObjects
from tabular.models import Models
from tests.unit.labelled_log import END, ROWS, START, Story, label, send_labels
from tests.unit.monitoring import log, publish_model, records, scored
from tests.unit.patients import csv, patients
from training_job.dataset.prepare import prepare
from training_job.dataset.production_rows import Source
from training_job.dataset.production_window import ProductionWindow
from training_job.errors import BadData

UPLOADED = 1_000


def run(bucket: Bucket, contract: Contract, **changes: Any) -> tuple[Prepared, dict[str, Any]]:
    """A dataset of the uploaded rows and of the day's predictions, with its manifest."""
    if not bucket.exists(f"{keys.RAW}a.csv"):
        bucket.put(f"{keys.RAW}a.csv", csv(patients(UPLOADED, seed=1)))
    source = Source(LogObjects(bucket), Models(bucket), START, END, END + times.DAY_MS, 0.3)
    options: dict[str, Any] = {"salt": "s", "bad_row_share": 0.01, "source": source} | changes
    prepared = prepare(
        contract=contract, bucket=bucket, raw_prefix=keys.RAW, execution="e",
        say=lambda _: None, **options,
    )  # fmt: skip
    stored = bucket.get(keys.manifest(prepared.dataset_id))
    assert stored is not None
    return prepared, json.loads(stored.data)


def side(bucket: Bucket, prepared: Prepared, name: str) -> pd.DataFrame:
    stored = bucket.get(keys.dataset(prepared.dataset_id, name))
    assert stored is not None
    frame: pd.DataFrame = pq.read_table(io.BytesIO(stored.data)).to_pandas()
    return frame


@pytest.fixture
def story(moto_bucket: Bucket, contract: Contract) -> Story:
    return Story(moto_bucket, contract)


def test_the_newest_rows_test_the_others_train_and_no_prediction_is_in_both(story: Story) -> None:
    story.label(np.arange(ROWS) % 2 == 0)
    without, _ = run(story.bucket, story.contract, source=None)
    prepared, manifest = run(story.bucket, story.contract)
    sides = {name: side(story.bucket, prepared, name) for name in (*keys.SPLITS, keys.RECENT)}
    ids = {
        name: set(frame.get("prediction_id", pd.Series()).dropna()) for name, frame in sides.items()
    }
    assert {story.ids[n] for n in range(0, ROWS, 2)} == ids["train"] | ids["valid"] | ids["recent"]
    assert sum(map(len, ids.values())) == ROWS // 2
    newest = sides["recent"]["predicted_at"].min()
    assert max(sides[n]["predicted_at"].max() for n in ("train", "valid")) < newest
    assert 0.3 == pytest.approx(len(ids["recent"]) / (ROWS // 2), abs=0.01)
    assert set() == ids["test"]
    for name in keys.SPLITS:
        uploaded = sides[name].loc[
            lambda f: f.get("prediction_id", pd.Series(index=f.index)).isna()
        ]
        assert without.rows[name] == len(uploaded)
        assert {1.0} == set(uploaded.get("sampling_weight", pd.Series([1.0])))
    split = manifest["splits"]["train"]
    assert (
        prepared.rows["train"] == split["rows"] == without.rows["train"] + split["production_rows"]
    )
    assert manifest["production"]["coverage"]["labelled"] == ROWS // 2
    assert any("50.0%" in sentence for sentence in prepared.left_out)


def test_the_same_labels_make_the_same_dataset_and_others_another_one(story: Story) -> None:
    story.label(np.arange(ROWS) < 500)
    one, manifest = run(story.bucket, story.contract)
    again, _ = run(story.bucket, story.contract)
    send_labels(story.bucket, [label(story.ids[600], True)], name="b")
    other, of_other = run(story.bucket, story.contract)
    assert one == again
    assert other.dataset_id != one.dataset_id
    assert manifest["test_rows_id"] == of_other["test_rows_id"]


def test_without_a_label_the_dataset_is_that_of_the_uploaded_rows(story: Story) -> None:
    without, _ = run(story.bucket, story.contract, source=None)
    prepared, manifest = run(story.bucket, story.contract)
    assert without.dataset_id == prepared.dataset_id
    assert 0 == manifest["production"]["coverage"]["labelled"]
    assert any("no production row is in the dataset" in text for text in prepared.left_out)


def test_labels_for_the_sick_alone_are_not_used_and_the_reason_is_said(story: Story) -> None:
    story.label(story.frame["label"].to_numpy())
    without, _ = run(story.bucket, story.contract, source=None)
    prepared, _ = run(story.bucket, story.contract)
    assert without.dataset_id == prepared.dataset_id
    assert re.search(
        "nothing can be known .* So production rows are not used", str(prepared.left_out)
    )


def test_rows_that_break_the_contract_are_in_quarantine_by_their_prediction(story: Story) -> None:
    story.label(np.arange(ROWS) < 1_000)
    story.frame.loc[:2, "age"] = [500.0, np.nan, -3.0]
    story.frame.loc[3, "gender"] = "unheard of"
    log(story.bucket, records(story.frame, story.contract, version=story.version, at=START))
    prepared, manifest = run(story.bucket, story.contract)
    bad = side(story.bucket, prepared, keys.QUARANTINE)
    assert {f"log/dt=2026-01-31/{i}" for i in story.ids[:4]} == set(bad["file"])
    assert 4 == manifest["production"]["quarantined"]
    assert 0 == prepared.rows_quarantined
    with pytest.raises(
        BadData, match=r"4 of 1,000 labelled production rows break the contract.*age"
    ):
        run(story.bucket, story.contract, bad_row_share=0.001)


def test_a_person_is_on_one_side_only(moto_bucket: Bucket, contract: Contract) -> None:
    subject = Context(name="patient", role="subject", nullable=True)
    contract = replace(contract, context=(*contract.context, subject))
    uploaded = patients(UPLOADED, seed=1).assign(patient=[f"u{n % 400}" for n in range(UPLOADED)])
    moto_bucket.put(f"{keys.RAW}a.csv", csv(uploaded))
    version = publish_model(moto_bucket, contract)
    frame = scored(2_000, seed=3)
    rng = np.random.default_rng(1)
    # Some people come again, some have uploaded rows, some are nobody.
    people = [
        f"u{n}" if n < 400 else f"p{n}" if n < 900 else None for n in rng.integers(0, 1_200, 2_000)
    ]
    table = records(frame, contract, version=version, at=START)
    table = table.set_column(
        table.column_names.index("subject"), "subject", pa.array(people, pa.string())
    )
    log(moto_bucket, table)
    ids = table["prediction_id"].to_pylist()
    truth = frame["label"].tolist()
    send_labels(moto_bucket, [label(i, t) for i, t in zip(ids, truth, strict=True)])
    prepared, manifest = run(moto_bucket, contract)
    groups = {
        n: side(moto_bucket, prepared, n)["subject_key"].dropna()
        for n in (*keys.SPLITS, keys.RECENT)
    }
    learned = {*groups["train"], *groups["valid"]}
    assert set() == learned & {*groups["test"], *groups["recent"]}
    assert set() == {*groups["train"]} & {*groups["valid"]}
    assert len(groups["recent"]) > 50
    assert manifest["production"]["set_apart"] == 2_000 - sum(
        manifest["production"][name] for name in ("train", "valid", "recent")
    )
    nobody = pc.sum(pc.is_null(table["subject"])).as_py()
    assert manifest["production"]["set_apart"] < 2_000 - nobody


@pytest.mark.parametrize(
    "document", [True, {"days": 0}, {"days": True}, {"days": 400}, {"from": "2026-01-01"}, "90",
                 None, {"from": 1, "to": 2}, {"from": "2026-02-01", "to": "2026-01-01"}, {"d": 1}],
)  # fmt: skip
def test_a_bad_window_is_refused_with_what_to_write(document: object) -> None:
    [problem] = ProductionWindow.problems(document)
    assert '{"days": N}' in problem


@pytest.mark.parametrize(
    ("document", "days"),
    [(False, None), ({"days": 2}, (91, 93)), ({"from": "1970-03-31", "to": "1970-04-10"}, (89, 93)),
     ({"from": "1970-03-31T12:00:00Z", "to": "1970-04-01"}, (89.5, 90)),
     ({"from": "1970-04-05", "to": "1970-04-10"}, None)],
)  # fmt: skip
def test_a_window_ends_when_labels_are_mature(document: Any, days: Any) -> None:
    assert [] == ProductionWindow.problems(document)
    window = ProductionWindow.parse(document).before(100 * times.DAY_MS, maturity_days=7)
    assert (window and tuple(t / times.DAY_MS for t in window)) == days
