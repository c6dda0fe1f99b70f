"""The evaluation: figures with intervals, the champion on the same rows, card and pictures."""

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.contract.gate_limits import GateLimits
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from domain.training.steps import Evaluated
from tabular.segments import segment_masks
from tests.cards import make_card
from tests.repository import CONTRACT_TOML
from tests.unit.patients import csv, patients
from training_job.dataset.prepare import prepare
from training_job.errors import BadData
from training_job.evaluation.evaluate import evaluate
from training_job.evaluation.plots import PICTURES
from training_job.model.model import Params

PARAMS = {"max_depth": 3, "learning_rate": 0.2}
STUMPS = {"max_depth": 1, "learning_rate": 0.05, "min_child_weight": 600.0}
LIMITS = GateLimits(minimum_f1=0.3, maximum_calibration_error=0.5, segment_margin=0.1)


@dataclass
class FakeTracking:
    """Remembers what it was given."""

    numbers: int = 0
    name: str = ""
    descriptions: tuple[str, str] = ("", "")
    metrics: dict[str, float] = field(default_factory=dict)
    documents: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def run_of(self, execution: str) -> str:
        return f"run-{execution}"

    def register(self, **_: Any) -> str:
        self.numbers += 1
        return str(self.numbers)

    def describe(self, number: str, *, model: str, version: str) -> None:
        assert str(self.numbers) == number
        self.descriptions = (model, version)

    def log_final(self, _: str, *, name: str, metrics: Any, documents: Any, **__: Any) -> None:
        self.name, self.metrics, self.documents = name, dict(metrics), dict(documents)

    def log_files(self, _: str, folder: Path, name: str) -> None:
        self.files = {f"{name}/{path.name}": path.read_bytes() for path in folder.iterdir()}

    def finish(self, run_id: str) -> None:
        assert run_id.startswith("run-")


@dataclass
class World:
    """A prepared dataset, and evaluations of it."""

    contract: Contract
    bucket: Bucket
    dataset_id: str
    tracking: FakeTracking = field(default_factory=FakeTracking)

    def evaluate(self, execution: str, params: Params, **options: Any) -> Evaluated:
        return evaluate(
            data=self.bucket,
            models=self.bucket,
            tracking=self.tracking,  # type: ignore[arg-type]  # a fake
            params=params,
            execution=execution,
            seed=1,
            **{
                "say": lambda _: None,
                "contract": self.contract,
                "dataset_id": self.dataset_id,
                "limits": LIMITS,
                **options,
            },
        )

    def crown(self, result: Evaluated) -> Champion:
        version = result.version
        model = ModelRef(version, keys.bundle(version), result.sha256)
        champion = Champion.successor(None, model, action="promote", execution="x", now=1)
        self.bucket.put(keys.CHAMPION, champion.to_json())
        return champion

    def card(self, result: Evaluated) -> dict[str, Any]:
        stored = self.bucket.get(keys.card(result.version))
        assert stored is not None
        card: dict[str, Any] = json.loads(stored.data)
        return card


