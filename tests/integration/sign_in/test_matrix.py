"""Every route with every kind of caller, through the gateway and its authorizer."""

import re

import pytest
import requests

from ops.local.processes import wait_until
from tests.integration.sign_in.people import PASSWORD, Pool

EVERYBODY = "nobody, no group, read, inspect, operate, approve, key"
SIGNED_IN = "read, inspect, operate, approve"
PASSED = {
    "GET /": EVERYBODY,
    "GET /assets/{file}": EVERYBODY,
    "GET /reports/{run_id}/{report}": EVERYBODY,
    "GET /openapi.json": EVERYBODY,
    "POST /predict": "key",
    "POST /labels": "key",
    "GET /model": "key",
    "GET /health": "key",
    "POST /people/predict": SIGNED_IN,
    "POST /people/labels": "operate",
    "POST /people/rollbacks": "operate",
    "POST /people/approvals": "approve",
    "GET /people/predictions/{id}": "inspect",
    "GET /monitoring/overview": SIGNED_IN,
    "GET /monitoring/health": SIGNED_IN,
    "GET /monitoring/trends": SIGNED_IN,
    "GET /monitoring/incidents": SIGNED_IN,
    "POST /monitoring/acknowledgements": "operate",
    "GET /monitoring/traffic": SIGNED_IN,
    "GET /monitoring/runs": SIGNED_IN,
    "POST /monitoring/runs": "operate",
    "GET /monitoring/runs/{run_id}": SIGNED_IN,
    "GET /monitoring/requests/{id}": SIGNED_IN,
    "GET /executions": SIGNED_IN,
    "GET /predictions": SIGNED_IN,
    "GET /models": SIGNED_IN,
    "GET /models/{version}": SIGNED_IN,
}
"""Who gets past the gateway and the check of groups; what the route answers then is its matter."""


@pytest.fixture(scope="module")
def callers(pool: Pool) -> dict[str, dict[str, str]]:
    """The headers of each kind of caller."""
    found = {"nobody": {}, "key": {"x-api-key": pool.target.api_key()}}
    for role in ("no group", "read", "inspect", "operate", "approve"):
        mail = f"{role.replace(' ', '')}@example.org"
        pool.add(mail, *([] if role == "no group" else [role]))
        found[role] = {"Authorization": pool.tokens(mail)["id_token"]}
    return found


def _deployed(pool: Pool) -> set[str]:
    """Every method of every path, but for those that only answer 405."""
    client = pool.target.client("apigateway")
    (api,) = client.get_rest_apis()["items"]
    pages = client.get_paginator("get_resources").paginate(restApiId=api["id"])
    return {
        f"{method} {resource['path']}"
        for page in pages
        for resource in page["items"]
        for method in resource.get("resourceMethods", {})
        if method != "ANY"
    }


def test_the_table_has_every_route(pool: Pool) -> None:
    assert set(PASSED) == _deployed(pool)


@pytest.mark.parametrize("route", PASSED)
def test_who_gets_in(pool: Pool, callers: dict[str, dict[str, str]], route: str) -> None:
    method, path = route.split()
    url = pool.page.rstrip("/") + re.sub(r"{\w+}", "x", path)
    body = "{}" if method == "POST" else None
    sent = {"Content-Type": "application/json"} if body else {}
    statuses = {
        caller: requests.request(
            method, url, headers=headers | sent, data=body, timeout=60, allow_redirects=False
        ).status_code
        for caller, headers in callers.items()
    }
    passed = {caller for caller, status in statuses.items() if status not in (401, 403)}
    assert set(PASSED[route].split(", ")) == passed, statuses
    if "key" not in passed:
        assert (401, 401) == (statuses["nobody"], statuses["key"])
        assert {403} == {statuses[c] for c in set(callers) - passed - {"nobody", "key"}}


@pytest.mark.parametrize("damage", ["tampered", "another kind", "no token"])
def test_only_an_unchanged_identity_token_of_the_pool_opens_a_route(
    pool: Pool, callers: dict[str, dict[str, str]], damage: str
) -> None:
    head, body, signature = callers["read"]["Authorization"].split(".")
    token = {
        "tampered": f"{head}.{body[:-3]}AAA.{signature}",
        "another kind": pool.tokens("read@example.org")["access_token"],
        "no token": "read@example.org",
    }[damage]
    answer = _ask(pool, token)
    assert 401 == answer.status_code
    assert "application/problem+json" == answer.headers["Content-Type"]
    assert {"title", "detail", "status"} <= set(answer.json())


def test_a_token_works_until_it_expires(
    pool: Pool,
    callers: dict[str, dict[str, str]],
) -> None:
    client = pool.idp.create_user_pool_client(
        UserPoolId=pool.id,
        ClientName="short",
        IdTokenValidity=20,
        TokenValidityUnits={"IdToken": "seconds"},
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"],
    )["UserPoolClient"]["ClientId"]
    signed_in = pool.idp.admin_initiate_auth(
        UserPoolId=pool.id,
        ClientId=client,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "read@example.org", "PASSWORD": PASSWORD},
    )
    token = signed_in["AuthenticationResult"]["IdToken"]
    assert 200 == _ask(pool, token).status_code
    assert wait_until(lambda: 401 == _ask(pool, token).status_code, seconds=60)


def _ask(pool: Pool, token: str) -> requests.Response:
    headers = {"Authorization": token}
    return requests.get(f"{pool.page}monitoring/overview", headers=headers, timeout=60)
