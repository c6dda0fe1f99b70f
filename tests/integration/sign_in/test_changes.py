"""A rollback that a person starts: the machine gets it with a proof and the person's name."""

import json

import pytest
import requests

from adapters.identity import identify
from domain.model.actor import Caller
from ops.laptop import ACCOUNT
from tests.integration.sign_in.people import OLD, Pool

MAIL = "boss@example.org"


@pytest.mark.usefixtures("serving")
def test_the_machine_learns_who_signed_in_and_asked_for_a_rollback(pool: Pool) -> None:
    pool.add(MAIL, "operate")
    answer = requests.post(
        f"{pool.page}people/rollbacks",
        json={},
        headers={"Authorization": pool.tokens(MAIL)["id_token"]},
        timeout=60,
    )
    assert 202 == answer.status_code, answer.text
    name = answer.json()["execution"]
    states, machine = pool.target.client("stepfunctions"), pool.target.deployment.state_machine_arn
    execution = machine.replace(":stateMachine:", ":execution:") + f":{name}"
    asked = json.loads(states.describe_execution(executionArn=execution)["input"])
    states.stop_execution(executionArn=execution)

    assert (OLD.version, 2) == (asked["promote_version"], asked["replaces_seq"])
    caller = Caller.of(asked["caller"])
    assert caller is not None
    principal = identify(pool.target.client("sts"), caller.proof, name)
    everybody = f"{ACCOUNT}:root"  # on the emulator
    assert MAIL == caller.name(principal, {"people": everybody})
