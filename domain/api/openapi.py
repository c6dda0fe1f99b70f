"""The API as an OpenAPI 3.1 document, derived from a contract.

The functions enforce exactly these schemas: they accept a body that is valid by this document, and
refuse one that is not. Two rules are sentences, because no schema can say them: a time may not be
in the future, and a request for explanations may hold fewer instances (a rule over query and body).
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from domain.api import people
from domain.api.answer_schemas import describe_answers
from domain.api.change_routes import ROUTES as CHANGES
from domain.api.dashboard_routes import ROUTES, TAGS, Route
from domain.api.inspection import ROUTES as INSPECTION
from domain.api.requests import MAXIMUM_BYTES, MAXIMUM_ENTRIES, MAXIMUM_EXPLAINED
from domain.api.schemas import (
    NOTHING_TYPICAL,
    Schema,
    build_components,
    either,
    make_example,
    ref,
)
from domain.contract.contract import Contract
from domain.contract.feature import Value

_PROBLEMS = {
    "400": "The request breaks the contract; `errors` names every bad field.",
    "401": "Nobody signed in, or the sign-in has ended.",
    "403": "The API key is missing or wrong, or somebody who signed in may not do this.",
    "404": "There is no such thing.",
    "409": "There is nothing to change: it is so already, or nothing waits.",
    "410": "The record was erased.",
    "413": f"The body is larger than {MAXIMUM_BYTES:,} bytes.",
    "415": "The body is not application/json in UTF-8.",
    "429": "Too many requests; wait and send it again.",
    "500": "A defect, which has been logged.",
    "502": "The function ended without an answer; send it again.",
    "503": "No model serves yet, or a store did not answer; send it again later.",
    "504": "It took longer than the gateway waits; send it again, or fewer instances.",
}
_ANYWHERE = ("500", "502", "504")
"""Statuses that every operation may answer with, through the gateway or a defect."""


def build_document(
    contract: Contract,
    typical: Mapping[str, Value] = NOTHING_TYPICAL,
    *,
    has_login: bool = False,
) -> dict[str, Any]:
    """Build the whole document; the contract determines the bodies.

    `typical`: values of the features for the example. `has_login`: whether people sign in.
    """
    paths = _paths(contract, typical)
    shown = _list_routes(has_login)
    keyed: Schema = {"ApiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"}}
    if has_login:
        keyed |= _SIGN_IN
        paths |= _peoples_paths(paths)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Predictions of {contract.target}",
            "version": contract.version,
            "description": "Scores from the champion model. Each prediction is logged before it is "
            "answered. The version of this document is the version of the contract.",
        },
        "servers": [{"url": "."}],
        "security": [{"ApiKey": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths | _dashboard_paths(has_login),
        "components": {
            "securitySchemes": keyed,
            "schemas": build_components(contract)
            | describe_answers(*(route.answer for route in shown if route.answer)),
        },
    }


def _list_routes(has_login: bool) -> tuple[Route, ...]:
    """The routes of the dashboard, and those that a login adds."""
    return (*ROUTES, *CHANGES, *INSPECTION) if has_login else ROUTES


def _paths(contract: Contract, typical: Mapping[str, Value]) -> dict[str, Schema]:
    instance = make_example(contract, typical)
    an_id = "0b8f8c1e-6a35-4a0b-9f0e-2f3c1f6a7b10"
    label = {"prediction_id": an_id, contract.target: True}
    return {
        "/predict": {
            "post": {
                "operationId": "predict",
                "tags": ["predictions"],
                "summary": f"Score one instance, or up to {MAXIMUM_ENTRIES:,}.",
                "parameters": [_IDEMPOTENCY_KEY, _EXPLAIN, _TEST],
                "requestBody": _body(("Instance", "Instances"), instance),
                "responses": _responses(
                    either("Prediction", "Predictions"), "403", "413", "415", "429", "503"
                )
                | {"400": _describe_problem(f"{_PROBLEMS['400']} {_EXPLAINED_LIMIT}")},
            }
        },
        "/labels": {
            "post": {
                "operationId": "labels",
                "tags": ["predictions"],
                "summary": f"Send labels for up to {MAXIMUM_ENTRIES:,} predictions.",
                "requestBody": _body(("Label", "Labels"), {"labels": [label]}),
                "responses": _responses(ref("Accepted"), "400", "403", "413", "415", "429", "503"),
            }
        },
        "/model": {
            "get": {
                "operationId": "model",
                "tags": ["models"],
                "summary": "The champion's model card.",
                "responses": _responses(ref("Model"), "403", "429", "503"),
            }
        },
        "/health": {
            "get": {
                "operationId": "health",
                "tags": ["service"],
                "summary": "Which version is loaded, and why it may not be the champion.",
                "responses": _responses(ref("Health"), "403", "429", "503"),
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "openapi",
                "tags": ["service"],
                "summary": "This document.",
                "security": [],
                "responses": _responses({"type": "object"}, "429", "503"),
            }
        },
    }


def _peoples_paths(keyed: Mapping[str, Schema]) -> dict[str, Schema]:
    """The paths under which people do what services do with a key."""
    found: dict[str, Schema] = {}
    for method, path in people.ROUTES:
        operation = cast(Schema, keyed[path.removeprefix("/people")][method.lower()])
        own = {"operationId": f"peoples_{operation['operationId']}"}
        found[path] = {method.lower(): _for_people(operation | own)}
    return found


def _for_people(operation: Schema) -> Schema:
    """The operation with a token instead of the key."""
    responses = cast(Schema, operation["responses"]) | _problems("401")
    return operation | {"security": [{"SignIn": []}], "responses": responses}


def _dashboard_paths(has_login: bool) -> dict[str, Schema]:
    paths: dict[str, Schema] = {}
    for route in _list_routes(has_login):
        operation = _operation(route)
        if has_login and not route.keyless:
            operation = _for_people(operation)
        paths.setdefault(route.path, {})[route.method] = operation
    return paths


def _operation(route: Route) -> Schema:
    schema: Schema = ref(route.answer.__name__) if route.answer else {"type": "string"}
    success = {"description": "Done.", "content": {route.media_type: {"schema": schema}}}
    if route.redirects:
        success = {
            "description": "The address of the report.",
            "headers": {"Location": {"schema": _URI}},
        }
    parameters = [_parameter(name, "path", dict(s)) for name, s in route.path_fields.items()]
    parameters += [
        _parameter(name, "query", dict(s)) | {"required": False}
        for name, s in route.query_fields.items()
    ]
    operation: Schema = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": parameters,
        "responses": {route.status: success, **_problems(*route.problems)},
    }
    if route.keyless:
        operation["security"] = []
    if route.body:
        content = {"application/json": {"schema": dict(route.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A repeated request with the same key and body gets the same prediction_ids.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}


_EXPLAINED_LIMIT = (
    f"With `explain=true`, more than {MAXIMUM_EXPLAINED} instances are refused, too: no schema can "
    "tie the body to a query parameter."
)
_EXPLAIN = {
    "name": "explain",
    "in": "query",
    "required": False,
    "description": "Add to each prediction what every feature contributed to its log-odds (exact "
    f"path-dependent TreeSHAP), for up to {MAXIMUM_EXPLAINED} instances. A request with more is "
    "answered 400: send several requests.",
    "schema": {"type": "boolean", "default": False},
}


_TEST = {
    "name": "test",
    "in": "query",
    "required": False,
    "description": "Somebody only tries the model: the prediction is logged with the source "
    "`test`, and left out of drift runs, performance and trainings.",
    "schema": {"type": "boolean", "default": False},
}


_URI = {"type": "string", "format": "uri"}


_SIGN_IN: Schema = {
    "SignIn": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "The identity token of somebody who signed in.",
    }
}


def _parameter(name: str, where: str, schema: Schema) -> Schema:
    return {"name": name, "in": where, "required": True, "schema": schema}


def _body(names: Sequence[str], shown: object) -> Schema:
    content = {"application/json": {"schema": either(*names), "example": shown}}
    return {"required": True, "content": content}


def _responses(schema: Schema, *problems: str) -> Schema:
    success = {"description": "Done.", "content": {"application/json": {"schema": schema}}}
    return {"200": success, **_problems(*problems)}


def _problems(*statuses: str) -> Schema:
    return {s: _describe_problem(_PROBLEMS[s]) for s in (*statuses, *_ANYWHERE)}


def _describe_problem(description: str) -> Schema:
    content = {"application/problem+json": {"schema": ref("Problem")}}
    return {"description": description, "content": content}
