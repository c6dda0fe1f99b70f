"""The package for notebooks: what it loads is what serves and what was logged."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import circle
from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.model.scorer import sigmoid
from ops.target import Target
from tests.repository import ROOT
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.labelled_log import END, ROWS, START, Story
from tests.unit.monitoring import log, records

NOTEBOOK = ROOT / "examples" / "notebooks" / "champion_and_log.ipynb"


class Place(Target):
    """A stage whose buckets are all the same one."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__("dev", None, ROOT)
        object.__setattr__(self, "found", bucket)

    def bucket(self, name: str) -> Bucket:
        assert name in ("models", "predictions")
        found: Bucket = vars(self)["found"]
        return found


@pytest.fixture
def story(moto_bucket: Bucket, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> Story:
    """A day of predictions, and labels for half of them."""
    story = Story(moto_bucket, contract)
    story.label(np.arange(ROWS) % 2 == 0)
    for module in ("champion", "log"):
        monkeypatch.setattr(f"circle.{module}.find_place", lambda **_: Place(moto_bucket))
    monkeypatch.setattr("circle.log.time.time_ns", lambda: (END + 1_000) * 1_000_000)
    return story


def test_the_champion_scores_and_explains_rows_of_the_contract(story: Story) -> None:
    champion = circle.load_champion()
    assert story.version == champion.version
    rows = pd.DataFrame([VALID, VALID | {"bmi": math.nan}, VALID]).assign(note="ignored")
    rows["hypertension"] = [True, False, True]
    answers = champion.predict(rows)
    instance = VALID | {"bmi": None, "hypertension": 0}
    expected = champion.bundle.probability(champion.contract.row(instance))
    assert expected == answers["probability"][1]
    assert (answers["probability"] >= champion.threshold).tolist() == answers["diabetes"].tolist()
    with pytest.raises(ValueError, match="row 2, age must be a number from 0 to 120"):
        champion.predict(rows.assign(age=[1, 2, 4711]))

    explained = circle.explain(rows.iloc[1])
    log_odds = explained.attrs["expected"] + explained["contribution"].sum()
    assert sigmoid(log_odds) == pytest.approx(explained.attrs["probability"])
    assert explained["contribution"].abs().is_monotonic_decreasing
    assert ("Blood glucose", "mg/dl") == tuple(
        explained.loc["blood_glucose_level", ["title", "unit"]]
    )


def test_the_log_and_its_outcomes_are_frames(story: Story, contract: Contract) -> None:
    copies = records(story.frame[:50], contract, version=story.version, at=START)
    log(story.bucket, copies, name="copies")
    found = circle.read_log(days=2)
    assert ROWS == len(found) == found["prediction_id"].nunique()
    assert found["predicted_at"].is_monotonic_increasing
    assert "UTC" == str(found["predicted_at"].dt.tz)
    assert {"hba1c_level", "blood_glucose_level"} <= set(found.columns)

    outcomes = circle.labelled(days=2)
    assert ROWS // 2 == len(outcomes)
    assert (outcomes["weight"] > 0).all()
    truth = dict(zip(story.ids, story.frame["label"].astype(bool), strict=True))
    assert [truth[i] for i in outcomes["prediction_id"]] == outcomes["label"].tolist()
    assert len(circle.load_reference()) > 100


def test_days_without_predictions_are_empty_frames(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("circle.log.time.time_ns", lambda: 10**18)
    assert (0, 0) == (len(circle.read_log()), len(circle.labelled()))
    assert "weight" in circle.labelled().columns


def test_without_a_champion_there_is_a_next_step(story: Story, moto_bucket: Bucket) -> None:
    moto_bucket.delete(keys.CHAMPION)
    with pytest.raises(circle.OpsError) as refused:
        circle.load_champion()
    assert "ops train" in refused.value.next_step


def test_the_notebook_runs_and_is_kept_without_outputs(story: Story) -> None:
    """Cell by cell, as a kernel does; no package of Jupyter's is needed for that."""
    names: dict[str, Any] = {}
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] != "code":
            continue
        assert ([], None) == (cell["outputs"], cell["execution_count"])
        exec("".join(cell["source"]), names)  # noqa: S102 - the repository's own notebook
    assert ROWS // 2 == len(names["outcomes"])
    assert 0.5 < names["recall"] <= 1
    assert names["log"]["model_version"].eq(story.version).all()
