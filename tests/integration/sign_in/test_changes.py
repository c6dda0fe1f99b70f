"""A rollback that a person starts: the machine gets it with a proof and the person's name."""

import json
from collections.abc import Iterator

import pytest
import requests

from adapters.identity import identify
from domain import keys
from domain.model.actor import Caller
from domain.model.champion import Champion, ModelRef
from tests.integration.sign_in.people import Pool

OLD, NEW = ModelRef.of(1, "a" * 64), ModelRef.of(2, "b" * 64)
MAIL = "boss@example.org"


@pytest.fixture
def serving(pool: Pool) -> Iterator[None]:
    """A second champion serves."""
    models, champion = pool.target.bucket("models"), None
    for ref in (OLD, NEW):
        models.put(ref.bundle_key, b"{}")
        champion = Champion.successor(champion, ref, action="promote", execution="e", now=1)
    assert champion is not None
    models.put(keys.CHAMPION, champion.to_json())
    yield
    pool.target.client("s3").delete_object(Bucket=models.name, Key=keys.CHAMPION)


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
    assert MAIL == caller.name(principal, {"people": "root"})  # everybody's name on the emulator
