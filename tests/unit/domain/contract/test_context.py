"""Context columns: what they take, what they refuse by name, and where they do not belong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contract.context_document import write_context
from domain.contract.contract import Contract
from domain.contract.contract_document import read_deployed_context
from domain.contract.deployed_context import DeployedContext
from domain.contract.records import prediction_log_columns
from domain.errors import BadContract
from domain.model.bundle import Bundle
from tests.repository import CONTRACT_TOML
from tests.unit.contracts import contexts, contracts, sent_contexts
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.fakes import random_forest

CONTEXT = """
[[context]]
name = "row"
role = "row_id"

[[context]]
name = "Visit"
role = "reference"
maximum_length = 20

[[context]]
name = "patient"
role = "subject"
nullable = true

[[context]]
name = "Site"
kind = "category"
categories = ["north", "south"]

[[context]]
name = "waited"
kind = "number"
minimum = 0
maximum = 600
nullable = true

[[context]]
name = "urgent"
kind = "flag"
nullable = true

[[context]]
name = "note"
nullable = true

[[segments]]
feature = "Site"

[[segments]]
feature = "waited"
bounds = [30]
"""
SENT = {"Visit": "visit 4711", "Site": "north"}


@pytest.fixture
def deployed() -> Contract:
    """The shipped contract with these columns."""
    return Contract.parse(CONTRACT_TOML.read_text() + CONTEXT)


def _problems(deployed: Contract, context: object) -> list[tuple[str, str]]:
    instance = VALID | {"context": context}
    found = deployed.validate(instance, "#/instances/3", deployed.request_context)
    return [(problem.pointer, problem.detail) for problem in found]


def test_a_valid_context_is_read_by_the_logs_columns(deployed: Contract) -> None:
    sent = SENT | {"waited": 12, "urgent": 1.0, "note": None}
    assert [] == _problems(deployed, sent)
    read = deployed.request_context.read({"context": sent})
    assert ("visit 4711", None) == (read.reference, read.subject)
    expected = {"site": "north", "waited": 12.0, "urgent": 1, "note": None}
    assert expected == read.others
    assert [str, float, int, type(None)] == [type(value) for value in read.others.values()]


def test_the_log_names_the_roles_and_the_other_columns_and_not_the_rows_id(
    contract: Contract, deployed: Contract
) -> None:
    own, more = prediction_log_columns(contract), prediction_log_columns(deployed)
    added = {name: kind for name, kind in more.items() if name not in own}
    assert {"site": "string", "waited": "double", "urgent": "bigint", "note": "string"} == added
    assert {"reference", "subject"} <= set(own)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"Visit": None}, "Visit"),
        ({"Visit": ""}, "Visit"),
        ({"Visit": "x" * 21}, "Visit"),
        ({"Visit": "x" * 10_000}, "Visit"),
        ({"Visit": 4711}, "Visit"),
        ({"Visit": " 4711"}, "Visit"),
        ({"Visit": "4711 "}, "Visit"),
        ({"Visit": "4711\n"}, "Visit"),
        ({"Visit": "47\x0011"}, "Visit"),
        ({"patient": 17}, "patient"),
        ({"patient": ["p"]}, "patient"),
        ({"patient": {"id": "p"}}, "patient"),
        ({"Site": "North"}, "Site"),
        ({"waited": 601}, "waited"),
        ({"waited": True}, "waited"),
        ({"urgent": 2}, "urgent"),
        ({"row": "1"}, "row"),
        ({"visit": "4711"}, "visit"),
        ({"age": 54}, "age"),
    ],
)
def test_a_bad_field_is_named_and_its_value_not_repeated(
    deployed: Contract, change: dict[str, Any], pointer: str
) -> None:
    problems = _problems(deployed, SENT | change)
    assert [f"#/instances/3/context/{pointer}"] == [where for where, _ in problems]
    assert "4711" not in str(problems)


def test_every_problem_of_features_and_context_is_listed_at_once(deployed: Contract) -> None:
    instance = VALID | {"age": 999, "context": {"Visit": 1, "colour": "blue"}}
    problems = deployed.validate(instance, "#", deployed.request_context)
    expected = ["#/age", "#/context/colour", "#/context/Visit", "#/context/Site"]
    assert expected == [problem.pointer for problem in problems]
    assert "is required and must be one of: north, south" == problems[-1].detail


@pytest.mark.parametrize("context", [None, 1, "x", [], True])
def test_a_context_is_an_object(deployed: Contract, context: object) -> None:
    assert ["#/instances/3/context"] == [where for where, _ in _problems(deployed, context)]


def test_a_request_may_leave_out_a_context_of_optional_columns_only(contract: Contract) -> None:
    optional = [{"name": "note", "nullable": True}]
    changed = Contract.from_dict(contract.to_dict() | {"context": optional})
    assert [] == changed.validate(VALID, "#", changed.request_context)
    assert None is changed.request_context.read(VALID).others["note"]


def test_without_context_columns_the_field_is_unknown(contract: Contract) -> None:
    problems = contract.validate(VALID | {"context": {}}, "#", contract.request_context)
    assert [("#/context", "is not a feature")] == [(p.pointer, p.detail) for p in problems]


def test_context_is_no_part_of_the_version_nor_of_a_bundle(
    contract: Contract, deployed: Contract
) -> None:
    assert contract.version == deployed.version
    assert contract.to_dict() == deployed.to_dict()
    forest = random_forest(contract, 1)
    assert Bundle(contract, forest, 0.5).to_bytes() == Bundle(deployed, forest, 0.5).to_bytes()


def test_a_models_own_contract_gets_the_deployments_context(
    contract: Contract, deployed: Contract
) -> None:
    context = DeployedContext.of(deployed)
    assert deployed == context.add_to(contract)
    assert deployed.context == context.add_to(contract).context
    names = [segment.feature for segment in context.add_to(contract).segments]
    assert ["gender", "age", "Site", "waited"] == names


def test_a_column_that_a_champion_still_has_as_a_feature_stays_the_feature(
    contract: Contract,
) -> None:
    context = DeployedContext.of(
        Contract.from_dict(
            {
                "target": {"name": "ill"},
                "features": [{"name": "other", "kind": "flag"}],
                "context": [{"name": "Age", "kind": "flag"}, {"name": "note"}],
                "segments": [{"feature": "Age"}],
            }
        )
    )
    added = context.add_to(contract)
    assert ["note"] == [entry.name for entry in added.context]
    assert contract.segments == added.segments


@given(st.data())
def test_the_deployments_context_comes_back_from_its_text(data: st.DataObject) -> None:
    contract = data.draw(contracts())
    context = DeployedContext(data.draw(contexts(contract)))
    assert context == DeployedContext.parse(context.to_text())


def test_its_segments_come_back_too(deployed: Contract) -> None:
    context = DeployedContext.of(deployed)
    assert context == DeployedContext.parse(context.to_text())
    assert DeployedContext() == DeployedContext.parse(DeployedContext().to_text())


def test_a_damaged_text_is_refused_by_what_is_wrong() -> None:
    with pytest.raises(BadContract, match=r"context\[0\] needs a name"):
        DeployedContext.parse(json.dumps({"context": [{}]}))


@given(st.data())
def test_whatever_is_valid_is_accepted_and_whatever_is_sent_does_no_harm(
    data: st.DataObject,
) -> None:
    contract = data.draw(contracts())
    context = DeployedContext(data.draw(contexts(contract))).in_requests
    sent = data.draw(sent_contexts(context))
    assert [] == context.validate({"context": sent})
    context.read({"context": sent})
    anything = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists)
    names = [entry.name for entry in context.columns]
    wild = data.draw(st.dictionaries(st.sampled_from([*names, "other"]), anything))
    pointers = [problem.pointer for problem in context.validate({"context": wild})]
    assert len(pointers) == len(set(pointers))


def test_a_context_column_may_have_a_title_and_a_description() -> None:
    site = {"name": "site", "kind": "number", "minimum": 0, "maximum": 9, "unit": "beds"}
    words = {"title": "Visit number", "description": "Printed on the wristband."}
    document = {"context": [{"name": "visit", **words}, {**site, "title": "Size"}]}
    visit, size = read_deployed_context(document)[0]
    assert tuple(words.values()) == (visit.title, visit.description)
    assert ("Size", "beds") == (size.title, size.values and size.values.unit)
    again = read_deployed_context({"context": write_context((visit, size))})[0]
    assert (visit, size) == again
    with pytest.raises(BadContract, match="visit: unknown key unit"):
        read_deployed_context({"context": [{"name": "visit", "unit": "m"}]})
