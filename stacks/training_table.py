"""The optional table `training` of a stage in cdk.json, for a contract with other needs."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

from domain.contract.gate_limits import GATE_KEYS
from domain.drift.window import MAXIMUM_DAYS
from training_job.cluster.engine import ENGINE_FIELDS, Engine
from training_job.settings import MAXIMUM_SEARCH_MINUTES, MAXIMUM_TRIALS
from training_job.settings import Settings as TrainingSettings

if TYPE_CHECKING:
    from stacks.stage import Stage


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_salt(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 100


def _up_to(low: int, high: int) -> tuple[Callable[[object], bool], str]:
    def holds(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return holds, f"must be a whole number from {low} to {high}"


_SHARE: tuple[Callable[[object], bool], str] = (_is_share, "must be a number from 0 to 1")
_RULES = {
    "trials": _up_to(1, MAXIMUM_TRIALS),
    "search_minutes": _up_to(1, MAXIMUM_SEARCH_MINUTES),
    "bad_row_share": _SHARE,
    "split_salt": (_is_salt, "must be a text of 1 to 100 characters"),
    "production_days": _up_to(0, MAXIMUM_DAYS),
    "label_maturity_days": _up_to(0, MAXIMUM_DAYS),
    "production_test_share": _SHARE,
    "replay_days": _up_to(0, MAXIMUM_DAYS),
    **dict.fromkeys(ENGINE_FIELDS, (lambda _: True, "is checked by Engine")),
}
"""Fields of `training_job.settings` that a stage may set: test, and what to write."""


def find_problems(document: object) -> list[str]:
    """What is wrong with the table, as phrases; empty when the training can use it."""
    if not isinstance(document, Mapping):
        return ["training must be an object of settings"]
    found = [
        f"training.{name} belongs to [gate] in contract.toml"
        if name in GATE_KEYS
        else f"training.{name} is not a setting"
        for name in document
        if name not in _RULES
    ]
    found += [f"training.{problem}" for problem in Engine.problems(document)]
    return found + [
        f"training.{name} {sentence}"
        for name, (holds, sentence) in _RULES.items()
        if name in document and not holds(document[name])
    ]


def find_training_setting(stage: "Stage", name: str) -> int:
    """A whole number that the training works with: the stage's, or what is shipped."""
    shipped = {field.name: field.default for field in fields(TrainingSettings)}
    return int({**shipped, **stage.training}[name])
