"""How `simulate` changes the rows it sends: one well-known cause of drift each.

none     nothing
age      every patient 8 years older: another clinic sends its patients
glucose  15 mg/dl more in every measurement: a meter out of calibration
smoking  six of ten answers become "No Info": a form that stopped asking
bmi      3 kg/m2 more for everybody: weighed with clothes on

A shifted number stays inside the contract's range; a missing one stays missing.
"""

import random
from collections.abc import Callable, Mapping
from typing import Any

from domain.contract.contract import Contract
from ops.errors import OpsError

Row = dict[str, Any]
Shift = Callable[[Row, Contract, random.Random], Row]

AGE_YEARS = 8.0
GLUCOSE_MG_DL = 15.0
BMI_KG_M2 = 3.0
UNANSWERED_SHARE = 0.6


def _unchanged(row: Row, _contract: Contract, _rng: random.Random) -> Row:
    return row


def _plus(name: str, amount: float) -> Shift:
    def shift(row: Row, contract: Contract, _rng: random.Random) -> Row:
        if row.get(name) is None:
            return row
        return row | {name: min(row[name] + amount, contract.feature(name).maximum)}

    return shift


def _unanswered(row: Row, _contract: Contract, rng: random.Random) -> Row:
    silent = rng.random() < UNANSWERED_SHARE
    return row | {"smoking_history": "No Info"} if silent else row


_SHIFTS: Mapping[str, tuple[str, Shift]] = {
    "none": ("", _unchanged),
    "age": ("age", _plus("age", AGE_YEARS)),
    "glucose": ("blood_glucose_level", _plus("blood_glucose_level", GLUCOSE_MG_DL)),
    "smoking": ("smoking_history", _unanswered),
    "bmi": ("bmi", _plus("bmi", BMI_KG_M2)),
}
NAMES = tuple(_SHIFTS)


def shift(scenario: str, contract: Contract) -> Callable[[Row, random.Random], Row]:
    """The change of one row; raises OpsError when the contract lacks the feature."""
    feature, change = _SHIFTS[scenario]
    if feature and feature not in contract.names:
        raise OpsError(
            f"Scenario {scenario} shifts {feature}, which the champion's contract doesn't have.",
            "Use --scenario none.",
        )
    return lambda row, rng: change(row, contract, rng)
