"""Context is logged with the prediction, and changes nothing of the answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contract.contract import Contract
from domain.contract.deployed_context import DeployedContext
from tests.repository import CONTRACT_TOML
from tests.unit.contracts import contexts, contracts, instances, sent_contexts
from tests.unit.domain.contract.test_context import CONTEXT, SENT
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.fakes import problem_of
from tests.unit.predictor_world import World, ok


@pytest.fixture
def world(contract: Contract) -> World:
    """A champion that was trained before there was any context, under a deployment with some."""
    context = DeployedContext.of(Contract.parse(CONTRACT_TOML.read_text() + CONTEXT))
    world = World(contract, context=context)
    world.promote(1)
    return world


@given(st.data())
def test_a_score_is_the_same_to_the_last_bit_with_and_without_context(data: st.DataObject) -> None:
    contract = data.draw(contracts())
    deployed = DeployedContext(data.draw(contexts(contract)))
    context = deployed.in_requests
    sent = data.draw(st.lists(instances(contract), min_size=1, max_size=5))
    with_context = [
        instance | ({"context": data.draw(sent_contexts(context))} if context else {})
        for instance in sent
    ]
    answers: list[list[Any]] = []
    for world, batch in (
        (World(contract), sent),
        (World(contract, context=deployed), with_context),
    ):
        world.promote(1)
        found = ok(world.predict({"instances": batch}))["predictions"]
        answers.append([{n: repr(v) for n, v in a.items() if n != "prediction_id"} for a in found])
        assert len(batch) == len(world.firehose.rows)
    assert answers[0] == answers[1]


def test_the_context_is_logged_with_the_prediction(world: World) -> None:
    first = VALID | {"context": SENT | {"patient": "p-0815", "waited": 12}}
    second = VALID | {"context": SENT | {"urgent": 1}}
    answers = ok(world.predict({"instances": [first, second]}))["predictions"]
    rows = world.firehose.rows
    assert [a["prediction_id"] for a in answers] == [row["prediction_id"] for row in rows]
    names = ("reference", "subject", "site", "waited", "urgent", "note")
    assert [
        ("visit 4711", "p-0815", "north", 12.0, None, None),
        ("visit 4711", None, "north", None, 1, None),
    ] == [tuple(row[name] for name in names) for row in rows]
    assert "row" not in rows[0]
    assert "context" not in rows[0]


def test_a_repeated_request_with_a_key_gets_the_same_ids_again(world: World) -> None:
    body, headers = VALID | {"context": SENT}, {"Idempotency-Key": "k"}
    first, again = (ok(world.predict(body, headers=headers)) for _ in range(2))
    other = ok(world.predict(body | {"context": SENT | {"Visit": "2"}}, headers=headers))
    assert first == again
    assert first["prediction_id"] != other["prediction_id"]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (VALID, ["#/context/Visit", "#/context/Site"]),
        (VALID | {"context": SENT | {"Visit": "x" * 10_000}}, ["#/context/Visit"]),
        (VALID | {"context": SENT | {"patient": 4711}}, ["#/context/patient"]),
        (VALID | {"Visit": "4711", "context": SENT}, ["#/Visit"]),
        (
            {"instances": [VALID | {"context": SENT}, VALID | {"context": {"Site": "4711"}}]},
            ["#/instances/1/context/Visit", "#/instances/1/context/Site"],
        ),
    ],
)
def test_a_bad_context_is_refused_by_name_and_nothing_is_logged(
    world: World, body: Any, pointers: list[str]
) -> None:
    problem = problem_of(world.predict(body))
    assert (400, pointers) == (problem["status"], [e["pointer"] for e in problem["errors"]])
    assert "4711" not in json.dumps(problem)
    assert [] == world.firehose.rows


def test_the_document_describes_the_context_and_its_example_is_accepted(world: World) -> None:
    document = ok(world.get("/openapi.json"))
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    ok(world.predict(content["application/json"]["example"]))
    instance = document["components"]["schemas"]["Instance"]
    described = instance["properties"]["context"]
    assert "context" in instance["required"]
    assert ["Visit", "Site"] == described["required"]
    assert ["Visit", "patient", "Site", "waited", "urgent", "note"] == list(described["properties"])
    assert all(column["description"] for column in described["properties"].values())
    assert "reference" in document["components"]["schemas"]["Label"]["properties"]


def test_a_contract_without_context_documents_none(contract: Contract) -> None:
    world = World(contract)
    world.promote(1)
    schemas = ok(world.get("/openapi.json"))["components"]["schemas"]
    assert "context" not in schemas["Instance"]["properties"]
    assert "reference" not in schemas["Label"]["properties"]