@pytest.fixture
def quick(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world without pictures, which take most of the time."""
    monkeypatch.setattr("training_job.evaluation.evaluate.draw", lambda *_: [])
    return world


@pytest.fixture
def world(contract: Contract, moto_bucket: Bucket) -> World:
    moto_bucket.put("raw/a.csv", csv(patients(6_000, seed=3)))
    result = prepare(
        contract=contract,
        bucket=moto_bucket,
        raw_prefix=keys.RAW,
        salt="s",
        bad_row_share=0.01,
        execution="prepare",
        say=lambda _: None,
    )
    return World(contract, moto_bucket, result.dataset_id)


def test_the_first_model_gets_a_card_with_intervals_segments_and_pictures(world: World) -> None:
    result = world.evaluate("one", PARAMS, operator="ops --stage prod")
    card = world.card(result)

    assert (True, "first") == (result.promote, result.rule)
    assert re.fullmatch(rf"{result.version}, F1 0\.\d+, passed the gate", world.tracking.name)
    model, version = world.tracking.descriptions
    assert "*Promote model*, changes nothing that serves" in model
    assert "`ops --stage prod rollback --to VERSION` lets" in model
    assert f"Version `{result.version}`" in version
    assert result.reasons[0] in version
    typical = {value["feature"]: value for value in card["typical"]}
    assert world.contract.names == set(typical)
    assert 20 < typical["age"]["number"] < 60
    assert {
        "f1", "precision", "recall", "roc_auc", "pr_auc", "brier", "log_loss",
        "relative_calibration_error",
    } == set(card["metrics"])  # fmt: skip
    assert set(card["intervals"]) == set(card["metrics"])
    for name, (low, high) in card["intervals"].items():
        assert low <= card["metrics"][name] <= high, name
    assert [
        "gender=Female", "gender=Male", "gender=Other",
        "age under 30", "age 30 to under 50", "age 50 to under 70", "age 70 and over",
    ] == [s["segment"] for s in card["segments"]]  # fmt: skip
    shown = [s["rows"] for s in card["segments"][3:] if s["rows"] is not None]
    assert 0 < sum(shown) <= card["rows"]["test"]
    assert list(result.reasons) == card["verdict"]["reasons"]
    assert world.tracking.documents["card.json"] == card
    assert world.tracking.metrics["test_f1_low"] == card["intervals"]["f1"][0]
    expected = {f"evaluation/{name}.png" for name in PICTURES} | {"evaluation/model_card.md"}
    assert expected == set(world.tracking.files)
    pictures = [data for name, data in world.tracking.files.items() if name.endswith(".png")]
    assert all(data.startswith(b"\x89PNG") and len(data) > 5_000 for data in pictures)
    text = world.tracking.files["evaluation/model_card.md"].decode()
    assert f"# Model card: diabetes {result.version}" in text
    assert "| gender=Female |" in text


def test_weights_of_uploaded_rows_reach_fit_figures_and_card(quick: World) -> None:
    text = CONTRACT_TOML.read_text().replace("[target]\nname", '[target]\nweight = "w"\nname')
    frame = patients(6_000, seed=3)
    frame = frame.assign(w=np.where(frame["diabetes"] == 1, 700, 100))
    for listed in list(quick.bucket.list(keys.RAW)):
        quick.bucket.delete(listed.key)
    quick.bucket.put("raw/a.csv", csv(frame))
    contract, said = Contract.parse(text), list[str]()
    prepared = prepare(
        contract=contract,
        bucket=quick.bucket,
        raw_prefix=keys.RAW,
        salt="s",
        bad_row_share=0.01,
        execution="prepare",
        say=said.append,
    )
    assert [line for line in said if "weighted by w" in line and "becomes 1" in line]
    result = quick.evaluate("one", PARAMS, contract=contract, dataset_id=prepared.dataset_id)
    card = quick.card(result)
    share = np.average(frame["diabetes"], weights=frame["w"])
    assert share > 1.5 * frame["diabetes"].mean()
    assert pytest.approx(share, abs=0.03) == card["prevalence"]
    assert pytest.approx(share, abs=0.06) == card["missing"][0]["usual_mean"]
    assert card["rows"]["test"] * 0.4 < card["effective_test_rows"] < card["rows"]["test"] * 0.95
    written = quick.tracking.files["evaluation/model_card.md"].decode()
    assert f"informative as {card['effective_test_rows']:,.0f} rows of equal weight" in written


def test_a_picture_that_fails_is_said_and_costs_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("no font")

    monkeypatch.setitem(PICTURES, "calibration", fail)
    said: list[str] = []
    world.evaluate("one", PARAMS, say=said.append)
    assert [line for line in said if "calibration could not be drawn" in line]
    names = {name.removeprefix("evaluation/") for name in world.tracking.files}
    assert {"calibration.png"} == {f"{name}.png" for name in PICTURES} - names


def test_the_proof_sees_every_row_twice_in_whatever_batches(
    quick: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training_job.dataset.dataset.BATCH_ROWS", 100)
    said: list[str] = []
    result = quick.evaluate("one", PARAMS, say=said.append)
    rows = quick.card(result)["rows"]["test"]
    assert f"the exported scorer agrees with XGBoost on {2 * rows:,} rows" == said[0]


def test_the_same_model_again_is_a_tie_and_a_worse_champion_is_replaced(quick: World) -> None:
    weak, strong = quick.evaluate("weak", STUMPS), quick.evaluate("strong", PARAMS)
    assert weak.metrics["f1"] < strong.metrics["f1"]

    quick.crown(weak)
    better = quick.evaluate("two", PARAMS)
    assert (True, "paired") == (better.promote, better.rule)
    assert pytest.approx(weak.metrics["f1"]) == better.champion_metric

    quick.crown(strong)
    tie = quick.evaluate("three", PARAMS)
    assert not tie.promote
    assert pytest.approx(strong.metrics["f1"]) == tie.champion_metric
    assert "+0.0000" in tie.reasons[0]


def test_a_repeated_evaluation_comes_to_the_same_verdict(quick: World) -> None:
    quick.crown(quick.evaluate("weak", STUMPS))
    first, again = quick.evaluate("two", PARAMS), quick.evaluate("two", PARAMS)
    assert first == replace(again, version=first.version)  # this registry numbers each one anew


@pytest.mark.parametrize("damage", [b"damaged", None])
def test_a_damaged_champion_is_a_case_of_its_own(quick: World, damage: bytes | None) -> None:
    champion = quick.crown(quick.evaluate("one", PARAMS))
    if damage is None:
        quick.bucket.delete(champion.bundle_key)
    else:
        quick.bucket.put(champion.bundle_key, damage)
    result = quick.evaluate("two", PARAMS)
    assert (True, "bundle_damaged") == (result.promote, result.rule)
    assert result.champion_version == champion.version
    assert result.champion_metric is None
    assert "its bundle is damaged or missing" in result.reasons[0]


@pytest.mark.parametrize(("recorded", "promote"), [(0.2, True), (0.999, False)])
def test_a_champion_of_another_contract_is_compared_by_its_card(
    quick: World, recorded: float, promote: bool
) -> None:
    champion = quick.crown(quick.evaluate("one", PARAMS))
    stored = quick.bucket.get(champion.bundle_key)
    assert stored is not None
    other = replace(
        Bundle.from_bytes(stored.data, champion.sha256),
        contract=replace(quick.contract, target="stroke"),
    ).to_bytes()
    model = ModelRef.of(1, digest(other))
    quick.bucket.put(model.bundle_key, other)
    quick.bucket.put(
        keys.card(model.version), make_card(model.version, metrics={"f1": recorded}).to_json()
    )
    pointer = Champion.successor(None, model, action="promote", execution="x", now=1)
    quick.bucket.put(keys.CHAMPION, pointer.to_json())

    result = quick.evaluate("two", PARAMS)
    assert (promote, "contract_changed") == (result.promote, result.rule)
    assert f"{recorded:.4f} on its card" in result.reasons[0]


def test_what_the_next_state_gets_stays_small(quick: World) -> None:
    quick.crown(quick.evaluate("weak", STUMPS))
    assert len(json.dumps(quick.evaluate("two", PARAMS).to_dict())) < 2_000


def test_a_missing_value_belongs_to_no_segment(contract: Contract) -> None:
    table = pa.table(
        {"gender": ["Male", None, "Female"], "age": pa.array([29.9, 30.0, None], pa.float64())}
    )
    masks = segment_masks(table, contract)
    assert {
        "gender=Female": [2],
        "gender=Male": [0],
        "age under 30": [0],
        "age 30 to under 50": [1],
    } == {n: list(np.flatnonzero(m)) for n, m in masks.items() if m.any()}


def test_repeated_files_keep_the_champion_and_are_named_on_the_card(quick: World) -> None:
    quick.bucket.put("raw/b.csv", csv(patients(6_000, seed=3)[::-1]))
    made = prepare(
        contract=quick.contract,
        bucket=quick.bucket,
        raw_prefix=keys.RAW,
        salt="s",
        bad_row_share=0.01,
        execution="prepare",
        say=lambda _: None,
    )
    found = quick.evaluate("again", PARAMS, dataset_id=made.dataset_id)
    assert not found.promote
    sentence = "raw/a.csv repeats 6,000 of its 6,000 rows from raw/b.csv"
    assert any(sentence in reason for reason in found.reasons)
    assert made.left_out[0] in found.reasons
    text = quick.tracking.files["evaluation/model_card.md"].decode()
    assert sentence in text.partition("### What was left out")[2].partition("## ")[0]


def test_a_dataset_without_a_readable_manifest_is_refused(quick: World) -> None:
    quick.bucket.put(keys.manifest(quick.dataset_id), b"{}")
    with pytest.raises(BadData, match="missing or damaged; train again"):
        quick.evaluate("first", PARAMS)


def test_a_model_that_never_saw_a_missing_value_is_refused_and_one_that_did_is_not(
    quick: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = quick.evaluate("taught", PARAMS)
    monkeypatch.setattr("training_job.model.masking.SHARE", 0.0)
    untaught = quick.evaluate("untaught", PARAMS)
    assert (True, False) == (taught.promote, untaught.promote)
    assert any("Without HbA1c_level the mean answer is" in r for r in untaught.reasons)
    nullable = [feature.name for feature in quick.contract.features if feature.nullable]
    text = quick.tracking.files["evaluation/model_card.md"].decode()
    section = text.partition("## When a value is missing")[2].partition("## ")[0]
    assert all(f"| {name} |" in section for name in nullable)


def test_verdicts_on_the_same_test_rows_since_the_last_promotion_are_counted(quick: World) -> None:
    quick.crown(quick.evaluate("one", PARAMS))
    reasons = [" ".join(quick.evaluate(name, PARAMS).reasons) for name in ("two", "three", "four")]
    assert "earlier model" not in reasons[0]
    assert "have judged 1 earlier model against" in reasons[1]
    assert "have judged 2 earlier models against" in reasons[2]
    repeated = quick.evaluate("four", PARAMS).reasons
    assert "have judged 2 earlier models against" in " ".join(repeated)
    quick.bucket.put("raw/b.csv", csv(patients(50, seed=4)))
    other = prepare(
        contract=quick.contract,
        bucket=quick.bucket,
        raw_prefix=keys.RAW,
        salt="s",
        bad_row_share=0.01,
        execution="prepare",
        say=lambda _: None,
    )
    found = quick.evaluate("four", PARAMS, dataset_id=other.dataset_id)
    assert "earlier model" not in " ".join(found.reasons)


@pytest.mark.parametrize(
    ("target", "metric", "sentence"),
    [
        (
            {"cost": {"false_negative": 5}},
            "saved_cost",
            "the lowest expected cost, 5 for a missed positive and 1 for a false alarm",
        ),
        (
            {"minimum_recall": 0.85},
            "precision",
            "the highest precision with a recall of at least 0.85",
        ),
        (
            {"minimum_precision": 0.3},
            "recall",
            "the highest recall with a precision of at least 0.3",
        ),
    ],
)
def test_a_cost_or_a_required_figure_decides_over_threshold_and_verdict(
    quick: World, target: dict[str, Any], metric: str, sentence: str
) -> None:
    usual = quick.evaluate("usual", PARAMS)
    quick.crown(quick.evaluate("weak", STUMPS))
    document = quick.contract.to_dict()
    document["target"] |= target
    found = quick.evaluate("asked", PARAMS, contract=Contract.from_dict(document))
    assert "paired" == found.rule
    name = metric.replace("_", " ")
    assert any(f"{name} {found.metrics[metric]:.4f}" in reason for reason in found.reasons)
    assert usual.metrics["recall"] < found.metrics["recall"]
    assert quick.card(found)["threshold"] < quick.card(usual)["threshold"]
    text = quick.tracking.files["evaluation/model_card.md"].decode()
    assert sentence in text


def test_segments_are_compared_by_the_metric_that_the_limits_name(quick: World) -> None:
    quick.crown(quick.evaluate("good", PARAMS))
    limits = replace(LIMITS, segment_metric="false_positive_rate")
    # It answers yes to all, so it finds every positive.
    found = quick.evaluate("weak", STUMPS, limits=limits)
    segments = [reason for reason in found.reasons if reason.startswith("Segment ")]
    assert segments
    assert all(" has a false positive rate higher by " in reason for reason in segments)


SITE = """
[[context]]
name = "Site"
kind = "category"
categories = ["north", "south", "west"]

[[segments]]
feature = "Site"
"""


def test_the_gate_compares_the_groups_of_a_context_column_like_those_of_a_feature(
    moto_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training_job.evaluation.evaluate.draw", lambda *_: [])
    contract = Contract.parse(CONTRACT_TOML.read_text() + SITE)
    sites = np.random.default_rng(1).choice(["north", "south", "west"], 6_000, p=[0.3, 0.697, 3e-3])
    moto_bucket.put("raw/a.csv", csv(patients(6_000, seed=3).assign(Site=sites)))
    made = prepare(
        contract=contract,
        bucket=moto_bucket,
        raw_prefix=keys.RAW,
        salt="s",
        bad_row_share=0.01,
        execution="prepare",
        say=lambda _: None,
    )
    world = World(contract, moto_bucket, made.dataset_id)
    world.crown(world.evaluate("good", PARAMS))
    limits = replace(LIMITS, segment_metric="false_positive_rate")
    found = world.evaluate("weak", STUMPS, limits=limits)  # it answers yes to all
    reasons = " ".join(found.reasons)
    assert "Segment Site=north (" in reasons
    assert "Segment Site=south (" in reasons
    groups = {s["segment"]: s for s in world.card(found)["segments"] if "Site" in s["segment"]}
    assert {"Site=north", "Site=south", "Site=west"} == set(groups)
    west = groups["Site=west"]
    assert {None} == {west["rows"], west["positives"], west["f1"], west["selection_rate"]}
    assert groups["Site=south"]["rows"] > groups["Site=south"]["positives"] > 0
    # The smaller of the others can't reveal it.
    assert groups["Site=north"]["rows"] is None
    assert 1.0 == groups["Site=north"]["selection_rate"]
    assert world.tracking.documents["card.json"] == world.card(found)


def test_a_model_without_skill_never_serves(quick: World) -> None:
    nothing = {"max_depth": 1, "min_child_weight": 1e6}
    found = quick.evaluate("none", nothing, limits=GateLimits(minimum_f1=0.0))
    assert not found.promote
    assert "of the best constant answer." in " ".join(found.reasons)
    assert "Test ROC AUC 0.5000" in " ".join(found.reasons)
