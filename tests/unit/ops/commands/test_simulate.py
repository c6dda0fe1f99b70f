"""Scenarios, and what is counted of the API's answers."""

import itertools
import json
import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys
from domain.api.openapi import build_document
from domain.contract.contract import Contract
from domain.contract.feature import Value
from domain.model.bundle import Bundle, digest
from domain.model.champion import Champion, ModelRef
from ops.api import describe_problem
from ops.commands.data.simulate import Sent, _load_test_rows, _shuffle, _split, make_context
from ops.errors import OpsError
from ops.samples.changes import plan_change
from ops.samples.outcomes import LabelPlan, Selection
from ops.samples.scenarios import Change, Disturbance, Row, Scenario, choose_scenario
from tests.cards import make_card
from tests.repository import CONTRACT_TOML
from tests.unit.domain.contract.test_context import CONTEXT
from tests.unit.fakes import random_forest
from tests.unit.patients import patients
from training_job.dataset.tables import store

CONTRACT = Contract.parse(CONTRACT_TOML.read_text())
PATIENT: Row = {
    "gender": "Female",
    "age": 44.0,
    "hypertension": 0,
    "heart_disease": 0,
    "smoking_history": "never",
    "bmi": 27.32,
    "HbA1c_level": 5.7,
    "blood_glucose_level": 140.0,
}
OTHER = Contract.parse(
    """
[target]
name = "y"
[[features]]
name = "noise"
kind = "number"
minimum = 0
maximum = 100
[[features]]
name = "visits"
kind = "number"
nullable = true
[[features]]
name = "plan"
kind = "category"
categories = ["a", "b", "c"]
[[features]]
name = "senior"
kind = "flag"
"""
)
ROWS = 400
OUTCOMES = np.arange(ROWS) % 2 == 0
TABLE = pa.table(
    {
        "noise": 30 + np.arange(ROWS) % 4 * 10.5,
        "visits": np.where(OUTCOMES, 6.0, 2.0) + np.arange(ROWS) % 5,
        "plan": np.array(["a", "a", "b"])[np.arange(ROWS) % 3],
        "senior": np.arange(ROWS) // 2 % 2,
    }
)
"""Visits tell most about the outcome; no row has the plan c."""
FLAGS_ONLY = Contract.parse('[target]\nname = "y"\n[[features]]\nname = "x"\nkind = "flag"\n')


def _plan(
    scenario: Scenario, contract: Contract = OTHER, table: pa.Table = TABLE, **wanted: Any
) -> Change:
    disturbance = Disturbance(scenario=scenario, **wanted)
    return plan_change(disturbance, contract, table, OUTCOMES[: table.num_rows])


def _altered(change: Change) -> list[Row]:
    rng = random.Random(1)
    return [change.alter(row, rng) for row in TABLE.to_pylist()]


PATIENTS = pa.Table.from_pylist([PATIENT, PATIENT | {"age": 60.0, "smoking_history": "former"}])


@pytest.mark.parametrize(
    ("scenario", "wanted", "changed"),
    [
        (Scenario.NONE, {}, {}),
        (Scenario.SHIFT, {"feature": "age", "amount": 8.0}, {"age": 52.0}),
        (
            Scenario.CATEGORY,
            {"feature": "smoking_history", "value": "No Info", "amount": 1.0},
            {"smoking_history": "No Info"},
        ),
        (Scenario.SCALE, {"feature": "age", "amount": 2.0}, {"age": 36.0}),
        (Scenario.CONCEPT, {"feature": "HbA1c_level"}, {}),
    ],
)
def test_a_scenario_changes_its_feature_by_the_amount_and_nothing_else(
    scenario: Scenario, wanted: dict[str, Any], changed: dict[str, Any]
) -> None:
    change = _plan(scenario, CONTRACT, PATIENTS, **wanted)
    assert PATIENT | changed == change.alter(PATIENT, random.Random(1))


@pytest.mark.parametrize("scenario", list(Scenario))
def test_a_changed_row_still_obeys_the_contract(scenario: Scenario) -> None:
    extreme = PATIENT | {"age": 120, "blood_glucose_level": 700, "bmi": 99.9, "HbA1c_level": 3.0}
    table = pa.Table.from_pylist([PATIENT, extreme])
    change, rng = _plan(scenario, CONTRACT, table), random.Random(1)
    changed = [change.alter(row, rng) for row in (PATIENT, extreme) * 20]
    assert [] == [problem for row in changed for problem in CONTRACT.validate(row)]


