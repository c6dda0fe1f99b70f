"""Scenarios, and what is counted of the API's answers."""

import itertools
import random
from typing import Any

import pytest

from domain.api.openapi import build_document
from domain.contract.contract import Contract
from ops.api import describe_problem
from ops.commands.data.simulate import Sent, _shuffle, _split, make_context
from ops.errors import OpsError
from ops.samples import scenarios
from ops.samples.outcomes import LabelPlan, Selection
from ops.samples.scenarios import Row, Scenario
from tests.repository import CONTRACT_TOML
from tests.unit.domain.contract.test_context import CONTEXT

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


def _shifted(scenario: Scenario, patient: dict[str, Any]) -> dict[str, Any]:
    return scenarios.choose_shift(scenario, CONTRACT)(patient, random.Random(1))


@pytest.mark.parametrize(
    ("scenario", "changed"),
    [
        (Scenario.NONE, {}),
        (Scenario.AGE, {"age": 52.0}),
        (Scenario.GLUCOSE, {"blood_glucose_level": 155.0}),
        (Scenario.BMI, {"bmi": 30.32}),
        (Scenario.SMOKING, {"smoking_history": "No Info"}),
    ],
)
def test_a_scenario_changes_its_feature_and_nothing_else(
    scenario: Scenario, changed: dict[str, Any]
) -> None:
    assert _shifted(scenario, PATIENT) == PATIENT | changed


@pytest.mark.parametrize("scenario", list(Scenario))
def test_a_shifted_patient_still_obeys_the_contract(scenario: Scenario) -> None:
    extreme = PATIENT | {"age": 120, "blood_glucose_level": 700, "bmi": 99.9}

    assert [] == CONTRACT.validate(_shifted(scenario, extreme))


@pytest.mark.parametrize("scenario", [Scenario.GLUCOSE, Scenario.BMI])
def test_a_missing_value_stays_missing(scenario: Scenario) -> None:
    incomplete = {"gender": "Male", "age": 30, "hypertension": 0, "heart_disease": 0}

    assert _shifted(scenario, incomplete) == incomplete


def test_six_of_ten_smokers_fall_silent() -> None:
    change, rng = scenarios.choose_shift(Scenario.SMOKING, CONTRACT), random.Random(1)
    answers = [change(PATIENT, rng)["smoking_history"] for _ in range(5000)]

    assert pytest.approx(0.6, abs=0.03) == answers.count("No Info") / 5000


def test_a_scenario_without_its_feature_is_refused() -> None:
    other = Contract.parse('[target]\nname = "y"\n[[features]]\nname = "x"\nkind = "flag"\n')

    with pytest.raises(OpsError, match="needs age and HbA1c_level, which the champion's contract"):
        scenarios.choose_shift(Scenario.CONCEPT, other)


def test_swapped_values_change_owners_and_stay_the_same_as_a_whole() -> None:
    swap, rng = scenarios.choose_shift(Scenario.SWAP, CONTRACT), random.Random(1)
    values = [4.0 + number / 1_000 for number in range(2_000)]
    rows = [swap(PATIENT | {"HbA1c_level": value}, rng) for value in values]
    swapped = [float(row["HbA1c_level"] or 0) for row in rows]

    changed = [new != old for new, old in zip(swapped, values, strict=True)]
    assert pytest.approx(0.5, abs=0.05) == sum(changed) / 2_000
    assert pytest.approx(sum(values) / 2_000, abs=0.01) == sum(swapped) / 2_000


@pytest.mark.parametrize(
    ("age", "hba1c", "outcome", "expected"),
    [
        (60, 6.0, False, True),
        (59, 6.0, False, False),
        (60, 5.9, False, False),
        (30, 5.0, True, True),
        (None, 7.0, False, False),
    ],
)
def test_under_the_concept_scenario_a_lower_hba1c_is_positive_from_60_years_on(
    age: int | None, hba1c: float, outcome: bool, expected: bool
) -> None:
    row: Row = {"age": age, "HbA1c_level": hba1c}

    assert expected is scenarios.find_outcome(Scenario.CONCEPT, row, outcome)
    assert outcome is scenarios.find_outcome(Scenario.GLUCOSE, row, outcome)


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
