"""The execution's input: what one execution of the state machine is asked to do."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from domain import keys
from domain.errors import BadRecord
from domain.model.actor import Caller
from domain.training.execution_kinds import KINDS
from domain.training.steps import StepResult
from training_job.cluster.engine import ENGINE_FIELDS, Engine
from training_job.compaction.compact_request import CompactRequest
from training_job.dataset.production_window import ProductionWindow
from training_job.erasure.erase_request import EraseRequest
from training_job.errors import BadInput
from training_job.scoring.score_request import ScoreRequest
from training_job.settings import MAXIMUM_SEARCH_MINUTES, MAXIMUM_SEED, MAXIMUM_TRIALS

R = TypeVar("R", bound=StepResult)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionInput:
    """Every field is optional; None means the setting's default.

    `trials`: 1 to 1,000. `search_minutes`: see `training_job.search.tune`. `raw_prefix`: a folder
    under ``raw/``, or a file. `seed`: of the sampler.
    `minimum_f1`: 0 to 1; it replaces the contract's for one execution. `production`: which labelled
    predictions are rows of the dataset, too.

    Each of these skips the training: `rollback` goes back to the previous champion,
    `promote_version` to a named version, `repair` restores a lost pointer from the ledger, `check`
    compares registry, pointer and ledger, `score` scores files, `erase` erases people's rows, and
    `compact` merges small objects of the logs.

    `replaces_seq`: the seq of the champion that `rollback` or `promote_version` may replace; when
    another one serves by then, nothing changes.

    `reason`: why an earlier version should serve again, for the ledger (up to 500 characters).
    `caller`: who starts it, with a proof for the ledger; None when the caller has none.

    `engine`: what computes the steps over rows, from the fields `engine`, `workers`, `scheduler`.
    """

    trials: int | None = None
    search_minutes: int | None = None
    raw_prefix: str = keys.RAW
    seed: int | None = None
    minimum_f1: float | None = None
    production: ProductionWindow | None = None
    rollback: bool = False
    promote_version: str | None = None
    replaces_seq: int | None = None
    repair: bool = False
    check: bool = False
    score: ScoreRequest | None = None
    reason: str | None = None
    caller: Caller | None = None
    erase: EraseRequest | None = None
    compact: CompactRequest | None = None
    engine: Engine | None = None

    @classmethod
    def parse(cls, document: object) -> Self:
        """Validate decoded JSON; raises BadInput naming every problem at once."""
        if not isinstance(document, Mapping):
            raise BadInput("The execution's input must be a JSON object.")
        rules = _RULES
        unknown = [name for name in document if name not in rules]
        problems = [f"{name} is not known" for name in unknown]
        problems += [
            f"{name} {rules[name][1]}"
            for name, value in document.items()
            if name in rules and not rules[name][0](value)
        ]
        instead = [name for name in KINDS if document.get(name, False) is not False]
        if len(instead) > 1:
            problems.append(f"{' and '.join(instead)} exclude each other")
        nested = [name for name in _NESTED if name in document]
        problems += [text for name in nested for text in _NESTED[name][0](document[name])]
        problems += Engine.problems(document)
        if problems:
            known = f" Known fields: {', '.join(rules)}." if unknown else ""
            raise BadInput(f"The execution's input is refused: {'; '.join(problems)}.{known}")
        fields = dict(document)
        fields |= {name: _NESTED[name][1](fields[name]) for name in nested}
        if "caller" in fields:
            fields["caller"] = Caller.of(fields["caller"])
        asked = {name: fields.pop(name) for name in ENGINE_FIELDS if name in fields}
        if asked:
            fields["engine"] = Engine.parse(asked)
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class State:
    """What the state machine hands to a step: the input, and earlier results by step."""

    input: ExecutionInput
    results: Mapping[str, object]

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Decode the state's JSON; raises BadInput."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise BadInput("The state that the step was given is no JSON object.")
        results = {name: value for name, value in document.items() if name != "input"}
        return cls(ExecutionInput.parse(document.get("input", {})), results)

    def result(self, kind: type[R]) -> R:
        """Decode an earlier step's result; raises BadRecord without one."""
        result = kind.of(self.results)
        if result is None:
            raise BadRecord(f"The state holds no result of {kind.step}.")
        return result


def _whole(low: int, high: int) -> Callable[[object], bool]:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high


def _share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _truth(value: object) -> bool:
    return isinstance(value, bool)


def _reason(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 500


def _raw_prefix(value: object) -> bool:
    under = isinstance(value, str) and value.startswith(keys.RAW) and len(value) <= 512
    return under and (str(value).endswith("/") or keys.is_table(str(value)))


_NESTED: dict[str, tuple[Callable[[Any], list[str]], Callable[[Any], Any]]] = {
    "production": (ProductionWindow.problems, ProductionWindow.parse),
    "score": (ScoreRequest.problems, ScoreRequest.parse),
    "erase": (EraseRequest.problems, lambda fields: EraseRequest(**fields)),
    "compact": (CompactRequest.problems, lambda fields: CompactRequest(**fields)),
}
"""Fields that are values of a class: what is wrong with one, and how it is made."""
_RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "trials": (_whole(1, MAXIMUM_TRIALS), f"must be a whole number from 1 to {MAXIMUM_TRIALS}"),
    "search_minutes": (
        _whole(1, MAXIMUM_SEARCH_MINUTES),
        f"must be a whole number from 1 to {MAXIMUM_SEARCH_MINUTES}",
    ),
    "raw_prefix": (_raw_prefix, f"must be a folder under {keys.RAW}, ending with /, or a file"),
    "seed": (_whole(0, MAXIMUM_SEED), f"must be a whole number from 0 to {MAXIMUM_SEED}"),
    "minimum_f1": (_share, "must be a number from 0 to 1"),
    "rollback": (_truth, "must be true or false"),
    "promote_version": (keys.is_version, "must be a version such as 7-0a1b2c3d"),
    "replaces_seq": (_whole(0, 10**8 - 1), "must be the seq of a champion, or 0 for none"),
    "repair": (_truth, "must be true or false"),
    "check": (_truth, "must be true or false"),
    "reason": (_reason, "must be a text of 1 to 500 characters"),
    "caller": (Caller.is_valid, "must hold a proof, and acts_as only for a part of the loop"),
    **dict.fromkeys((*_NESTED, *ENGINE_FIELDS), (lambda _: True, "is checked by its own class")),
}
