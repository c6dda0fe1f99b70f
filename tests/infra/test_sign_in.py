"""A stage has a user pool, and routes for people, only if it wants a login."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from domain.api import change_routes, inspection, people
from domain.api.people import GROUPS
from lambdas.dashboard.settings import Settings as DashboardSettings
from ops.bill.cost_idle import Stage as Bill
from stacks.settings import Settings
from stacks.stage import SettingsError
from tests.infra.assembly import Assembly
from tests.infra.conftest import cdk_context
from tests.infra.test_serving import KEYED, KEYLESS, routes
from tests.repository import ROOT

SERVICES = {"POST /predict", "POST /labels", "GET /model", "GET /health"}
ADDED = {
    f"{route.method.upper()} {route.path}" for route in (*change_routes.ROUTES, *inspection.ROUTES)
}
PEOPLES = KEYED - SERVICES | {f"{method} {path}" for method, path in people.ROUTES} | ADDED


@pytest.fixture(scope="module")
def login(varied: Callable[..., Assembly]) -> Assembly:
    """The stage dev with a login, which either pack of cdk-nag has looked at."""
    return varied("aws", login="cognito", login_mfa="required", login_provider="Corp")


def test_people_have_tokens_services_have_keys_and_no_method_takes_both(login: Assembly) -> None:
    authorizer = login.resource("AWS::ApiGateway::Authorizer").properties
    assert ["{SignInPeople.Arn}"] == [login.text(arn) for arn in authorizer["ProviderARNs"]]
    assert "COGNITO_USER_POOLS" == authorizer["Type"]
    tokens = dict.fromkeys(PEOPLES | {f"ANY {route.split()[1]}" for route in PEOPLES}, False)
    keys = dict.fromkeys(SERVICES | {f"ANY {r.split()[1]}" for r in SERVICES | KEYLESS}, True)
    assert tokens | keys | dict.fromkeys(KEYLESS, False) == routes(login)
    methods = [m.properties for m in login.resources("AWS::ApiGateway::Method")]
    by_token = [m for m in methods if m["AuthorizationType"] == "COGNITO_USER_POOLS"]
    assert len(tokens) == len(by_token)
    assert all("AuthorizerId" in m and not m.get("ApiKeyRequired") for m in by_token)


def test_nobody_signs_up_alone_and_passwords_are_long(login: Assembly) -> None:
    pool = login.resource("AWS::Cognito::UserPool").properties
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    policy = pool["Policies"]["PasswordPolicy"]
    wanted = {f"Require{kind}" for kind in ("Lowercase", "Uppercase", "Numbers", "Symbols")}
    assert {True} == {policy[name] for name in wanted}
    assert 12 == policy["MinimumLength"]
    assert ("ON", ["SOFTWARE_TOKEN_MFA"]) == (pool["MfaConfiguration"], pool["EnabledMfas"])


def test_the_page_signs_in_by_code_only_and_comes_back_to_itself(login: Assembly) -> None:
    client = login.resource("AWS::Cognito::UserPoolClient").properties
    page = "https://{ApiRest}.execute-api.{AWS::Region}.{AWS::URLSuffix}/v1/"
    assert [page] == [login.text(url) for url in client["CallbackURLs"]]
    assert client["CallbackURLs"] == client["LogoutURLs"]
    assert (["code"], ["openid", "email"]) == (
        client["AllowedOAuthFlows"],
        client["AllowedOAuthScopes"],
    )
    assert ["ALLOW_REFRESH_TOKEN_AUTH"] == client["ExplicitAuthFlows"]
    assert client.get("GenerateSecret") in (None, False)
    assert ["COGNITO", "Corp"] == client["SupportedIdentityProviders"]
    assert 60 == client["IdTokenValidity"]


def test_each_role_is_a_group(login: Assembly) -> None:
    groups = [g.properties for g in login.resources("AWS::Cognito::UserPoolGroup")]
    assert dict(GROUPS) == {g["GroupName"]: g["Description"] for g in groups}


def test_the_dashboard_knows_where_people_sign_in(login: Assembly) -> None:
    function = login.resource("AWS::Lambda::Function", "DashboardBackendFunction").properties
    variables = {k: login.text(v) for k, v in function["Environment"]["Variables"].items()}
    settings = DashboardSettings.from_env(variables)
    url = "https://circle-dev-{AWS::AccountId}.auth.{AWS::Region}.amazoncognito.com"
    assert (url, "{SignInPeopleDashboard}") == (settings.sign_in_url, settings.sign_in_client)
    domain = login.resource("AWS::Cognito::UserPoolDomain").properties["Domain"]
    assert url.startswith(f"https://{login.text(domain)}.")


def test_promotions_and_answers_know_the_role_that_acts_for_people(login: Assembly) -> None:
    role = login.resource("AWS::IAM::Role", "ChangesPeopleRole").properties["RoleName"]
    expected = f"{{AWS::AccountId}}:assumed-role/{login.text(role)}/"
    notifier = login.resource("AWS::Lambda::Function", "DecisionsNotifierFunction").properties
    assert expected == login.text(notifier["Environment"]["Variables"]["PEOPLE_PRINCIPAL"])
    for task in login.resources("AWS::ECS::TaskDefinition", "Training"):
        (container,) = task.properties["ContainerDefinitions"]
        found = {each["Name"]: login.text(each["Value"]) for each in container["Environment"]}
        assert expected == found["PEOPLE_PRINCIPAL"]


def test_access_logs_name_the_person_and_the_gateway_says_who_must_sign_in(
    login: Assembly,
) -> None:
    stage = login.resource("AWS::ApiGateway::Stage").properties
    logged = json.loads(stage["AccessLogSetting"]["Format"])
    assert "$context.authorizer.claims.email" == logged["person"]
    answers = {
        a.properties["ResponseType"]: a.properties.get("StatusCode")
        for a in login.resources("AWS::ApiGateway::GatewayResponse")
    }
    assert "401" == answers["UNAUTHORIZED"]


def test_what_changes_the_champion_names_the_command_line_of_its_stage(login: Assembly) -> None:
    changes = login.resource("AWS::Lambda::Function", "ChangesPeopleFunction").properties
    variables = changes["Environment"]["Variables"]
    assert "ops --stage dev" == variables["OPERATOR_COMMAND"]


def test_a_retaining_stage_keeps_its_people(varied: Callable[..., Assembly]) -> None:
    pool = varied("aws", login="cognito", retain=True).resource("AWS::Cognito::UserPool")
    assert "Retain" == pool.definition["DeletionPolicy"]
    assert "ACTIVE" == pool.properties["DeletionProtection"]
    assert "OPTIONAL" == pool.properties["MfaConfiguration"]


def test_every_type_of_a_login_has_its_price(login: Assembly) -> None:
    assert set() == Bill.read(login.folder).not_priced()


def test_without_a_login_there_is_nothing_of_it(aws: Assembly, emulator: Assembly) -> None:
    for assembly in (aws, emulator):
        kinds = {resource.kind for resource in assembly.resources()}
        assert not [kind for kind in kinds if "Cognito" in kind or "Authorizer" in kind]
        assert "UserPool" not in assembly.templates["Serving"]["Outputs"]
        text = json.dumps(list(assembly.templates.values()))
        assert not [
            word
            for word in ("SIGN_IN", "HAS_LOGIN", "/people", "PEOPLE_", "Changes", "Inspection")
            if word in text
        ]


@pytest.mark.parametrize("name", ["paws", "cognito1"])
def test_a_name_that_cognito_refuses_in_its_address_is_refused_before(name: str) -> None:
    def settings(login: str) -> Settings:
        stages: Any = cdk_context()["stages"]
        context: dict[str, object] = {"name": name, "mail_from": "a@example.org"}
        context |= {"stages": {"dev": stages["dev"] | {"login": login}}}
        return Settings.from_context((cdk_context() | context).get, ROOT)

    assert name == settings("none").names.name
    with pytest.raises(SettingsError, match="give the deployment and the stage names without it"):
        settings("cognito")
