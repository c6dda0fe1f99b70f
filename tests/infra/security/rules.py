"""Rules that hold for every resource of every stage, whoever adds it and whatever it is called.

A rule yields a sentence about each resource that breaks it.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.infra.assembly import Assembly, Resource, as_list

Rule = Callable[[Assembly], Iterator[str]]

POLICIES = {
    "AWS::IAM::Policy": "PolicyDocument",
    "AWS::IAM::ManagedPolicy": "PolicyDocument",
    "AWS::IAM::Role": "AssumeRolePolicyDocument",
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::SQS::QueuePolicy": "PolicyDocument",
    "AWS::SecretsManager::ResourcePolicy": "ResourcePolicy",
}
OVER_TLS = {
    "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "Bucket"),
    "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues"),
    "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics"),
}
"""What is reached from outside the VPC: its policy, and the property that names it there."""
STATEFUL = ("AWS::S3::Bucket", "AWS::KMS::Key", "AWS::RDS::DBInstance", "AWS::Logs::LogGroup")
_SECRET = re.compile(r"(PASSWORD|SECRET|TOKEN|CREDENTIAL)", re.IGNORECASE)


def find_broken(assembly: Assembly) -> dict[str, list[str]]:
    """Rule → sentences, of the rules that are broken."""
    found = {name: list(rule(assembly)) for name, rule in RULES.items()}
    return {name: sentences for name, sentences in found.items() if sentences}


def _statements(assembly: Assembly, *kinds: str) -> Iterator[tuple[Resource, dict[str, Any]]]:
    for kind in kinds or POLICIES:
        for resource in assembly.resources(kind):
            for statement in resource.properties.get(POLICIES[kind], {}).get("Statement", []):
                yield resource, statement


def _open_groups(assembly: Assembly) -> Iterator[str]:
    for group in assembly.resources("AWS::EC2::SecurityGroup"):
        if group.properties.get("SecurityGroupIngress"):
            yield f"{group.name} lets addresses in; only security groups may."
    for ingress in assembly.resources("AWS::EC2::SecurityGroupIngress"):
        if "SourceSecurityGroupId" not in ingress.properties:
            yield f"{ingress.name} lets addresses in; only security groups may."


def _public_doors(assembly: Assembly) -> Iterator[str]:
    for kind in ("AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::Lambda::Url"):
        for resource in assembly.resources(kind):
            yield f"{resource.name} is a way in beside the API."
    for instance in assembly.resources("AWS::RDS::DBInstance"):
        if instance.properties.get("PubliclyAccessible") is not False:
            yield f"{instance.name} has a public address."


def _public_buckets(assembly: Assembly) -> Iterator[str]:
    for bucket in assembly.resources("AWS::S3::Bucket"):
        blocked = bucket.properties.get("PublicAccessBlockConfiguration", {})
        if 4 != list(blocked.values()).count(True):
            yield f"{bucket.name} doesn't block public access."


def _plain_transport(assembly: Assembly) -> Iterator[str]:
    for kind, (policy_kind, property_) in OVER_TLS.items():
        guarded = {
            json.dumps(name)
            for policy, statement in _statements(assembly, policy_kind)
            if statement["Effect"] == "Deny"
            and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
            for name in as_list(policy.properties[property_])
        }
        for resource in assembly.resources(kind):
            if json.dumps({"Ref": resource.logical_id}) not in guarded:
                yield f"{resource.name} may be reached without TLS."
    for group in assembly.resources("AWS::RDS::DBParameterGroup"):
        if group.properties.get("Parameters", {}).get("rds.force_ssl") != "1":
            yield f"{group.name} lets clients connect without TLS."


def _wildcard_actions(assembly: Assembly) -> Iterator[str]:
    for policy, statement in _statements(assembly, "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for action in as_list(statement["Action"]):
            if statement["Effect"] == "Allow" and re.fullmatch(r"\*|[a-z0-9-]+:\*", action):
                yield f"{policy.name} allows {action}."


def _wildcard_principals(assembly: Assembly) -> Iterator[str]:
    for resource, statement in _statements(assembly):
        principal = statement.get("Principal")
        named = principal.values() if isinstance(principal, dict) else [principal]
        everybody = any("*" in as_list(value) for value in named)
        if statement["Effect"] == "Allow" and everybody:
            yield f"{resource.name} lets everybody in."


def _no_retention(assembly: Assembly) -> Iterator[str]:
    for group in assembly.resources("AWS::Logs::LogGroup"):
        if "RetentionInDays" not in group.properties:
            yield f"{group.name} keeps logs for ever."


def _not_encrypted(assembly: Assembly) -> Iterator[str]:
    wanted = {
        "AWS::S3::Bucket": "BucketEncryption",
        "AWS::RDS::DBInstance": "StorageEncrypted",
        "AWS::Logs::LogGroup": "KmsKeyId",
        "AWS::SNS::Topic": "KmsMasterKeyId",
        "AWS::SQS::Queue": "SqsManagedSseEnabled",
        "AWS::SecretsManager::Secret": "KmsKeyId",
    }
    for kind, property_ in wanted.items():
        for resource in assembly.resources(kind):
            if not resource.properties.get(property_):
                yield f"{resource.name} isn't encrypted."


def _not_retained(assembly: Assembly) -> Iterator[str]:
    """Every store says what becomes of it; a stage that is protected keeps its data."""
    protected = any(stack.get("terminationProtection") for stack in assembly.stack_properties())
    for kind in STATEFUL:
        for resource in assembly.resources(kind):
            policy = resource.definition.get("DeletionPolicy")
            holds_data = kind != "AWS::Logs::LogGroup"
            if policy is None:
                yield f"{resource.name} doesn't say what becomes of it."
            elif protected and holds_data and policy not in {"Retain", "Snapshot"}:
                yield f"{resource.name} goes with its stack."


def _dear_network(assembly: Assembly) -> Iterator[str]:
    for kind in ("AWS::EC2::NatGateway", "AWS::EC2::EIP"):
        for resource in assembly.resources(kind):
            yield f"{resource.name} costs more than all the rest, and is a way out for everything."


def _plaintext_secrets(assembly: Assembly) -> Iterator[str]:
    for resource in assembly.resources():
        for name, value in _named_values(resource.properties):
            if _SECRET.search(name) and isinstance(value, str) and "resolve:" not in value:
                yield f"{resource.name} holds {name} in plain text."


def _named_values(value: Any) -> Iterator[tuple[str, Any]]:
    """Environment variables, of functions and of containers, and passwords of resources."""
    if isinstance(value, list):
        for item in value:
            yield from _named_values(item)
    if isinstance(value, dict):
        if set(value) == {"Name", "Value"}:
            yield value["Name"], value["Value"]
        yield from value.get("Variables", {}).items()
        yield from ((k, v) for k, v in value.items() if k.endswith(("Password", "SecretString")))
        for item in value.values():
            yield from _named_values(item)


def _not_throttled(assembly: Assembly) -> Iterator[str]:
    for stage in assembly.resources("AWS::ApiGateway::Stage"):
        settings = stage.properties.get("MethodSettings", [])
        limits = {"ThrottlingRateLimit", "ThrottlingBurstLimit"}
        if not any(limits <= set(setting) for setting in settings):
            yield f"{stage.name} answers any number of requests."
    for plan in assembly.resources("AWS::ApiGateway::UsagePlan"):
        if not {"Throttle", "Quota"} <= set(plan.properties):
            yield f"{plan.name} gives a key any number of requests."


RULES: dict[str, Rule] = {
    "open security group": _open_groups,
    "public door": _public_doors,
    "public bucket": _public_buckets,
    "no TLS": _plain_transport,
    "wildcard action": _wildcard_actions,
    "wildcard principal": _wildcard_principals,
    "no retention": _no_retention,
    "not encrypted": _not_encrypted,
    "no deletion policy": _not_retained,
    "NAT": _dear_network,
    "plaintext secret": _plaintext_secrets,
    "no throttle": _not_throttled,
}
