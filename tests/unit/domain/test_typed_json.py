"""Dataclasses go to JSON and come back equal; anything else is refused by the field's name."""

import json
from typing import Any

import pytest

from domain import typed_json
from domain.drift.drift import Outcome
from domain.drift.run_result import RunResults
from domain.errors import BadRecord
from tests.unit.fakes import make_run_result

RESULTS = RunResults((make_run_result("quiet"),))


def test_a_dataclass_with_an_enumeration_comes_back_equal() -> None:
    stored = typed_json.to_json(RESULTS)
    assert "stable" == json.loads(stored)["runs"][0]["outcome"]
    assert RESULTS == typed_json.from_json(RunResults, stored)
    assert Outcome.STABLE is typed_json.from_json(RunResults, stored).runs[0].outcome


@pytest.mark.parametrize("outcome", ["calm", 1, None, ["stable"]])
def test_a_value_that_the_enumeration_lacks_is_refused_by_its_field(outcome: object) -> None:
    document: Any = typed_json.encode(RESULTS)
    document["runs"][0]["outcome"] = outcome
    with pytest.raises(BadRecord, match=r"RunResults\.runs\[0\]\.outcome"):
        typed_json.decode(RunResults, document)
