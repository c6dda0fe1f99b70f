"""Features that the serving model doesn't know yet, or not any more, are no error in a request."""

from typing import Any

import pytest

from domain.contract.contract import Contract
from domain.contract.deployed_context import DeployedContext
from tests.repository import CONTRACT_TOML
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.fakes import problem_of
from tests.unit.predictor_world import World, ok

TEXT = CONTRACT_TOML.read_text()
SMOKER = '[[features]]\nname = "smoker"\nkind = "flag"\nnullable = true\n'
RETIRED = '[[retired]]\nname = "smoker"\nkind = "flag"\n'
PLAIN, WITH_SMOKER = Contract.parse(TEXT), Contract.parse(TEXT + SMOKER)


@pytest.mark.parametrize("sent", [VALID, VALID | {"smoker": 1}, VALID | {"smoker": None}])
@pytest.mark.parametrize("deployed", [SMOKER, RETIRED])
@pytest.mark.parametrize("served", [PLAIN, WITH_SMOKER])
def test_no_promotion_or_rollback_across_a_feature_turns_an_answer_into_a_refusal(
    served: Contract, deployed: str, sent: dict[str, Any]
) -> None:
    context = DeployedContext.of(Contract.parse(TEXT + deployed))
    world = World(served, context=context)
    world.promote(1)
    answer = ok(world.predict(sent))

    plain = World(served)
    plain.promote(1)
    known = {name: value for name, value in sent.items() if name in served.names}
    assert ok(plain.predict(known))["probability"] == answer["probability"]
    (row,) = world.firehose.rows
    assert ("smoker" in row) is ("smoker" in served.names)


def test_a_feature_in_neither_contract_stays_refused() -> None:
    world = World(PLAIN, context=DeployedContext.of(WITH_SMOKER))
    world.promote(1)
    answer = world.predict(VALID | {"smoker": 1, "weight": 70})
    assert 400 == answer["statusCode"]
    assert [{"pointer": "#/weight", "detail": "is not a feature"}] == problem_of(answer)["errors"]


def test_the_document_lists_what_is_ignored() -> None:
    world = World(PLAIN, context=DeployedContext.of(WITH_SMOKER))
    world.promote(1)
    instance = ok(world.get("/openapi.json"))["components"]["schemas"]["Instance"]
    assert {"smoker"} == {n for n, s in instance["properties"].items() if s.get("x-ignored")}
    assert "smoker" not in instance["required"]


@pytest.mark.parametrize("count", [3, 200])
def test_the_names_survive_the_environment(count: int) -> None:
    features = "".join(
        f'[[features]]\nname = "worst_measurement_{n}"\nkind = "flag"\n' for n in range(count)
    )
    context = DeployedContext.of(Contract.parse(f'[target]\nname = "y"\n{features}'))
    text = context.to_text()
    assert context == DeployedContext.parse(text)
    assert len(text) < 3_000
