"""How `simulate` changes what it sends: one well-known cause each.

none     nothing changes
age      every patient is 8 years older: another clinic sends its patients
glucose  every measurement is 15 mg/dl higher: a meter is out of calibration
smoking  six of ten answers become "No Info": a form no longer asks
bmi      everybody weighs 3 kg/m2 more: patients are weighed with their clothes on
swap     half of the patients get the HbA1c of another one: samples are mixed up
concept  outcomes change: from 60 years on, an HbA1c of 6.0 is a positive one by a new guideline

A shifted number stays inside the contract's range; a missing one stays missing. What `swap` and
`concept` change shows in no column by itself: only labels tell.
"""

import random
from collections.abc import Callable, Mapping
from enum import StrEnum

from domain.contract.contract import Contract
from domain.contract.feature import Value
from ops.errors import OpsError

Row = dict[str, Value]
Shift = Callable[[Row, Contract, random.Random], Row]


class Scenario(StrEnum):
    """The causes of drift by name."""

    NONE = "none"
    AGE = "age"
    GLUCOSE = "glucose"
    SMOKING = "smoking"
    BMI = "bmi"
    SWAP = "swap"
    CONCEPT = "concept"


AGE_YEARS = 8.0
GLUCOSE_MG_DL = 15.0
BMI_KG_M2 = 3.0
UNANSWERED_SHARE = 0.6
SWAPPED_SHARE = 0.5
CONCEPT_AGE, CONCEPT_HBA1C = 60.0, 6.0


def _keep(row: Row, _contract: Contract, _rng: random.Random) -> Row:
    return row


def _add(name: str, amount: float) -> Shift:
    def shift(row: Row, contract: Contract, _rng: random.Random) -> Row:
        value = row.get(name)
        if not isinstance(value, int | float):
            return row
        return row | {name: min(value + amount, contract.feature(name).maximum)}

    return shift


def _drop_answers(row: Row, _contract: Contract, rng: random.Random) -> Row:
    silent = rng.random() < UNANSWERED_SHARE
    return row | {"smoking_history": "No Info"} if silent else row


def _swap(name: str) -> Shift:
    """Give a row the value of the last row that was swapped."""
    held: list[Value] = []

    def shift(row: Row, _contract: Contract, rng: random.Random) -> Row:
        value = row.get(name)
        if value is None or rng.random() >= SWAPPED_SHARE:
            return row
        held.append(value)
        return row | {name: held.pop(0)} if len(held) > 1 else row

    return shift


_SHIFTS: Mapping[Scenario, tuple[tuple[str, ...], Callable[[], Shift]]] = {
    Scenario.NONE: ((), lambda: _keep),
    Scenario.AGE: (("age",), lambda: _add("age", AGE_YEARS)),
    Scenario.GLUCOSE: (
        ("blood_glucose_level",),
        lambda: _add("blood_glucose_level", GLUCOSE_MG_DL),
    ),
    Scenario.SMOKING: (("smoking_history",), lambda: _drop_answers),
    Scenario.BMI: (("bmi",), lambda: _add("bmi", BMI_KG_M2)),
    Scenario.SWAP: (("HbA1c_level",), lambda: _swap("HbA1c_level")),
    Scenario.CONCEPT: (("age", "HbA1c_level"), lambda: _keep),
}


def choose_shift(scenario: Scenario, contract: Contract) -> Callable[[Row, random.Random], Row]:
    """Return the change of one row; raises OpsError when the contract lacks a feature."""
    features, make = _SHIFTS[scenario]
    lacking = [feature for feature in features if feature not in contract.names]
    if lacking:
        raise OpsError(
            f"Scenario {scenario.value} needs {' and '.join(lacking)}, which the champion's "
            "contract doesn't have.",
            "Use --scenario none.",
        )
    change = make()
    return lambda row, rng: change(row, contract, rng)


def find_outcome(scenario: Scenario, row: Row, outcome: bool) -> bool:
    """The outcome of a patient under the scenario; `row` as the patient is, before any swap."""
    if scenario is not Scenario.CONCEPT:
        return outcome
    age, hba1c = row.get("age"), row.get("HbA1c_level")
    if not isinstance(age, int | float) or not isinstance(hba1c, int | float):
        return outcome
    return outcome or (age >= CONCEPT_AGE and hba1c >= CONCEPT_HBA1C)
