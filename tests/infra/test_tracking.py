"""The tracking server: who reaches it, what it may do, what it costs to lose it."""

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from mlflow_server.settings import Database, Settings
from tests.infra.assembly import Assembly, Resource

SESSIONS = {
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}


def group(aws: Assembly, name: str) -> Resource:
    return aws.resource("AWS::EC2::SecurityGroup", name)


def ingress(aws: Assembly, name: str) -> list[tuple[str, int]]:
    """Who may come in to the group, and to which port; inline rules too."""
    own = group(aws, name)
    rules = list(own.properties.get("SecurityGroupIngress", []))
    rules += [
        rule.properties
        for rule in aws.resources("AWS::EC2::SecurityGroupIngress")
        if aws.text(rule.properties["GroupId"]) == f"{{{own.name}.GroupId}}"
    ]
    return [(aws.text(r["SourceSecurityGroupId"]), r["FromPort"]) for r in rules]


def test_training_reaches_mlflow_mlflow_its_database_and_nobody_else_anything(
    aws: Assembly,
) -> None:
    assert [("{TrainingGroup.GroupId}", 5000)] == ingress(aws, "MlflowGroup")
    assert [("{MlflowGroup.GroupId}", 5432)] == ingress(aws, "DatabaseGroup")
    assert [("{TrainingGroup.GroupId}", 0)] == ingress(aws, "TrainingGroup")


def test_the_database_has_no_way_out_and_no_public_address(aws: Assembly) -> None:
    instance = database(aws)
    assert instance.properties["PubliclyAccessible"] is False
    subnets = aws.resource("AWS::RDS::DBSubnetGroup").properties["SubnetIds"]
    assert 2 == len(subnets)
    isolated = {aws.text(subnet) for subnet in subnets}
    tables = {
        aws.text(a.properties["RouteTableId"])
        for a in aws.resources("AWS::EC2::SubnetRouteTableAssociation")
        if aws.text(a.properties["SubnetId"]) in isolated
    }
    routes = [aws.text(r.properties["RouteTableId"]) for r in aws.resources("AWS::EC2::Route")]
    assert 2 == len(tables)
    assert set() == tables & set(routes)


def database(assembly: Assembly) -> Resource:
    return assembly.resource("AWS::RDS::DBInstance")


@pytest.mark.parametrize("stage", ["aws", "prod"])
def test_the_database_is_encrypted_backed_up_and_wants_tls(
    request: pytest.FixtureRequest, stage: str
) -> None:
    assembly: Assembly = request.getfixturevalue(stage)
    properties = database(assembly).properties
    assert "postgres" == properties["Engine"]
    assert properties["StorageEncrypted"] is True
    assert "{DataKey.Arn}" == assembly.text(properties["KmsKeyId"])
    # AWS's Free plan refuses more than a day.
    assert properties["BackupRetentionPeriod"] == {"aws": 1, "prod": 14}[stage]
    parameters = assembly.resource("AWS::RDS::DBParameterGroup").properties["Parameters"]
    assert {"rds.force_ssl": "1"} == parameters


def test_a_stage_that_keeps_its_data_protects_the_database_and_leaves_a_snapshot(
    aws: Assembly, prod: Assembly
) -> None:
    kept, removable = database(prod), database(aws)
    assert kept.properties["DeletionProtection"] is True
    assert kept.properties["DeleteAutomatedBackups"] is False
    assert "Snapshot" == kept.definition["DeletionPolicy"]
    assert removable.properties["DeletionProtection"] is False
    assert removable.properties["DeleteAutomatedBackups"] is True
    assert "Delete" == removable.definition["DeletionPolicy"]


def test_no_template_holds_the_password(aws: Assembly) -> None:
    password = database(aws).properties["MasterUserPassword"]
    assert "resolve:secretsmanager" in json.dumps(password)
    (generated,) = aws.resources("AWS::SecretsManager::Secret", "Tracking")
    assert "password" == generated.properties["GenerateSecretString"]["GenerateStringKey"]


def task(aws: Assembly) -> dict[str, Any]:
    return aws.resource("AWS::ECS::TaskDefinition", "MlflowTask").properties


def container(aws: Assembly) -> dict[str, Any]:
    (only,) = task(aws)["ContainerDefinitions"]
    found: dict[str, Any] = only
    return found


def test_the_container_gets_settings_in_the_open_and_the_secret_in_parts(aws: Assembly) -> None:
    variables = {v["Name"]: aws.text(v["Value"]) for v in container(aws)["Environment"]}
    settings = Settings.from_env(variables)
    assert settings == Settings(
        artifact_root="s3://{Models}/mlflow",
        allowed_hosts="mlflow.circle-dev.internal:*,localhost:*,127.0.0.1:*",
    )
    assert "verify-full" == settings.sslmode
    parts = {s["Name"]: aws.text(s["ValueFrom"]) for s in container(aws)["Secrets"]}
    assert set(parts) == {field.name.upper() for field in fields(Database)}
    assert all("InstanceSecret" in reference for reference in parts.values())


