"""Fit a scenario to the rows that will be sent: which feature changes, and by how much."""

import random
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domain.contract.contract import Contract
from domain.contract.feature import Feature, Value
from ops.drafting.separation import separation
from ops.errors import OpsError
from ops.samples.scenarios import (
    CONCEPT_SHARE,
    SHARES,
    SHIFT_DEVIATIONS,
    SPREAD,
    Alter,
    Change,
    Disturbance,
    Row,
    Scenario,
    choose_scenario,
)

Outcomes = npt.NDArray[np.bool_]
MOST_COMPARED = 20_000
"""Rows by which the feature is chosen."""

_FITS: Mapping[Scenario, tuple[str, Callable[[Feature], bool]]] = {
    Scenario.SHIFT: ("a number", lambda f: f.kind == "number"),
    Scenario.SCALE: ("a number", lambda f: f.kind == "number"),
    Scenario.MISSING: ("a nullable feature", lambda f: f.nullable),
    Scenario.CATEGORY: ("a category or a flag", lambda f: f.kind != "number"),
    Scenario.SWAP: ("a feature", lambda _: True),
    Scenario.CONCEPT: ("a feature", lambda _: True),
}


def plan_change(
    wanted: Disturbance, contract: Contract, rows: pa.Table, outcomes: Outcomes
) -> Change:
    """Fit the scenario to the rows that will be sent; raises OpsError for one that doesn't fit.

    `rows`: a column for each feature, null where the value is missing. Unless a feature is named,
    the one that best separates positive rows from negative ones is chosen, among the features that
    can have the wanted amount and value.
    """
    scenario = wanted.scenario
    if scenario is Scenario.NONE:
        return Change()
    feature = _choose_feature(wanted, contract, rows, outcomes)
    if problem := _find_problem(wanted, feature):
        raise OpsError(
            f"Scenario {scenario.value} of {feature.name} {problem}.",
            "Correct it and run the command again.",
        )
    column = rows.column(feature.name)
    if scenario in SHARES:
        share = SHARES[scenario] if wanted.amount is None else wanted.amount
        if scenario is Scenario.SWAP:
            return Change(
                sentence=f"{share:.0%} of the rows have another row's {feature.name}.",
                alter=_swap(feature.name, share),
            )
        value = None if scenario is Scenario.MISSING else _choose_value(wanted, feature, column)
        return Change(
            sentence=f"In {share:.0%} of the rows {feature.name} is "
            f"{'missing' if value is None else value}.",
            alter=_replace(feature.name, value, share),
        )
    if scenario is Scenario.CONCEPT:
        return _plan_concept(wanted, feature, column, outcomes)
    return _plan_number(wanted, feature, column)


