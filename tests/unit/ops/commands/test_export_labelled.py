"""`ops export-labelled`: the production rows of a training as a Parquet file."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.s3 import Bucket
from domain import times
from domain.contract.contract import Contract
from ops.commands.data import export_labelled
from ops.errors import OpsError
from tests.unit.labelled_log import END, ROWS, Story


@pytest.fixture
def story(moto_bucket: Bucket, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> Story:
    ten_days_later = (END + 10 * times.DAY_MS) * 1_000_000
    monkeypatch.setattr(time, "time_ns", lambda: ten_days_later)
    return Story(moto_bucket, contract)


@pytest.fixture
def target(moto_bucket: Bucket) -> Any:
    return SimpleNamespace(bucket=lambda _: moto_bucket)


def test_the_file_has_each_labelled_prediction_with_label_weight_and_side(
    story: Story, target: Any, tmp_path: Path
) -> None:
    chosen = np.arange(ROWS) % 3 == 0
    story.label(chosen)
    out = tmp_path / "labelled.parquet"
    answer = export_labelled.run(target, out=out)
    frame = pq.read_table(out).to_pandas()
    assert answer.data["rows"] == len(frame) == np.count_nonzero(chosen)
    truth = dict(zip(story.ids, story.frame["label"], strict=True))
    assert [truth[i] for i in frame["prediction_id"]] == (frame["diabetes"] == 1).tolist()
    assert {1.0} == set(frame["sampling_weight"])
    assert {"train", "valid", "recent"} == set(frame["side"])
    assert {story.version} == set(frame["model_version"])
    assert [out] == list(tmp_path.iterdir())


def test_nothing_is_written_without_predictions_that_are_old_enough(
    story: Story, target: Any, tmp_path: Path
) -> None:
    story.label(np.arange(ROWS) < 100)
    with pytest.raises(OpsError, match="There are no predictions from"):
        export_labelled.run(target, out=tmp_path / "a.parquet", maturity_days=20)
    assert [] == list(tmp_path.iterdir())


def test_a_file_that_exists_is_never_overwritten(target: Any, tmp_path: Path) -> None:
    out = tmp_path / "a.parquet"
    out.write_bytes(b"mine")
    with pytest.raises(OpsError, match="exists already"):
        export_labelled.run(target, out=out)
    assert b"mine" == out.read_bytes()


def test_a_writer_that_dies_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_: pa.Table, path: Path, **__: Any) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(pq, "write_table", die)
    with pytest.raises(KeyboardInterrupt):
        export_labelled.write(pa.table({"a": [1]}), tmp_path / "a.parquet")
    assert [] == list(tmp_path.iterdir())
