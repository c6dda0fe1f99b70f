"""How `simulate` changes what it sends: each scenario is one well-known cause of drift.

none      nothing changes
shift     a number is higher in every row: a meter is out of calibration
scale     a number spreads wider about its mean: a coarser instrument, another unit
missing   a value is missing in most rows: a form no longer asks
category  most rows have one category that was rare, or flag that was 0: a form has a new default
swap      half of the rows get another row's value: samples are mixed up
concept   outcomes change: from some value of one feature on, everything is positive

A changed number stays inside the contract's range; a missing one stays missing. What `swap` and
`concept` change shows in no column by itself: only labels tell.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from domain.contract.contract import Contract
from domain.contract.feature import Value

Row = dict[str, Value]
Alter = Callable[[Row, random.Random], Row]


class Scenario(StrEnum):
    """The causes of drift by name."""

    NONE = "none"
    SHIFT = "shift"
    SCALE = "scale"
    MISSING = "missing"
    CATEGORY = "category"
    SWAP = "swap"
    CONCEPT = "concept"


SHIFT_DEVIATIONS = 0.5
SPREAD = 1.5
CHANGED_SHARE = 0.6
SWAPPED_SHARE = 0.5
CONCEPT_SHARE = 0.2
"""Share of the negative rows that become positive, as near as the values allow."""
SHARES = {
    Scenario.MISSING: CHANGED_SHARE,
    Scenario.CATEGORY: CHANGED_SHARE,
    Scenario.SWAP: SWAPPED_SHARE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """A scenario with what a person chose of it; what is None is chosen by the rows.

    `amount`: what a number is higher by (shift), the factor of its spread (scale), the share of the
    rows (missing, category, swap), or the number from which on rows are positive (concept).
    `value`: the category that rows get (category), or that becomes positive (concept).
    """

    scenario: Scenario = Scenario.NONE
    feature: str | None = None
    amount: float | None = None
    value: str | None = None


def _keep(row: Row, _rng: random.Random) -> Row:
    return row


def _keep_outcome(_row: Row, outcome: bool) -> bool:
    return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a scenario does to each row and to its outcome, and a sentence that says so."""

    sentence: str = ""
    alter: Alter = _keep
    relabel: Callable[[Row, bool], bool] = _keep_outcome
    """The outcome of a row, as it was before `alter`."""


def choose_scenario(contract: Contract) -> Scenario:
    """A scenario that shows in the columns of any data under the contract."""
    numbers = any(feature.kind == "number" for feature in contract.features)
    return Scenario.SHIFT if numbers else Scenario.CATEGORY