@pytest.mark.parametrize("scenario", [Scenario.SHIFT, Scenario.SCALE, Scenario.SWAP])
def test_a_missing_value_stays_missing(scenario: Scenario) -> None:
    change = _plan(scenario, feature="visits")
    assert {"noise": 1.0} == change.alter({"noise": 1.0}, random.Random(1))


def test_without_a_name_the_most_telling_feature_is_changed() -> None:
    change = _plan(Scenario.SHIFT)
    deviation = float(TABLE["visits"].to_numpy().std())
    amount = max(1, round(0.5 * deviation))  # whole numbers stay whole
    assert f"visits is higher by {amount} in every row." == change.sentence
    expected = [float(value) + amount for value in TABLE["visits"].to_pylist()]
    assert expected == [row["visits"] for row in _altered(change)]


@pytest.mark.parametrize(
    ("scenario", "wanted", "expected"),
    [
        (Scenario.CATEGORY, {}, "In 60% of the rows senior is 1."),
        (Scenario.CATEGORY, {"value": "b"}, "In 60% of the rows plan is b."),
        (Scenario.CONCEPT, {"value": "b"}, "Every row whose plan is b is positive."),
        (Scenario.CONCEPT, {"amount": 50.0}, "Every row whose noise is 50 or more is positive."),
    ],
)
def test_without_a_name_a_feature_is_changed_that_can_have_the_value_or_the_amount(
    scenario: Scenario, wanted: dict[str, Any], expected: str
) -> None:
    """`senior` equals the outcome, so it separates best, but takes no value and no amount."""
    disturbance = Disturbance(scenario=scenario, **wanted)
    outcomes = TABLE["senior"].to_numpy() == 1
    assert expected == plan_change(disturbance, OTHER, TABLE, outcomes).sentence


def test_scale_spreads_a_number_and_keeps_its_mean() -> None:
    before = TABLE["noise"].to_numpy()
    after = np.array([row["noise"] for row in _altered(_plan(Scenario.SCALE, feature="noise"))])
    assert pytest.approx(before.mean()) == after.mean()
    assert pytest.approx(1.5 * before.std()) == after.std()


@pytest.mark.parametrize(
    ("scenario", "feature", "value"),
    [
        (Scenario.MISSING, "visits", None),
        (Scenario.CATEGORY, "plan", "c"),
        (Scenario.CATEGORY, "senior", 1),
    ],
)
def test_six_of_ten_rows_get_the_value(scenario: Scenario, feature: str, value: Value) -> None:
    rows = _altered(_plan(scenario, feature=feature))
    changed = [row.get(feature) == value for row in rows]
    already = 0.5 if feature == "senior" else 0.0
    assert pytest.approx(0.6 + 0.4 * already, abs=0.06) == sum(changed) / ROWS


@pytest.mark.parametrize(
    ("scenario", "wanted", "problem"),
    [
        (Scenario.MISSING, {"feature": "noise"}, "needs a nullable feature, and noise is none"),
        (Scenario.SHIFT, {"feature": "age"}, "needs a number, and age is none"),
        (Scenario.CATEGORY, {"value": "z"}, "plan must be one of: a, b, c"),
        (Scenario.CATEGORY, {"feature": "senior", "value": "1"}, "takes no --value"),
        (Scenario.SHIFT, {"value": "a"}, "takes no --value"),
        (Scenario.SWAP, {"amount": 1.5}, "a share above 0, up to 1"),
        (Scenario.SCALE, {"amount": -1.0}, "a factor above 0"),
        (Scenario.CONCEPT, {"feature": "plan", "amount": 1.0}, "takes no --amount"),
    ],
)
def test_what_does_not_fit_the_scenario_is_refused(
    scenario: Scenario, wanted: dict[str, Any], problem: str
) -> None:
    with pytest.raises(OpsError, match=problem):
        _plan(scenario, **wanted)


def test_a_scenario_that_no_feature_fits_is_refused_with_one_that_does() -> None:
    table = pa.table({"x": [0, 1]})
    with pytest.raises(OpsError, match="needs a number, which the champion's contract") as error:
        _plan(Scenario.SHIFT, FLAGS_ONLY, table)
    assert "Use --scenario category." == error.value.next_step
    assert Scenario.CATEGORY is choose_scenario(FLAGS_ONLY)
    assert Scenario.SHIFT is choose_scenario(OTHER)


