"""The ledger names who stands behind a change, as far as it is proven."""

import pytest

from domain.model.actor import GATE, UNPROVEN, Caller, Part
from domain.typed_json import Json
from training_job.inputs import ExecutionInput, State
from training_job.promotion.actor import Actors

ANN = "arn:aws:iam::123456789012:user/ann"
GUARD = "arn:aws:sts::123456789012:assumed-role/circle-dev-guard/Guard"
ELSEWHERE = GUARD.replace("123456789012", "210987654321")
PROOFS = {"ann": ANN, "guard": GUARD, "elsewhere": ELSEWHERE}
ACTORS = Actors(
    PROOFS.get, {"guard": "123456789012:assumed-role/circle-dev-guard/", "probation": ""}
)


@pytest.mark.parametrize(
    ("proof", "acts_as", "expected"),
    [
        ("ann", None, ANN),
        ("guard", "guard", "guard"),
        ("guard", None, GUARD),
        ("elsewhere", "guard", ELSEWHERE),
        ("ann", "guard", ANN),
        ("guard", "probation", GUARD),
        ("forged", "guard", UNPROVEN),
    ],
)
def test_a_caller_is_what_its_proof_says(proof: str, acts_as: Part | None, expected: str) -> None:
    assert expected == ACTORS.name(Caller(proof=proof, acts_as=acts_as))


def test_a_caller_without_a_proof_is_unproven() -> None:
    assert UNPROVEN == ACTORS.name(None)


def _prepared(started_by: str) -> Json:
    return {
        "dataset_id": "a",
        "rows": {},
        "rows_read": 0,
        "rows_quarantined": 0,
        "rows_repeated": 0,
        "left_out": [],
        "started_by": started_by,
    }


def _approval(proof: str) -> Json:
    return {"approved": True, "reason": "", "caller": {"proof": proof, "acts_as": None}}


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ({"prepare": _prepared("guard")}, "guard"),
        ({"prepare": _prepared(ANN)}, ANN),
        ({"prepare": _prepared(UNPROVEN)}, GATE),
        ({"prepare": _prepared("guard"), "approve": _approval("ann")}, ANN),
        ({"prepare": _prepared("guard"), "approve": _approval("forged")}, UNPROVEN),
    ],
)
def test_a_training_is_its_approvers_its_starters_or_the_gates(
    results: dict[str, Json], expected: str
) -> None:
    assert expected == ACTORS.of_promotion(State(ExecutionInput(), results))


def test_a_rollback_is_its_callers() -> None:
    asked = ExecutionInput(rollback=True, caller=Caller(proof="ann"))
    assert ANN == ACTORS.of_promotion(State(asked, {}))


@pytest.mark.parametrize(
    "caller", ["other", 1, {"proof": 1}, {"proof": "a", "acts_as": "boss"}, {"proof": "a", "x": 1}]
)
def test_a_caller_of_another_shape_is_refused(caller: Json) -> None:
    assert not Caller.is_valid(caller)


def test_a_caller_survives_its_document() -> None:
    caller = Caller(proof="a", acts_as="probation")
    assert caller == Caller.of(caller.to_dict())