def _choose_feature(
    wanted: Disturbance, contract: Contract, rows: pa.Table, outcomes: Outcomes
) -> Feature:
    what, fits = _FITS[wanted.scenario]
    fitting = [feature for feature in contract.features if fits(feature)]
    if wanted.feature is not None:
        found = [feature for feature in fitting if feature.name == wanted.feature]
        if not found:
            names = ", ".join(feature.name for feature in fitting) or "none"
            raise OpsError(
                f"Scenario {wanted.scenario.value} needs {what}, and {wanted.feature} is none of "
                "the champion's contract.",
                f"Name one of these with --feature: {names}.",
            )
        return found[0]
    if not fitting:
        raise OpsError(
            f"Scenario {wanted.scenario.value} needs {what}, which the champion's contract doesn't "
            "have.",
            f"Use --scenario {choose_scenario(contract).value}.",
        )
    fitting = [feature for feature in fitting if not _find_problem(wanted, feature)] or fitting
    if len(fitting) == 1:
        return fitting[0]
    some = np.arange(0, rows.num_rows, max(1, rows.num_rows // MOST_COMPARED))
    compared, positive = rows.take(pa.array(some)), outcomes[some]

    def telling(feature: Feature) -> float:
        is_number = feature.kind == "number"
        return separation(
            compared.column(feature.name), positive, decimal="." if is_number else None
        )

    return max(fitting, key=telling)


def _find_problem(wanted: Disturbance, feature: Feature) -> str:
    """Why the scenario can't have that amount or value of this feature; empty if it can."""
    scenario, amount = wanted.scenario, wanted.amount
    takes_value = scenario in (Scenario.CATEGORY, Scenario.CONCEPT) and feature.kind == "category"
    takes_amount = scenario is not Scenario.CONCEPT or feature.kind == "number"
    if wanted.value is not None and not takes_value:
        return "takes no --value: it is for a category"
    if wanted.value is not None and not feature.accepts(wanted.value):
        return f"can't have that --value: {feature.name} {feature.expectation}"
    if amount is not None and not takes_amount:
        return "takes no --amount: it is for a number"
    if amount is not None and scenario in SHARES and not 0 < amount <= 1:
        return "takes as --amount a share above 0, up to 1"
    if amount is not None and scenario is Scenario.SCALE and not amount > 0:
        return "takes as --amount a factor above 0"
    return ""


def _plan_number(wanted: Disturbance, feature: Feature, column: pa.ChunkedArray) -> Change:
    """Shift a number, or spread it about its mean; whole numbers stay whole."""
    numbers = column.drop_null().to_numpy()
    is_whole = bool((numbers == np.rint(numbers)).all())
    mean, deviation = (float(numbers.mean()), float(numbers.std())) if numbers.size else (0.0, 0.0)
    if wanted.scenario is Scenario.SHIFT:
        amount = wanted.amount
        if amount is None:
            amount = float(f"{SHIFT_DEVIATIONS * deviation:.2g}") or 1.0
            amount = max(1.0, round(amount)) if is_whole else amount
        factor, offset = 1.0, amount
        sentence = f"{feature.name} is higher by {amount:g} in every row."
    else:
        factor = SPREAD if wanted.amount is None else wanted.amount
        offset = mean * (1 - factor)
        sentence = f"{feature.name} spreads {factor:g} times as wide about its mean."

    def alter(row: Row, _rng: random.Random) -> Row:
        value = row.get(feature.name)
        if not isinstance(value, int | float):
            return row
        changed = value * factor + offset
        if is_whole and wanted.scenario is Scenario.SCALE:
            changed = float(round(changed))
        return row | {feature.name: min(max(changed, feature.minimum), feature.maximum)}

    return Change(sentence=sentence, alter=alter)


def _choose_value(wanted: Disturbance, feature: Feature, column: pa.ChunkedArray) -> Value:
    """The named value, else the contract's category that is rarest in the rows, or a flag's 1."""
    if wanted.value is not None:
        return wanted.value
    if feature.kind == "flag":
        return 1
    counts = {entry["values"].as_py(): entry["counts"].as_py() for entry in column.value_counts()}
    return min(reversed(feature.categories), key=lambda category: counts.get(category, 0))


def _replace(name: str, value: Value, share: float) -> Alter:
    def alter(row: Row, rng: random.Random) -> Row:
        if rng.random() >= share:
            return row
        others = {key: kept for key, kept in row.items() if key != name}
        return others if value is None else others | {name: value}

    return alter


def _swap(name: str, share: float) -> Alter:
    """Give a row the value of the last row that was swapped."""
    held: list[Value] = []

    def alter(row: Row, rng: random.Random) -> Row:
        value = row.get(name)
        if value is None or rng.random() >= share:
            return row
        held.append(value)
        return row | {name: held.pop(0)} if len(held) > 1 else row

    return alter


def _plan_concept(
    wanted: Disturbance, feature: Feature, column: pa.ChunkedArray, outcomes: Outcomes
) -> Change:
    """Turn negative rows positive: those of one value, or from some number on."""
    name = feature.name
    negative = column.filter(pa.array(~outcomes)).drop_null()
    if feature.kind != "number":
        value: Value = 1 if feature.kind == "flag" else wanted.value
        if value is None:
            counts = {e["values"].as_py(): e["counts"].as_py() for e in negative.value_counts()}
            value = max(feature.categories, key=lambda category: counts.get(category, 0))
        return Change(
            sentence=f"Every row whose {name} is {value} is positive.",
            relabel=lambda row, outcome: outcome or row.get(name) == value,
        )
    edge = wanted.amount
    if edge is None:
        numbers = negative.to_numpy()
        edge = float(np.quantile(numbers, 1 - CONCEPT_SHARE)) if numbers.size else 0.0

    def relabel(row: Row, outcome: bool) -> bool:
        value = row.get(name)
        return outcome or (isinstance(value, int | float) and value >= edge)

    return Change(
        sentence=f"Every row whose {name} is {edge:g} or more is positive.", relabel=relabel
    )
