"""A deployment that uses another one's tracking server: what it lacks, and what it imports."""

import json
from collections.abc import Callable

import pytest

from stacks.settings import Settings
from stacks.stage import SettingsError
from tests.infra.assembly import Assembly
from tests.infra.conftest import cdk_context
from tests.repository import ROOT

SERVER = {
    "AWS::EC2::VPC",
    "AWS::EC2::SecurityGroup",
    "AWS::RDS::DBInstance",
    "AWS::ECS::Service",
    "AWS::ServiceDiscovery::Service",
    "AWS::Budgets::Budget",
}


@pytest.fixture(scope="module")
def churn(varied: Callable[..., Assembly]) -> Assembly:
    """A deployment of stage dev that uses circle's server."""
    return varied("aws", context={"name": "churn", "tracking": "circle"})


def test_it_has_no_network_server_database_or_budget(churn: Assembly, aws: Assembly) -> None:
    assert SERVER <= {found.kind for found in aws.resources()}
    assert set() == SERVER & {found.kind for found in churn.resources()}
    assert {"Storage", "Training", "Serving", "Monitoring"} == set(churn.templates)


def test_it_imports_nothing_but_where_the_tasks_of_the_other_one_run(
    churn: Assembly, aws: Assembly
) -> None:
    imported = _list_imports(churn) - _list_exports(churn)
    assert imported == {
        f"circle-dev-Tracking-{what}" for what in ("TrainingGroup", "TaskSubnet1", "TaskSubnet2")
    }
    assert imported <= _list_exports(aws)
    machine = aws.text(churn.resource("AWS::StepFunctions::StateMachine").properties)
    assert all(machine.count(export) for export in imported)


def test_its_tasks_find_that_server_and_keep_artifacts_at_home(churn: Assembly) -> None:
    steps = churn.resource("AWS::ECS::TaskDefinition", "StepsTask").properties
    (container,) = steps["ContainerDefinitions"]
    found = {each["Name"]: churn.text(each["Value"]) for each in container["Environment"]}
    assert "http://mlflow.circle-dev.internal:5000" == found["MLFLOW_TRACKING_URI"]
    assert "churn-dev-diabetes" == found["MODEL_NAME"]
    assert "{Models}" == found["MODELS_BUCKET"]
    assert "circle" == churn.templates["Training"]["Outputs"]["Tracking"]["Value"]


def test_the_other_ones_roles_get_no_right_for_it(churn: Assembly, aws: Assembly) -> None:
    for assembly, foreign in ((churn, "circle"), (aws, "churn")):
        for role in assembly.resources("AWS::IAM::Role"):
            assert foreign not in json.dumps(assembly.statements(role.name))


def _settings(**context: object) -> Settings:
    values = cdk_context() | {"mail_from": "sender@example.org"} | context
    return Settings.from_context(values.get, ROOT)


def test_a_stage_names_the_server_of_all_its_deployments_and_its_owner_has_it() -> None:
    stages = cdk_context()["stages"]
    assert isinstance(stages, dict)
    shared = {"stages": {"dev": stages["dev"] | {"tracking": "circle"}}}
    assert _settings(**shared, name="churn").shares_tracking
    assert not _settings(**shared).shares_tracking
    assert not _settings(**shared, name="churn", tracking="churn").shares_tracking
    assert not _settings(**shared, name="churn", target="emulator").shares_tracking


def test_a_deployments_own_settings_replace_those_of_its_stage() -> None:
    own = {"contract": "contract.toml", "tracking": "circle", "mail_identity": "none"}
    found = _settings(name="churn", deployments={"churn": own})
    assert ("circle", "none") == (found.tracking.name, found.stage.mail_identity)
    assert "address" == _settings(deployments={"churn": own}).stage.mail_identity
    once = _settings(name="churn", deployments={"churn": own}, settings='{"tracking": "heart"}')
    assert "heart" == once.tracking.name
    with pytest.raises(SettingsError, match="sise is not a setting"):
        _settings(name="churn", deployments={"churn": {"sise": 1}})
    with pytest.raises(SettingsError, match=r"Deployment churn in cdk\.json must be an object"):
        _settings(name="churn", deployments={"churn": "x"})


def test_a_name_that_no_deployment_can_have_is_refused() -> None:
    with pytest.raises(SettingsError, match="write -c tracking=NAME"):
        _settings(name="churn", tracking="Circle-1")


def _list_exports(assembly: Assembly) -> set[str]:
    return {
        output["Export"]["Name"]
        for template in assembly.templates.values()
        for output in template.get("Outputs", {}).values()
        if "Export" in output
    }


def _list_imports(assembly: Assembly) -> set[str]:
    return {
        found["Fn::ImportValue"]
        for template in assembly.templates.values()
        for found in _walk(template)
        if "Fn::ImportValue" in found
    }


def _walk(value: object) -> list[dict[str, str]]:
    """Every object inside a document."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [value] if isinstance(value, dict) else []
    return found + [each for item in inside for each in _walk(item)]
