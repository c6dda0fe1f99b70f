"""Deployments and stages live side by side in one account: no two of them share a name."""

import json
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import pytest

from tests.infra.assembly import Assembly

INSIDE = {
    ("AWS::ApiGateway::Stage", "StageName"),
    ("AWS::CloudWatch::Alarm", "MetricName"),
    ("AWS::Glue::Table", "TableInput.Name"),
    ("AWS::IAM::Policy", "PolicyName"),
    ("AWS::RDS::DBInstance", "DBName"),
    ("AWS::ServiceDiscovery::Service", "Name"),
}
"""Names that need to be unique only inside their API, namespace, database, role or zone."""

GIVEN = {
    ("AWS::ECS::TaskDefinition", "RuntimePlatform.OperatingSystemFamily"),
    ("AWS::RDS::DBParameterGroup", "Family"),  # a kind of Postgres
    ("AWS::SES::EmailIdentity", "EmailIdentity"),  # the operator's address: docs/aws.md, Deploy
}
"""Not names of ours."""


def _names(assembly: Assembly) -> Iterator[tuple[str, str, str]]:
    """(type, property, name) of every resource that is not named by CloudFormation."""
    for resource in assembly.resources():
        for path, value in _texts(resource.properties):
            where = (resource.kind, path)
            if (
                path.endswith(("Name", "Family", "Identity", "InstanceIdentifier"))
                and where not in INSIDE | GIVEN
            ):
                yield *where, value


def _texts(
    properties: dict[str, Any], depth: int = 2, prefix: str = ""
) -> Iterator[tuple[str, str]]:
    """Texts at the top of a resource's properties, and one level below."""
    for key, value in properties.items():
        if isinstance(value, str):
            yield prefix + key, value
        elif isinstance(value, dict) and depth > 1 and "Ref" not in value:
            yield from _texts(value, depth - 1, f"{prefix}{key}.")


def _stacks(assembly: Assembly) -> set[str]:
    return {path.name.removesuffix(".template.json") for path in _templates(assembly)}


def _templates(assembly: Assembly) -> list[Any]:
    return list(assembly.folder.glob("*.template.json"))


def _exports(assembly: Assembly) -> set[str]:
    return {
        output["Export"]["Name"]
        for template in assembly.templates.values()
        for output in template.get("Outputs", {}).values()
        if "Export" in output
    }


def _settings(assembly: Assembly, variable: str) -> set[str]:
    """The values that functions and containers get for one environment variable."""
    functions = [
        function.properties["Environment"]["Variables"]
        for function in assembly.resources("AWS::Lambda::Function")
        if "Environment" in function.properties
    ]
    containers = [
        {v["Name"]: v["Value"] for v in container["Environment"]}
        for task in assembly.resources("AWS::ECS::TaskDefinition")
        for container in task.properties["ContainerDefinitions"]
    ]
    return {found[variable] for found in functions + containers if variable in found}


@pytest.fixture(scope="module")
def deployments(
    aws: Assembly, prod: Assembly, varied: Callable[..., Assembly]
) -> dict[str, Assembly]:
    """Two names and two stages of one account."""
    return {
        "circle-dev": aws,
        "circle-prod": prod,
        "heart-dev": varied("aws", context={"name": "heart"}),
    }


def test_no_two_deployments_share_a_physical_name(deployments: dict[str, Assembly]) -> None:
    for ours, theirs in combinations(deployments.values(), 2):
        assert set() == set(_names(ours)) & set(_names(theirs))
        assert set() == _stacks(ours) & _stacks(theirs)
        assert set() == _exports(ours) & _exports(theirs)


def test_what_has_a_name_of_its_own_is_known(aws: Assembly) -> None:
    assert {
        ("AWS::ApiGateway::RestApi", "circle-dev"),
        ("AWS::Athena::WorkGroup", "circle-dev"),
        ("AWS::Budgets::Budget", "circle-dev"),
        ("AWS::ECS::TaskDefinition", "circle-dev-compaction"),
        ("AWS::ECS::TaskDefinition", "circle-dev-erasure"),
        ("AWS::ECS::TaskDefinition", "circle-dev-mlflow"),
        ("AWS::ECS::TaskDefinition", "circle-dev-promotion"),
        ("AWS::ECS::TaskDefinition", "circle-dev-training"),
        ("AWS::Events::EventBus", "circle-dev"),
        ("AWS::Glue::Database", "circle_dev"),
        ("AWS::Logs::LogGroup", "/aws/rds/instance/circle-dev-mlflow/postgresql"),
        ("AWS::Logs::LogGroup", "/aws/rds/instance/circle-dev-mlflow/upgrade"),
        ("AWS::RDS::DBInstance", "circle-dev-mlflow"),
        ("AWS::ServiceDiscovery::PrivateDnsNamespace", "circle-dev.internal"),
        ("AWS::StepFunctions::StateMachine", "circle-dev-training"),
    } == {(kind, name) for kind, _, name in _names(aws)}


def test_metrics_alarms_and_graphs_share_the_deployments_own_namespace(
    deployments: dict[str, Assembly],
) -> None:
    for name, assembly in deployments.items():
        assert {name} == _settings(assembly, "METRICS_NAMESPACE")
        alarms = list(assembly.resources("AWS::CloudWatch::Alarm"))
        own = {a.properties["Namespace"] for a in alarms}
        assert {name} == {space for space in own if not space.startswith("AWS/")}
        boards = list(assembly.resources("AWS::CloudWatch::Dashboard"))
        assert (name == "circle-prod") == bool(boards)
        if not boards:
            continue
        body = boards[0].properties["DashboardBody"]
        graphs = json.loads(assembly.text(body))["widgets"]
        lines = [line for graph in graphs for line in graph["properties"].get("metrics", [])]
        emitted = {line[0] for line in lines if isinstance(line[0], str)}
        assert {name} == {space for space in emitted if not space.startswith("AWS/")}
        (search,) = [line[0]["expression"] for line in lines if "expression" in line[0]]
        assert f'SEARCH(\'{{"{name}",field,service}} MetricName="FieldErrors"\'' in search


def test_two_deployments_may_share_a_tracking_server(deployments: dict[str, Assembly]) -> None:
    models = {name: _settings(assembly, "MODEL_NAME") for name, assembly in deployments.items()}
    assert {name: {f"{name}-diabetes"} for name in deployments} == models


def test_everything_that_can_be_tagged_says_whose_it_is(deployments: dict[str, Assembly]) -> None:
    for name, assembly in deployments.items():
        bucket = assembly.resource("AWS::S3::Bucket", "Data").properties
        tags = {tag["Key"]: tag["Value"] for tag in bucket["Tags"]}
        assert f"{tags['Deployment']}-{tags['Stage']}" == name
