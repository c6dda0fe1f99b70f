"""What production says of a challenger: the newest labelled rows, and the replay of requests."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.contract import Contract
from domain.contract.gate_limits import GateLimits
from domain.model.bundle import Bundle
from domain.model.card import ModelCard
from domain.training.steps import Evaluated
from tabular.log_objects import LogObjects
from tabular.models import Models
from tests.unit.labelled_log import END, START, label, send_labels
from tests.unit.monitoring import log, publish_model, records
from tests.unit.patients import csv, patients
from tests.unit.training_job.evaluation.test_evaluate import PARAMS, STUMPS, World
from training_job.dataset.prepare import prepare
from training_job.dataset.production_rows import Source
from training_job.evaluation.incumbent import Incumbent
from training_job.evaluation.replay import LoggedRequests, replay, sample_requests

LIMITS = GateLimits(minimum_f1=0.1, maximum_calibration_error=1.0, smallest_gain=0.05)
ROWS = 8_000


class Stage:
    """A stump serves and has answered a day's requests, most of which are labelled."""

    def __init__(self, bucket: Bucket, contract: Contract) -> None:
        self.bucket, self.contract = bucket, contract
        bucket.put("raw/a.csv", csv(patients(6_000, seed=3)))
        self.world = World(contract, bucket, self.prepare(None))
        first = self.world.evaluate("one", STUMPS, limits=LIMITS)
        champion = self.world.crown(first)
        self.champion, self.pointer = champion.version, champion.to_json()
        store = ModelStore(bucket)
        self.bundle = store.load_bundle(store.find_model(self.champion))
        self.frame = patients(ROWS, seed=9)
        self.ids = self.log(self.frame, self.champion)

    def prepare(self, source: Source | None) -> str:
        return prepare(
            contract=self.contract, bucket=self.bucket, raw_prefix=keys.RAW, salt="s",
            bad_row_share=0.01, execution="prepare", say=lambda _: None, source=source,
        ).dataset_id  # fmt: skip

    def log(self, frame: pd.DataFrame, version: str, **changes: Any) -> list[str]:
        names = [feature.name for feature in self.contract.features]
        rows = frame[names].itertuples(index=False, name=None)
        logged = frame.rename(columns=str.lower)
        logged["probability"] = [self.bundle.probability(row) for row in rows]
        logged["predicted"] = logged["probability"] >= self.bundle.threshold
        logged = logged.assign(**changes)
        table = records(logged, self.contract, version=version, at=START)
        log(self.bucket, table, name=version)
        return [str(text) for text in table["prediction_id"].to_pylist()]

    def label(self, truth: "npt.NDArray[np.bool_]", count: int = ROWS) -> None:
        given = zip(self.ids[-count:], truth[-count:].tolist(), strict=True)
        send_labels(self.bucket, [label(i, bool(value)) for i, value in given])

    def train(self, execution: str, params: Any = PARAMS, **options: Any) -> Evaluated:
        """A training on uploaded and production rows."""
        source = Source(self.bucket_log, self.models, START, END, END + times.DAY_MS, 0.3)
        self.world.dataset_id = self.prepare(source)
        return self.world.evaluate(execution, params, **({"limits": LIMITS} | options))

    @property
    def bucket_log(self) -> LogObjects:
        return LogObjects(self.bucket)

    @property
    def models(self) -> Models:
        return Models(self.bucket)

    @property
    def requests(self) -> LoggedRequests:
        return LoggedRequests(self.bucket_log, self.models, START, END)

    def card(self, result: Evaluated) -> ModelCard:
        card = ModelStore(self.bucket).read_card(result.version)
        assert card is not None
        return card


