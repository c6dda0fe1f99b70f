"""What holds for every stack: outputs, targets, stages, rights."""

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

from domain.deployment import Deployment, output_key
from tests.infra.assembly import Assembly, Resource, as_list

RESOURCES_LIMIT = 500
TEMPLATE_LIMIT = 1_000_000


def outputs(assembly: Assembly) -> set[str]:
    """The outputs that aren't exports from one stack to another."""
    return {
        key
        for template in assembly.templates.values()
        for key, output in template.get("Outputs", {}).items()
        if "Export" not in output
    }


OPTIONAL = {"Retention", "Tracking", "UserPool", "WebhookSecret"}
"""Outputs of stages with a limit on how long rows are kept, with a webhook or with a login, and of
deployments that use another one's tracking server."""


def test_the_outputs_are_exactly_what_the_operators_tools_read(
    aws: Assembly, emulator: Assembly
) -> None:
    expected = {output_key(field.name) for field in fields(Deployment)} - OPTIONAL
    assert expected == outputs(aws)
    assert expected == outputs(emulator)


def test_the_api_url_has_no_slash_at_the_end_on_either_target(
    aws: Assembly, emulator: Assembly
) -> None:
    urls = [
        assembly.text(assembly.templates["Serving"]["Outputs"]["ApiUrl"]["Value"])
        for assembly in (aws, emulator)
    ]
    assert [
        "https://{ApiRest}.execute-api.{AWS::Region}.{AWS::URLSuffix}/v1",
        "http://localhost:4566/restapis/{ApiRest}/v1/_user_request_",
    ] == urls


def changed(left: Any, right: Any, path: str = "") -> Iterator[str]:
    """Paths at which two documents differ."""
    if isinstance(left, dict) and isinstance(right, dict) and not _is_intrinsic(left):
        for key in left.keys() | right.keys():
            yield from changed(left.get(key), right.get(key), f"{path}/{key}")
    elif left != right:
        yield path


def _is_intrinsic(value: dict[str, Any]) -> bool:
    return any(key == "Ref" or key.startswith("Fn::") for key in value)


def test_the_emulators_resources_differ_only_in_artefacts_network_and_addresses(
    aws: Assembly, emulator: Assembly
) -> None:
    shared = {"Storage", "Training", "Serving", "Monitoring"}
    assert set(emulator.templates) == shared
    assert set(aws.templates) == shared | {"Tracking"}
    ours = {(r.stack, r.name): r for r in aws.resources() if r.stack in shared}
    theirs = {(r.stack, r.name): r for r in emulator.resources()}
    assert set() == set(theirs) - set(ours)
    differences = {
        (resource.name, path)
        for key, resource in ours.items()
        for path in changed(resource.properties, theirs[key].properties if key in theirs else None)
    }
    assert {
        "DashboardBackendFunction",  # how an operator's command is called, for the page to show
        "DecisionsNotifierFunction",  # the same, for its mails
        "PredictorFunction",  # the same, for its log
        "AlarmsDeadLetters",  # the same, for the mail of the alarm
        "DriftFunction",  # image or zip, and the API's URL in the mails
        "PromotionTask",  # image, and the tracking server's URL
        "StepsTask",
        "ErasureTask",
        "CompactionTask",
        "CompactionTaskExecutionRoleDefaultPolicy",
        "PromotionTaskExecutionRoleDefaultPolicy",
        "ErasureTaskExecutionRoleDefaultPolicy",
        "StepsTaskExecutionRoleDefaultPolicy",  # the right to pull an image
        "TrainingMachine",  # subnets and security group
    } == {name for name, _ in differences}
    assert {
        "/Code/ImageUri",
        "/Code/S3Bucket",
        "/Code/S3Key",
        "/Handler",
        "/PackageType",
        "/Runtime",
        *(f"/Environment/Variables/{name}" for name in ("API_URL", "OPERATOR_COMMAND")),
    } == {path for name, path in differences if name == "DriftFunction"}


def test_the_emulator_gets_nothing_it_does_not_know(emulator: Assembly) -> None:
    kinds = {resource.kind for resource in emulator.resources()}
    assert not [kind for kind in kinds if kind.startswith(("Custom::", "AWS::EC2::", "AWS::RDS::"))]


def test_no_target_needs_a_custom_resource_or_a_lookup(aws: Assembly) -> None:
    assert not [r.name for r in aws.resources() if r.kind.startswith("Custom::")]
    assert "missing" not in json.loads((aws.folder / "manifest.json").read_text())


def policies(assembly: Assembly) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Every statement of every identity policy."""
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for policy in assembly.resources(kind):
            for statement in policy.properties["PolicyDocument"]["Statement"]:
                yield policy, statement


TAKES_NO_RESOURCE = {
    "ecr:GetAuthorizationToken",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


@pytest.mark.parametrize("target", ["aws", "emulator", "prod"])
def test_no_grant_is_on_everything_except_what_takes_no_resource(
    request: pytest.FixtureRequest, target: str
) -> None:
    assembly: Assembly = request.getfixturevalue(target)
    on_everything = {
        action
        for _, statement in policies(assembly)
        if "*" in [assembly.text(r) for r in as_list(statement["Resource"])]
        for action in as_list(statement["Action"])
    }
    assert on_everything <= TAKES_NO_RESOURCE


def test_no_grant_is_for_every_action_of_a_service(aws: Assembly) -> None:
    actions = {a for _, statement in policies(aws) for a in as_list(statement["Action"])}
    # CDK's own grant for the drift function's failure destination.
    assert {"kms:GenerateDataKey*"} == {action for action in actions if "*" in action}


def test_each_function_has_a_role_of_its_own(aws: Assembly) -> None:
    functions = list(aws.resources("AWS::Lambda::Function"))
    roles = {json.dumps(function.properties["Role"]) for function in functions}
    assert len(roles) == len(functions) > 1


def test_every_log_expires_and_is_encrypted_with_the_deployments_key(aws: Assembly) -> None:
    groups = list(aws.resources("AWS::Logs::LogGroup"))
    assert {30} == {group.properties["RetentionInDays"] for group in groups}
    assert {"{DataKey.Arn}"} == {aws.text(group.properties["KmsKeyId"]) for group in groups}
    for function in aws.resources("AWS::Lambda::Function"):
        assert "LogGroup" in function.properties["LoggingConfig"]


DATA = ("AWS::S3::Bucket", "AWS::KMS::Key")


def test_prod_keeps_its_data_and_cannot_be_deleted_by_mistake(prod: Assembly) -> None:
    kept = {r.name: r.definition["DeletionPolicy"] for kind in DATA for r in prod.resources(kind)}
    assert set() == {name for name, policy in kept.items() if policy != "Retain"}
    assert all(stack["terminationProtection"] for stack in prod.stack_properties())


def test_dev_can_be_removed_but_for_the_regions_log_role_of_api_gateway(aws: Assembly) -> None:
    kept = {
        r.name for r in aws.resources() if r.definition.get("DeletionPolicy", "Delete") != "Delete"
    }
    # Other APIs of the account log by it; docs/aws.md says how to delete it.
    assert {"ApiRestCloudWatchRole", "ApiRestAccount"} == kept
    assert not any(stack.get("terminationProtection") for stack in aws.stack_properties())


def test_templates_stay_far_below_cloudformations_limits(aws: Assembly) -> None:
    for name, template in aws.templates.items():
        assert len(template["Resources"]) < RESOURCES_LIMIT, name
        assert len(json.dumps(template)) < TEMPLATE_LIMIT, name
