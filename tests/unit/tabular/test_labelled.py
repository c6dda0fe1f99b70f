"""Labelled predictions of a window, and the weights that make them represent all of them."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from adapters.s3 import Bucket
from domain import keys, times
from domain.contract.contract import Contract
from domain.contract.feature import Feature
from tabular.coverage import effective_rows, is_selective
from tests.unit.labelled_log import END, ROWS, START, Story, label, send_labels
from tests.unit.monitoring import DAY, log, records


@pytest.fixture
def story(moto_bucket: Bucket, contract: Contract) -> Story:
    return Story(moto_bucket, contract)


def test_every_labelled_prediction_is_there_once_with_its_latest_label(story: Story) -> None:
    copy = records(story.frame[:50], story.contract, version=story.version, at=START)
    log(story.bucket, copy, name="copies")
    first = [label(story.ids[n], True, at=START + 1) for n in range(100)]
    later = [label(story.ids[n], False, at=START + 2) for n in range(0, 100, 2)]
    send_labels(story.bucket, later, name="a")
    send_labels(story.bucket, [*first, label("nobody's", True)], name="b")
    found = story.read()
    labels = dict(zip(found.table["prediction_id"].to_pylist(), found.labels, strict=True))
    assert {story.ids[n]: n % 2 for n in range(100)} == labels
    assert (ROWS, 100) == (found.coverage.predictions, found.coverage.labelled)


def test_predictions_that_took_the_fallback_keep_the_answer_that_was_given(story: Story) -> None:
    story.label(np.ones(ROWS, bool))
    for listed in story.bucket.list(keys.stream("log", DAY.date())):
        story.bucket.delete(listed.key)
    table = records(story.frame, story.contract, version=story.version, at=START)
    lines = "\n".join(json.dumps(row) for row in table.to_pylist())
    story.bucket.put(keys.fallback("log", DAY.date(), "a"), lines.encode())
    found = story.read().table
    answers = dict(zip(story.ids, story.frame["predicted"], strict=True))
    assert 0 < sum(answers.values()) < ROWS
    assert answers == dict(
        zip(found["prediction_id"].to_pylist(), found["predicted"].to_pylist(), strict=True)
    )
    assert {"api"} == set(found["source"].to_pylist())


def test_labels_for_a_random_share_weigh_exactly_one(story: Story) -> None:
    story.label(np.random.default_rng(1).random(ROWS) < 0.3)
    found = story.read()
    assert not found.coverage.selective
    assert {1.0} == set(found.weights.tolist())
    assert found.coverage.effective_rows == found.coverage.labelled


def test_selective_labels_are_weighted_back_to_all_predictions(story: Story) -> None:
    rng = np.random.default_rng(2)
    positive, old = story.frame["predicted"].to_numpy(), story.frame["age"].to_numpy() >= 50
    story.label(rng.random(ROWS) < np.where(positive, 0.8, np.where(old, 0.3, 0.1)))
    found = story.read()
    truth = story.frame["label"].mean()
    assert found.coverage.selective
    assert found.coverage.effective_rows < found.coverage.labelled
    assert abs(found.labels.mean() - truth) > 0.08
    assert truth == pytest.approx(np.average(found.labels, weights=found.weights), abs=0.02)
    assert found.weights.mean() == pytest.approx(1)


@pytest.mark.parametrize(
    ("who", "sentence"),
    [("sick", "All .* labels are positive, where about .* negative"),
     ("called sick", "Groups of predictions without a single label hold")],
)  # fmt: skip
def test_labels_for_the_sick_alone_say_nothing_of_the_others(
    story: Story, who: str, sentence: str
) -> None:
    story.label(story.frame["label" if who == "sick" else "predicted"].to_numpy())
    assert re.search(sentence, story.read().coverage.unknown)


def test_few_random_labels_are_no_reason_to_call_anything_unknown(story: Story) -> None:
    story.label(np.arange(ROWS) % 60 == 0)
    assert "" == story.read().coverage.unknown


def test_a_label_after_now_and_a_prediction_outside_the_window_do_not_count(story: Story) -> None:
    late = label(story.ids[0], True, at=END + 3 * times.DAY_MS)
    send_labels(story.bucket, [late, label(story.ids[-1], True), label(story.ids[1], True)])
    found = story.read(end=START + 2_000)
    assert [story.ids[1]] == found.table["prediction_id"].to_pylist()


def test_rows_of_a_contract_that_lacks_a_required_feature_are_counted_apart(story: Story) -> None:
    story.label(np.arange(ROWS) < 20)
    more = (*story.contract.features, Feature(name="weight_kg", kind="number", maximum=300.0))
    found = story.read(contract=replace(story.contract, features=more))
    assert (20, 0) == (found.other_contract, found.coverage.labelled)
    optional = replace(more[-1], nullable=True)
    found = story.read(contract=replace(story.contract, features=(*more[:-1], optional)))
    assert (0, 20) == (found.other_contract, found.coverage.labelled)
    assert 20 == found.table["weight_kg"].null_count


def test_a_log_beyond_the_limits_is_sampled(story: Story) -> None:
    story.label(np.random.default_rng(4).random(ROWS) < 0.5)
    found = story.read(most_rows=500, coverage_rows=1_000)
    assert 0 < found.table.num_rows <= 500
    assert found.coverage.predictions == ROWS
    assert 0.5 == pytest.approx(found.coverage.share, abs=0.06)


def test_coverage_that_differs_by_chance_is_not_selective() -> None:
    rng = np.random.default_rng(5)
    counts = rng.integers(100, 1_000, 30)
    alarms = [is_selective(counts, rng.binomial(counts, 0.2)) for _ in range(400)]
    assert np.mean(alarms) < 0.03
    assert is_selective(counts, rng.binomial(counts, np.where(np.arange(30) < 3, 0.4, 0.2)))


def test_effective_rows_follow_kish() -> None:
    assert 8.0 == effective_rows(np.ones(8))
    assert 1.6 == pytest.approx(effective_rows(np.array([1.0, 3.0])))