@pytest.fixture
def stage(moto_bucket: Bucket, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr("training_job.evaluation.evaluate.draw", lambda *_: [])
    return Stage(moto_bucket, contract)


def test_enough_fresh_rows_decide_and_the_card_says_what_they_saw(stage: Stage) -> None:
    stage.label(stage.frame["diabetes"].to_numpy() == 1)
    result = stage.train("two", requests=stage.requests)
    card = stage.card(result)
    assert result.promote
    assert "fresh production rows" in result.reasons[0]
    assert result.reasons[1].startswith("Production F1")
    assert card.recent is not None
    assert ("decides", 0.3 * ROWS) == (card.recent.role, card.recent.labels)
    assert card.recent.gain is not None
    assert card.recent.gain > 0
    assert card.production is not None
    assert (ROWS, 1.0) == (card.production.rows, card.production.coverage.share)
    tracked = stage.world.tracking
    assert card.recent.metrics["f1"] == tracked.metrics["production_f1"]
    assert tracked.metrics["production_rows"] == ROWS
    text = tracked.files["evaluation/model_card.md"].decode()
    assert "## Quality on the newest production rows" in text
    assert "### Production rows" in text
    assert "## Replay of logged requests" in text
    assert card == ModelCard.from_json(card.to_json())


def test_rows_that_decided_once_are_no_longer_fresh_and_demand_more(stage: Stage) -> None:
    stage.label(stage.frame["diabetes"].to_numpy() == 1)
    stage.world.crown(stage.train("two"))
    reasons = [" ".join(stage.train(name).reasons) for name in ("three", "four", "five")]
    assert all("of the newest production rows" in text for text in reasons)
    assert "earlier model" not in reasons[0]
    assert "have judged 1 earlier model against this champion" in reasons[1]
    assert "have judged 2 earlier models against this champion" in reasons[2]


def test_rows_too_few_to_decide_object_to_a_challenger_that_is_surely_worse(stage: Stage) -> None:
    stage.world.crown(stage.train("two"))
    stage.label(stage.frame["diabetes"].to_numpy() == 1, count=900)
    few = stage.train("three", STUMPS, limits=replace(LIMITS, smallest_gain=0.0001))
    assert "so they can only object" in few.reasons[0]
    assert not few.promote
    assert any(text.startswith("Production") and "surely worse" in text for text in few.reasons)


def test_a_handful_of_labels_says_nothing_and_shows_nothing(stage: Stage) -> None:
    stage.label(stage.frame["diabetes"].to_numpy() == 1, count=20)
    result = stage.train("two")
    assert "Fewer than 11 production rows" in result.reasons[0]
    assert stage.card(result).recent is None


def test_the_replay_counts_changed_answers_by_segment(stage: Stage) -> None:
    result = stage.world.evaluate("two", PARAMS, limits=LIMITS, requests=stage.requests)
    found = stage.card(result).replay
    store = ModelStore(stage.bucket)
    challenger: Bundle = store.load_bundle(store.find_model(result.version))
    names = [feature.name for feature in stage.contract.features]
    rows = list(stage.frame[names].itertuples(index=False, name=None))
    before = np.array([stage.bundle.probability(row) for row in rows])
    after = np.array([challenger.probability(row) for row in rows])
    changed = (before >= stage.bundle.threshold) != (after >= challenger.threshold)
    assert found is not None
    assert (ROWS, ROWS) == (found.rows, found.logged)
    assert changed.mean() == pytest.approx(found.changed, abs=1e-3)
    assert (after - before).mean() == pytest.approx(found.score_shift, abs=1e-6)
    women = (stage.frame["gender"] == "Female").to_numpy()
    assert int(women.sum()) == found.segments["gender=Female"].rows
    assert changed[women].mean() == pytest.approx(found.segments["gender=Female"].changed, abs=1e-3)
    limits = replace(LIMITS, maximum_changed_answers=found.changed / 2)
    stopped = stage.world.evaluate("three", PARAMS, limits=limits, requests=stage.requests)
    assert not stopped.promote


def test_requests_of_another_version_are_answered_by_the_champions_bundle(stage: Stage) -> None:
    other = publish_model(stage.bucket, stage.contract, number=7)
    stage.bucket.put(keys.CHAMPION, stage.pointer)
    stage.log(patients(500, seed=2), other, predicted=False)
    incumbent = Incumbent.read(stage.bucket, stage.contract)
    sampled = sample_requests(stage.requests, stage.contract, most_rows=4_000)
    found = replay(
        sampled, stage.contract, incumbent, score=incumbent.score,
        threshold=stage.bundle.threshold,
    )  # fmt: skip
    assert found is not None
    assert found.rows <= 4_000
    assert (0.0, ROWS + 500) == (found.changed, found.logged)


def test_without_a_champion_or_a_request_nothing_is_replayed(
    moto_bucket: Bucket, contract: Contract, stage: Stage
) -> None:
    nobody = Incumbent()
    options: dict[str, Any] = {"score": lambda _: np.empty(0), "threshold": 0.5}
    assert replay(sample_requests(stage.requests, contract), contract, nobody, **options) is None
    later = replace(stage.requests, start=END + times.DAY_MS, end=END + 2 * times.DAY_MS)
    nothing, champion = sample_requests(later, contract), Incumbent.read(moto_bucket, contract)
    assert replay(nothing, contract, champion, **options) is None