def test_swapped_values_change_owners_and_stay_the_same_as_a_whole() -> None:
    before = [1.0 + number / 1_000 for number in range(ROWS)]
    swap, rng = _plan(Scenario.SWAP, feature="noise"), random.Random(1)
    after = [float(swap.alter({"noise": value}, rng)["noise"] or 0) for value in before]

    changed = [new != old for new, old in zip(after, before, strict=True)]
    assert pytest.approx(0.5, abs=0.06) == sum(changed) / ROWS
    assert pytest.approx(sum(before) / ROWS, abs=0.01) == sum(after) / ROWS


@pytest.mark.parametrize(
    ("wanted", "row", "expected"),
    [
        ({"feature": "visits", "amount": 6.0}, {"visits": 6.0}, True),
        ({"feature": "visits", "amount": 6.0}, {"visits": 5.9}, False),
        ({"feature": "visits", "amount": 6.0}, {}, False),
        ({"feature": "senior"}, {"senior": 1}, True),
        ({"feature": "senior"}, {"senior": 0}, False),
        ({"feature": "plan"}, {"plan": "a"}, True),
        ({"feature": "plan"}, {"plan": "b"}, False),
        ({"feature": "plan", "value": "b"}, {"plan": "b"}, True),
    ],
)
def test_under_the_concept_scenario_negative_rows_become_positive(
    wanted: dict[str, Any], row: Row, expected: bool
) -> None:
    change = _plan(Scenario.CONCEPT, **wanted)
    assert expected is change.relabel(row, False)
    assert change.relabel(row, True)
    assert row == change.alter(row, random.Random(1))


def test_the_concept_scenario_turns_a_fifth_of_the_negative_rows() -> None:
    table = TABLE.set_column(0, "noise", pa.array(np.linspace(0.0, 100.0, ROWS)))
    change = _plan(Scenario.CONCEPT, table=table, feature="noise")
    negative = table.filter(pa.array(~OUTCOMES)).to_pylist()
    turned = [change.relabel(row, False) for row in negative]
    assert pytest.approx(0.2, abs=0.01) == sum(turned) / len(turned)


def _choose(plan: LabelPlan, *, predicted: bool, outcome: bool) -> list[bool]:
    answers = [{"prediction_id": f"{n}", "diabetes": predicted} for n in range(4_000)]
    outcomes = [outcome] * len(answers)
    found = plan.choose(answers, outcomes, target="diabetes", rng=random.Random(2))
    assert len({label["prediction_id"] for label in found}) == len(found)
    return [label["diabetes"] for label in found]


@pytest.mark.parametrize(
    ("selection", "predicted", "outcome", "share"),
    [
        (Selection.RANDOM, False, False, 0.2),
        (Selection.RANDOM, True, True, 0.2),
        (Selection.SCORE, False, True, 0.2),
        (Selection.SCORE, True, False, 0.6),
        (Selection.POSITIVES, True, False, 0.0),
        (Selection.POSITIVES, False, True, 0.2),
    ],
)
def test_labels_come_back_by_their_selection(
    selection: Selection, predicted: bool, outcome: bool, share: float
) -> None:
    plan = LabelPlan(share=0.2, selection=selection)
    found = _choose(plan, predicted=predicted, outcome=outcome)

    assert pytest.approx(share, abs=0.03) == len(found) / 4_000
    assert set(found) <= {outcome}


def test_noise_turns_labels_round() -> None:
    found = _choose(LabelPlan(share=1.0, noise=0.1), predicted=False, outcome=True)

    assert 4_000 == len(found)
    assert pytest.approx(0.1, abs=0.02) == found.count(False) / 4_000


def test_rows_come_once_each_before_any_comes_again() -> None:
    rows: list[Row] = [{"x": n} for n in range(10)]
    drawn = [row["x"] for row in itertools.islice(_shuffle(rows, random.Random(3)), 20)]

    assert set(drawn[:10]) == set(drawn[10:]) == set(range(10))
    assert drawn[:10] != list(range(10))


def test_the_same_seed_draws_the_same_rows() -> None:
    rows: list[Row] = [{"x": n} for n in range(50)]
    first, second = (list(itertools.islice(_shuffle(rows, random.Random(3)), 60)) for _ in range(2))

    assert first == second


