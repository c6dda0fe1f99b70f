"""An execution's input says what the state machine does with it."""

import pytest

from domain.training.execution_kinds import kind_of


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({}, "train"),
        ({"trials": 5}, "train"),
        ({"rollback": False, "check": False}, "train"),
        ([], "train"),
        ({"rollback": True}, "rollback"),
        ({"promote_version": "1-0a1b2c3d"}, "promote_version"),
        ({"check": True}, "check"),
        ({"score": {}}, "score"),
    ],
)
def test_an_executions_input_says_what_it_does(document: object, kind: str) -> None:
    assert kind == kind_of(document)
