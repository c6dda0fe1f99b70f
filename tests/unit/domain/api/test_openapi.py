"""The OpenAPI document says what the functions do."""

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.api import openapi
from domain.api.requests import MAXIMUM_EXPLAINED, BadRequest
from domain.api.schemas import make_example
from domain.contract.context import Context
from domain.contract.contract import Contract
from domain.contract.deployed_context import DeployedContext
from lambdas.labels.accept import read_labels
from tests.unit.contracts import contexts, contracts, instances, sent_contexts
from tests.unit.domain.contract.test_contract import VALID
from tests.unit.predictor_world import World

REFERENCE = Context(name="visit", role="reference", nullable=True, maximum_length=7)
ROUTES = {
    ("post", "/predict"),
    ("post", "/labels"),
    ("get", "/model"),
    ("get", "/health"),
    ("get", "/openapi.json"),
    ("get", "/reports/{run_id}/{report}"),
    ("get", "/"),
    ("get", "/assets/{file}"),
    ("get", "/monitoring/overview"),
    ("get", "/monitoring/health"),
    ("get", "/monitoring/trends"),
    ("get", "/monitoring/incidents"),
    ("post", "/monitoring/acknowledgements"),
    ("get", "/monitoring/traffic"),
    ("get", "/monitoring/runs"),
    ("post", "/monitoring/runs"),
    ("get", "/monitoring/runs/{run_id}"),
    ("get", "/monitoring/requests/{id}"),
    ("get", "/predictions"),
    ("get", "/executions"),
    ("get", "/models"),
    ("get", "/models/{version}"),
}


def _validator(document: dict[str, Any], name: str) -> jsonschema.Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def test_every_route_is_described(contract: Contract) -> None:
    paths = openapi.build_document(contract)["paths"]
    assert ROUTES == {(method, path) for path, item in paths.items() for method in item}


def test_the_document_is_the_contracts(contract: Contract) -> None:
    document = openapi.build_document(contract)
    assert ("3.1.0", contract.version) == (document["openapi"], document["info"]["version"])
    assert set(VALID) == set(document["components"]["schemas"]["Instance"]["properties"])


def test_only_the_document_the_page_and_reports_need_no_key(contract: Contract) -> None:
    paths = openapi.build_document(contract)["paths"]
    keyless = {
        path for path, item in paths.items() for spec in item.values() if spec.get("security") == []
    }
    assert {"/openapi.json", "/reports/{run_id}/{report}", "/", "/assets/{file}"} == keyless


def test_where_people_sign_in_their_routes_take_a_token_and_those_of_services_the_key(
    contract: Contract,
) -> None:
    document = openapi.build_document(contract, has_login=True)
    assert {"ApiKey", "SignIn"} == set(document["components"]["securitySchemes"])
    by_token = {
        path
        for path, item in document["paths"].items()
        for spec in item.values()
        if spec.get("security") == [{"SignIn": []}] and "401" in spec["responses"]
    }
    keyless = {"/openapi.json", "/reports/{run_id}/{report}", "/", "/assets/{file}"}
    services = {"/predict", "/labels", "/model", "/health"}
    assert set(document["paths"]) - keyless - services == by_token
    assert {"/people/predict", "/people/labels"} <= by_token
    operations = [spec for item in document["paths"].values() for spec in item.values()]
    assert len(operations) == len({spec["operationId"] for spec in operations})


def test_every_operation_documents_what_any_may_end_in(contract: Contract) -> None:
    paths = openapi.build_document(contract)["paths"]
    for item in paths.values():
        for operation in item.values():
            assert {"429", "500", "502", "504"} <= set(operation["responses"])


def test_the_smaller_limit_of_explanations_is_said_where_no_schema_can_say_it(
    contract: Contract,
) -> None:
    operation = openapi.build_document(contract)["paths"]["/predict"]["post"]
    (explain,) = (p for p in operation["parameters"] if p["name"] == "explain")
    limit = f"{MAXIMUM_EXPLAINED} instances"
    assert limit in explain["description"]
    assert limit in operation["responses"]["400"]["description"]
    content = operation["responses"]["400"]["content"]
    assert {"$ref": "#/components/schemas/Problem"} == content["application/problem+json"]["schema"]


@given(contracts())
def test_every_reference_leads_somewhere_and_every_schema_is_one(contract: Contract) -> None:
    document = openapi.build_document(contract)
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(document)
    referred = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert set(schemas) == referred


@given(st.data())
def test_schema_and_function_agree_on_any_instance(data: st.DataObject) -> None:
    contract = data.draw(contracts())
    validator = _validator(openapi.build_document(contract), "Instance")
    instance = data.draw(instances(contract))
    odd = (
        st.none() | st.booleans() | st.integers(-2, 3) | st.floats(-1e7, 1e7) | st.text(max_size=3)
    )
    changed = instance | data.draw(
        st.dictionaries(st.sampled_from([*contract.names, "other"]), odd, max_size=2)
    )
    assert validator.is_valid(instance)
    assert (contract.validate(changed) == []) == validator.is_valid(changed)


