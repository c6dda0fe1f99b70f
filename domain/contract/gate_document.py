"""Reading how a contract wants models chosen: ``[gate]``, and the objective in ``[target]``.

Every problem is noted.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from domain.contract.gate_limits import GATE_KEYS, SEGMENT_METRICS, GateLimits
from domain.contract.objective import Cost, Objective
from domain.typed_json import Json

REQUIREMENTS = ("minimum_recall", "minimum_precision")
OBJECTIVE_KEYS = frozenset({"cost", *REQUIREMENTS})
COST_KEYS = tuple(field.name for field in fields(Cost))


def read_gate(document: Mapping[str, Any], problems: list[str]) -> GateLimits:
    """The table ``[gate]``."""
    entry = document.get("gate", {})
    if not isinstance(entry, Mapping):
        problems.append("gate must be written as a [gate] table")
        return GateLimits()
    problems += [
        f"[gate]: unknown key {key}; known are {', '.join(GATE_KEYS)}"
        for key in sorted(set(entry) - set(GATE_KEYS))
    ]
    limits = {key: entry[key] for key in GATE_KEYS if key in entry}
    metric = limits.pop("segment_metric", None)
    if metric is not None and metric not in SEGMENT_METRICS:
        problems.append(f"[gate]: segment_metric must be one of {', '.join(SEGMENT_METRICS)}")
        metric = None
    wrong = [key for key, value in limits.items() if not (_number(value) and 0 <= value <= 1)]
    problems += [f"[gate]: {key} must be a number from 0 to 1" for key in wrong]
    kept: dict[str, Any] = {k: float(value) for k, value in limits.items() if k not in wrong}
    return GateLimits(**kept, segment_metric=metric)


def read_objective(entry: Mapping[str, Any], problems: list[str]) -> Objective:
    """The keys of ``[target]`` that say what models are chosen by."""
    required = {key: entry[key] for key in REQUIREMENTS if entry.get(key) is not None}
    wrong = [key for key, share in required.items() if not (_number(share) and 0 < share < 1)]
    problems += [f"[target]: {key} must be a number above 0 and below 1" for key in wrong]
    cost = _read_cost(entry.get("cost"), problems)
    given = [key for key in ("cost", *REQUIREMENTS) if key in entry]
    if len(given) > 1:
        problems.append(
            f"[target]: {' and '.join(given)} exclude each other: a model is chosen by one of them"
        )
        return Objective()
    return Objective(cost, **{key: float(v) for key, v in required.items() if key not in wrong})


def write_objective(objective: Objective) -> dict[str, Json]:
    """Plain data that `read_objective` reads back; nothing where F1 is the objective."""
    if objective.cost is not None:
        each = objective.cost
        return {
            "cost": {"false_positive": each.false_positive, "false_negative": each.false_negative}
        }
    required = objective.requirement
    return {} if required is None else {required.key: required.minimum}


def _read_cost(entry: object, problems: list[str]) -> Cost | None:
    if entry is None:
        return None
    if not isinstance(entry, Mapping) or not entry:
        problems.append("[target]: cost must be a table such as {false_negative = 5}")
        return None
    problems += [
        f"[target]: unknown key cost.{key}; known are {', '.join(COST_KEYS)}"
        for key in sorted(set(entry) - set(COST_KEYS), key=str)
    ]
    given = {key: entry[key] for key in COST_KEYS if key in entry}
    wrong = [key for key, value in given.items() if not (_number(value) and 0 < value <= 1e9)]
    problems += [
        f"[target]: cost.{key} must be a number above 0, at most a billion" for key in wrong
    ]
    return Cost(**{key: float(value) for key, value in given.items() if key not in wrong})


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
