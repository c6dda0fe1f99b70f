"""What LocalStack's free core knows of our stacks can be deployed to it."""

import json
import os
from typing import Any

import boto3
import pytest
import requests

from tests.infra.assembly import Assembly

KNOWN = frozenset(
    {
        "AWS::ApiGateway::Account",
        "AWS::ApiGateway::ApiKey",
        "AWS::ApiGateway::GatewayResponse",
        "AWS::ApiGateway::Resource",
        "AWS::ApiGateway::RestApi",
        "AWS::CloudWatch::Alarm",
        "AWS::Events::EventBus",
        "AWS::Events::Rule",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::KMS::Key",
        "AWS::Logs::LogGroup",
        "AWS::Logs::LogStream",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    }
)
"""Types that the core's CloudFormation makes without Docker, a licence or a download."""
STACKS = ("Storage", "Training", "Serving", "Monitoring")


@pytest.fixture
def localstack() -> str:
    url = os.environ.get("LOCALSTACK_ENDPOINT", "")
    if not url:
        pytest.skip("No LocalStack: set LOCALSTACK_ENDPOINT to one that runs.")
    try:
        requests.get(f"{url}/_localstack/health", timeout=5).raise_for_status()
    except requests.RequestException:
        pytest.skip(f"No LocalStack answers at {url} (LOCALSTACK_ENDPOINT).")
    return url


@pytest.mark.parametrize("stack", STACKS)
def test_the_free_part_of_a_stack_deploys(localstack: str, emulator: Assembly, stack: str) -> None:
    template = part(emulator.templates[stack])
    client = boto3.client(
        "cloudformation",
        endpoint_url=localstack,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    name = f"circle-free-core-{stack.lower()}"
    client.create_stack(
        StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    try:
        client.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
        )
        made = client.list_stack_resources(StackName=name)["StackResourceSummaries"]
        assert {r["LogicalResourceId"] for r in made} == set(template["Resources"])
    finally:
        client.delete_stack(StackName=name)


@pytest.mark.parametrize(
    ("stack", "among"),
    [
        (
            "Storage",
            {"AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SNS::Topic", "AWS::Events::EventBus"},
        ),
        ("Training", {"AWS::IAM::Role"}),
        ("Serving", {"AWS::ApiGateway::RestApi", "AWS::ApiGateway::GatewayResponse"}),
        ("Monitoring", {"AWS::IAM::Role"}),
    ],
)
def test_the_part_is_whole_in_itself(emulator: Assembly, stack: str, among: set[str]) -> None:
    template = part(emulator.templates[stack])
    assert among <= {resource["Type"] for resource in template["Resources"].values()}
    assert not references(template["Resources"]) - set(template["Resources"])


def part(template: dict[str, Any]) -> dict[str, Any]:
    """The resources of known types, without those that lean on another one."""
    resources = {n: r for n, r in template["Resources"].items() if r["Type"] in KNOWN}
    while leaning := {n for n, r in resources.items() if references(r) - set(resources)}:
        resources = {n: r for n, r in resources.items() if n not in leaning}
    return {"Resources": resources}


def references(value: Any) -> set[str]:
    """Logical ids, and other stacks' exports, that a value names; pseudo-parameters aside."""
    if isinstance(value, list):
        return {name for item in value for name in references(item)}
    if not isinstance(value, dict):
        return set()
    found = {name for item in value.values() for name in references(item)}
    match value:
        case {"Ref": str(name)} if not name.startswith("AWS::"):
            found.add(name)
        case {"Fn::GetAtt": [str(name), _]} | {"Fn::ImportValue": str(name)}:
            found.add(name)
    depends = value.get("DependsOn", [])
    return found | set(depends if isinstance(depends, list) else [depends])