def test_how_the_database_is_verified_is_the_stages(varied: Callable[..., Assembly]) -> None:
    unverified = varied("aws", rds_bundle_url="", database_sslmode="require")
    variables = {v["Name"]: v["Value"] for v in container(unverified)["Environment"]}
    assert "require" == variables["SSLMODE"]


def test_the_training_finds_the_server_under_its_cloud_map_name(aws: Assembly) -> None:
    namespace = aws.resource("AWS::ServiceDiscovery::PrivateDnsNamespace").properties["Name"]
    name = aws.resource("AWS::ServiceDiscovery::Service").properties["Name"]
    url = aws.templates["Training"]["Outputs"]["MlflowUrl"]["Value"]
    assert f"http://{name}.{namespace}:5000" == url


def test_there_is_one_server_and_a_deployment_that_fails_is_taken_back(aws: Assembly) -> None:
    service = aws.resource("AWS::ECS::Service").properties
    assert 1 == service["DesiredCount"]
    deployment = service["DeploymentConfiguration"]
    assert {"Enable": True, "Rollback": True} == deployment["DeploymentCircuitBreaker"]
    # The old one stops first: an old server and a migrated schema don't go together.
    assert (0, 100) == (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"])
    # ECS refuses to rebalance a service that may not start a second task.
    assert "DISABLED" == service["AvailabilityZoneRebalancing"]
    assert service["EnableExecuteCommand"] is True


def test_a_slow_start_is_no_failure(aws: Assembly) -> None:
    check = container(aws)["HealthCheck"]
    assert ["CMD", "python", "-m", "mlflow_server", "health"] == check["Command"]
    assert Settings(artifact_root="-", allowed_hosts="-").patience_seconds < check["StartPeriod"]
    assert check["StartPeriod"] <= 300


def test_the_root_is_read_only_and_a_port_can_be_forwarded_all_the_same(aws: Assembly) -> None:
    assert container(aws)["ReadonlyRootFilesystem"] is True
    mounts = {m["ContainerPath"]: m["ReadOnly"] for m in container(aws)["MountPoints"]}
    assert {
        "/tmp": False,  # noqa: S108 - a volume of the task alone
        "/managed-agents": False,
        "/var/lib/amazon/ssm": False,
        "/var/log/amazon/ssm": False,
    } == mounts


def test_the_server_may_read_artifacts_and_open_sessions_and_nothing_else(aws: Assembly) -> None:
    allowed = aws.allowed("MlflowTaskTaskRole")
    assert {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"} | SESSIONS == set(allowed)
    assert {"{Models.Arn}/mlflow/*"} == allowed["s3:GetObject"]


@pytest.mark.parametrize(("stage", "size"), [("aws", ("256", "1024")), ("prod", ("512", "2048"))])
def test_the_servers_size_is_the_stages(
    request: pytest.FixtureRequest, stage: str, size: tuple[str, str]
) -> None:
    found = task(request.getfixturevalue(stage))
    assert (found["Cpu"], found["Memory"]) == size
    assert "ARM64" == found["RuntimePlatform"]["CpuArchitecture"]


def test_there_is_neither_a_nat_nor_an_interface_endpoint(aws: Assembly) -> None:
    assert [] == list(aws.resources("AWS::EC2::NatGateway"))
    endpoints = list(aws.resources("AWS::EC2::VPCEndpoint"))
    assert ["Gateway"] == [e.properties["VpcEndpointType"] for e in endpoints]


def test_the_budget_warns_by_mail_before_it_is_spent(aws: Assembly) -> None:
    budget = aws.resource("AWS::Budgets::Budget").properties
    assert {"Amount": 50, "Unit": "USD"} == budget["Budget"]["BudgetLimit"]
    for warning in budget["NotificationsWithSubscribers"]:
        assert warning["Notification"]["Threshold"] <= 100
        assert [{"Address": "team@example.org", "SubscriptionType": "EMAIL"}] == warning[
            "Subscribers"
        ]


def test_postgres_is_pinned_to_its_major_version_and_upgrades_minor_ones_itself(
    aws: Assembly,
) -> None:
    instance = database(aws).properties
    assert ("17", True) == (instance["EngineVersion"], instance["AutoMinorVersionUpgrade"])
    parameters = aws.resource("AWS::RDS::DBParameterGroup").properties
    assert "postgres17" == parameters["Family"]