@given(st.data())
def test_schema_and_function_agree_on_any_context(data: st.DataObject) -> None:
    contract = data.draw(contracts())
    contract = DeployedContext(data.draw(contexts(contract))).add_to(contract)
    context = contract.request_context
    validator = _validator(openapi.build_document(contract), "Instance")
    instance = data.draw(instances(contract))
    sent = data.draw(sent_contexts(context))
    odd = st.none() | st.booleans() | st.integers(-2, 3) | st.text(max_size=3) | st.just("a\n")
    names = [entry.name for entry in context.columns]
    changed = sent | data.draw(st.dictionaries(st.sampled_from([*names, "other"]), odd, max_size=2))
    assert validator.is_valid(instance | ({"context": sent} if context else {}))
    for sent_instance in (instance | {"context": changed}, instance):
        problems = contract.validate(sent_instance, "#", context)
        assert (problems == []) == validator.is_valid(sent_instance)


@given(st.data())
def test_the_example_is_valid(data: st.DataObject) -> None:
    contract = data.draw(contracts())
    contract = DeployedContext(data.draw(contexts(contract))).add_to(contract)
    assert [] == contract.validate(make_example(contract), "#", contract.request_context)


@pytest.mark.parametrize(
    "label",
    [
        {"prediction_id": "0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10", "diabetes": True},
        {"prediction_id": "0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10", "diabetes": 1},
        {"prediction_id": "0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10"},
        {"prediction_id": "x", "diabetes": True},
        {"diabetes": False},
        {"prediction_id": "0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10", "diabetes": True, "x": 1},
        {
            "prediction_id": "0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10",
            "diabetes": True,
            "observed_at": 1,
        },
        {"reference": "visit 1", "diabetes": True},
        {"reference": "visit 11", "diabetes": True},
        {"reference": " visit", "diabetes": True},
        {"reference": None, "diabetes": True},
        {
            "reference": "visit 1",
            "prediction_id": "0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10",
            "diabetes": True,
        },
    ],
)
@pytest.mark.parametrize("reference", [None, REFERENCE])
def test_schema_and_function_agree_on_labels(
    contract: Contract, reference: Context | None, label: dict[str, Any]
) -> None:
    contract = DeployedContext((reference,) if reference else ()).add_to(contract)
    now = datetime(2026, 1, 31, tzinfo=UTC)
    try:
        read_labels(label, target="diabetes", reference=reference, now=now)
        accepted = True
    except BadRequest:
        accepted = False
    assert accepted == _validator(openapi.build_document(contract), "Label").is_valid(label)


def test_answers_are_as_the_document_that_is_served_says(contract: Contract) -> None:
    world = World(contract)
    world.promote(1)
    document = json.loads(world.get("/openapi.json")["body"])
    assert openapi.build_document(contract) == document
    cases = {
        "Prediction": world.predict(VALID),
        "Predictions": world.predict({"instances": [VALID]}),
        "Explained": world.predict(VALID, queryStringParameters={"explain": "true"}),
        "Model": world.get("/model"),
        "Health": world.get("/health"),
        "Problem": world.predict({"age": 500}),
    }
    for name, answer in cases.items():
        _validator(document, name.replace("Explained", "Prediction")).validate(
            json.loads(answer["body"])
        )


def test_features_have_their_titles_units_and_descriptions(contract: Contract) -> None:
    schemas = openapi.build_document(contract)["components"]["schemas"]
    glucose = schemas["Instance"]["properties"]["blood_glucose_level"]
    assert ("Blood glucose", "mg/dl") == (glucose["title"], glucose["x-unit"])
    assert glucose["description"].startswith("At the time of the visit")
    contributions = schemas["Explanation"]["properties"]["contributions"]["properties"]
    assert "Blood glucose" == contributions["blood_glucose_level"]["title"]


def test_every_operation_has_a_tag_that_is_described(contract: Contract) -> None:
    document = openapi.build_document(contract)
    operations = [o for item in document["paths"].values() for o in item.values()]
    assert all(1 == len(operation["tags"]) for operation in operations)
    assert {tag["name"] for tag in document["tags"]} == {o["tags"][0] for o in operations}


def test_every_answer_in_json_is_typed(contract: Contract) -> None:
    document = openapi.build_document(contract)
    for path, item in document["paths"].items():
        if path == "/openapi.json":
            continue
        for operation in item.values():
            for status, answer in operation["responses"].items():
                content = answer.get("content", {}).get("application/json")
                assert (
                    content is None or status[0] != "2" or content["schema"] != {"type": "object"}
                )
    schemas = document["components"]["schemas"]
    assert "integer" == schemas["TimelineRun"]["properties"]["end"]["type"]
    assert {"$ref": "#/components/schemas/Champion"} in schemas["Overview"]["properties"][
        "champion"
    ]["anyOf"]
    assert "stable" in schemas["IndexEntry"]["properties"]["outcome"]["enum"]