def test_batches_hold_every_row_in_order() -> None:
    rows: list[Row] = [{"x": n} for n in range(7)]

    assert [rows[:3], rows[3:6], rows[6:]] == list(_split(iter(rows), 3))


def test_answers_are_counted_per_version_and_refusals_per_reason() -> None:
    sent = Sent()
    predictions = [{"prediction_id": f"{n}", "model_version": "1-0a1b2c3d"} for n in range(3)]
    sent.count(200, {"predictions": predictions})
    sent.count(503, {"detail": "There is no model."})

    assert 3 == sent.answered
    assert {"1-0a1b2c3d": 3} == sent.versions
    assert {"0", "1", "2"} == sent.prediction_ids
    assert {"503: There is no model.": 1} == sent.problems


class FakeApi:
    """Serves the document of a contract."""

    def __init__(self, contract: Contract) -> None:
        self._document = build_document(contract)

    def get(self, _: str) -> tuple[int, Any]:
        return 200, self._document


def test_made_up_context_obeys_the_deployments_contract() -> None:
    contract = Contract.parse(CONTRACT_TOML.read_text() + CONTEXT)
    api: Any = FakeApi(contract)
    add_context = make_context(api, random.Random(1), "0a1b2c3d")
    rows = [add_context(PATIENT) for _ in range(200)]
    problems = [p for row in rows for p in contract.validate(row, "#", contract.request_context)]
    assert [] == problems
    assert 200 == len({row["context"]["Visit"] for row in rows})
    assert 1 < len({row["context"]["patient"] for row in rows}) < 200
    assert {"north", "south"} == {row["context"]["Site"] for row in rows}


def test_without_context_in_the_contract_none_is_sent() -> None:
    api: Any = FakeApi(CONTRACT)
    assert PATIENT == make_context(api, random.Random(1), "0a1b2c3d")(PATIENT)


@pytest.fixture
def target(moto_bucket: Bucket) -> Any:
    """A deployment with a champion, whose dataset isn't there."""
    content = Bundle(CONTRACT, random_forest(CONTRACT, 1), 0.5).to_bytes()
    model = ModelRef.of(1, digest(content))
    moto_bucket.put(model.bundle_key, content)
    champion = Champion.successor(None, model, action="promote", execution="e", now=1)
    card = make_card(model.version)
    return SimpleNamespace(
        models=ModelStore(moto_bucket),
        champion=lambda: champion,
        card=lambda _: card,
        bucket=lambda _: moto_bucket,
        test_rows=keys.dataset(card.dataset_id, "test"),
        manifest=keys.manifest(card.dataset_id),
        parts={n: keys.dataset_part("test", n, 2) for n in range(2)},
        dataset=card.dataset_id,
    )


def _put(target: Any, key: str, rows: pd.DataFrame) -> None:
    store(pa.Table.from_pandas(rows), target.bucket("data"), key)


def test_the_test_rows_are_read_whole_or_in_the_parts_that_several_machines_made(
    target: Any,
) -> None:
    rows = patients(90, seed=3)
    _put(target, target.test_rows, rows)
    contract, table, outcomes = _load_test_rows(target)
    assert [f.name for f in contract.features] == table.column_names
    assert rows["diabetes"].astype(bool).tolist() == outcomes.tolist()
    target.bucket("data").delete(target.test_rows)
    for number, part in target.parts.items():
        _put(target, keys.dataset(target.dataset, part), rows[number * 40 : 40 + number * 50])
    parts = {"test": dict.fromkeys(target.parts.values(), 1)}
    target.bucket("data").put(target.manifest, json.dumps({"parts": parts}).encode())
    _, again, found = _load_test_rows(target)
    assert table.to_pylist() == again.to_pylist()
    assert outcomes.tolist() == found.tolist()


def test_test_rows_that_have_expired_are_said_to_be_gone(target: Any) -> None:
    with pytest.raises(OpsError, match="are no longer there: datasets may expire"):
        _load_test_rows(target)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"detail": "No."}, "500: No."),
        ({"message": "Forbidden"}, "500: Forbidden"),
        ({}, "status 500"),
        (None, "status 500"),
    ],
)
def test_an_error_answer_in_a_few_words(body: Any, expected: str) -> None:
    assert expected == describe_problem(500, body)
