"""How `simulate` changes the rows that it sends: one well-known cause of drift each.

none     nothing changes
age      every patient is 8 years older: another clinic sends its patients
glucose  every measurement is 15 mg/dl higher: a meter is out of calibration
smoking  six of ten answers become "No Info": a form no longer asks
bmi      everybody weighs 3 kg/m2 more: patients are weighed with their clothes on

A shifted number stays inside the contract's range; a missing one stays missing.
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


AGE_YEARS = 8.0
GLUCOSE_MG_DL = 15.0
BMI_KG_M2 = 3.0
UNANSWERED_SHARE = 0.6


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


_SHIFTS: Mapping[Scenario, tuple[str, Shift]] = {
    Scenario.NONE: ("", _keep),
    Scenario.AGE: ("age", _add("age", AGE_YEARS)),
    Scenario.GLUCOSE: ("blood_glucose_level", _add("blood_glucose_level", GLUCOSE_MG_DL)),
    Scenario.SMOKING: ("smoking_history", _drop_answers),
    Scenario.BMI: ("bmi", _add("bmi", BMI_KG_M2)),
}


def choose_shift(scenario: Scenario, contract: Contract) -> Callable[[Row, random.Random], Row]:
    """Return the change of one row; raises OpsError when the contract lacks the feature."""
    feature, change = _SHIFTS[scenario]
    if feature and feature not in contract.names:
        raise OpsError(
            f"Scenario {scenario.value} shifts {feature}, which the champion's contract doesn't"
            " have.",
            "Use --scenario none.",
        )
    return lambda row, rng: change(row, contract, rng)
