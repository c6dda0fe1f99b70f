"""The rules hold in both stages, and each of the changes that would do harm breaks one of them."""

import copy
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.infra.assembly import Assembly
from tests.infra.security import rules
from tests.repository import ROOT

Template = dict[str, Any]
Change = Callable[[Template], None]


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_no_resource_breaks_a_rule(synthesise: Callable[[str, str], Assembly], stage: str) -> None:
    assert {} == rules.find_broken(synthesise("aws", stage))


def first(template: Template, kind: str, name: str = "") -> Template:
    """The first resource of a type whose logical id starts so."""
    return next(
        resource
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == kind and logical_id.startswith(name)
    )


def remove(kind: str, property_: str) -> Change:
    def change(template: Template) -> None:
        del first(template, kind)["Properties"][property_]

    return change


def put(kind: str, property_: str, value: Any, name: str = "") -> Change:
    def change(template: Template) -> None:
        properties = first(template, kind, name)["Properties"]
        assert value != properties.get(property_)
        properties[property_] = value

    return change


def add(kind: str, **properties: Any) -> Change:
    def change(template: Template) -> None:
        template["Resources"]["Planted"] = {"Type": kind, "Properties": properties}

    return change


def grant(action: str) -> Change:
    def change(template: Template) -> None:
        document = first(template, "AWS::IAM::Policy")["Properties"]["PolicyDocument"]
        document["Statement"][0]["Action"] = action

    return change


def let_in(principal: Any, kind: str, document: str) -> Change:
    def change(template: Template) -> None:
        statement = {"Effect": "Allow", "Principal": principal, "Action": "*", "Resource": "*"}
        first(template, kind)["Properties"][document]["Statement"].append(statement)

    return change


def allow_plain_transport(kind: str) -> Change:
    def change(template: Template) -> None:
        document = first(template, kind)["Properties"]["PolicyDocument"]
        document["Statement"] = [s for s in document["Statement"] if s["Effect"] != "Deny"]

    return change


def forget_deletion_policy(template: Template) -> None:
    del first(template, "AWS::S3::Bucket")["DeletionPolicy"]


def delete_with_stack(template: Template) -> None:
    first(template, "AWS::S3::Bucket")["DeletionPolicy"] = "Delete"


def put_password_into_environment(template: Template) -> None:
    (container,) = first(template, "AWS::ECS::TaskDefinition")["Properties"]["ContainerDefinitions"]
    container["Environment"].append({"Name": "DB_PASSWORD", "Value": "hunter2"})


ANYWHERE = {"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 5000, "ToPort": 5000}
GROUP = "AWS::EC2::SecurityGroup"
CHANGES: list[tuple[str, str, Change]] = [
    # (rule, stack, change)
    ("open security group", "Tracking", put(GROUP, "SecurityGroupIngress", [ANYWHERE], "Database")),
    ("open security group", "Tracking", put(GROUP, "SecurityGroupIngress", [ANYWHERE], "Mlflow")),
    ("open security group", "Tracking", add("AWS::EC2::SecurityGroupIngress", **ANYWHERE)),
    (
        "public door",
        "Tracking",
        add("AWS::ElasticLoadBalancingV2::LoadBalancer", Scheme="internet-facing"),
    ),
    ("public door", "Tracking", put("AWS::RDS::DBInstance", "PubliclyAccessible", True)),
    ("public door", "Serving", add("AWS::Lambda::Url", AuthType="NONE")),
    ("public bucket", "Storage", remove("AWS::S3::Bucket", "PublicAccessBlockConfiguration")),
    (
        "public bucket",
        "Storage",
        put("AWS::S3::Bucket", "PublicAccessBlockConfiguration", {"BlockPublicAcls": True}),
    ),
    ("no TLS", "Storage", allow_plain_transport("AWS::S3::BucketPolicy")),
    ("no TLS", "Storage", allow_plain_transport("AWS::SNS::TopicPolicy")),
    ("no TLS", "Storage", allow_plain_transport("AWS::SQS::QueuePolicy")),
    ("no TLS", "Tracking", put("AWS::RDS::DBParameterGroup", "Parameters", {"rds.force_ssl": "0"})),
    ("wildcard action", "Serving", grant("*")),
    ("wildcard action", "Training", grant("s3:*")),
    (
        "wildcard principal",
        "Storage",
        let_in("*", "AWS::S3::BucketPolicy", "PolicyDocument"),
    ),
    ("wildcard principal", "Storage", let_in({"AWS": "*"}, "AWS::KMS::Key", "KeyPolicy")),
    (
        "wildcard principal",
        "Serving",
        let_in({"AWS": ["*"]}, "AWS::IAM::Role", "AssumeRolePolicyDocument"),
    ),
    ("no retention", "Training", remove("AWS::Logs::LogGroup", "RetentionInDays")),
    ("not encrypted", "Tracking", put("AWS::RDS::DBInstance", "StorageEncrypted", False)),
    ("not encrypted", "Storage", remove("AWS::S3::Bucket", "BucketEncryption")),
    ("not encrypted", "Serving", remove("AWS::Logs::LogGroup", "KmsKeyId")),
    ("no deletion policy", "Storage", forget_deletion_policy),
    ("no deletion policy", "Storage", delete_with_stack),
    ("NAT", "Tracking", add("AWS::EC2::NatGateway")),
    ("plaintext secret", "Tracking", put_password_into_environment),
    ("plaintext secret", "Tracking", put("AWS::RDS::DBInstance", "MasterUserPassword", "hunter2")),
    ("plaintext secret", "Storage", put("AWS::SecretsManager::Secret", "SecretString", "hunter2")),
    ("no throttle", "Serving", remove("AWS::ApiGateway::Stage", "MethodSettings")),
    ("no throttle", "Serving", remove("AWS::ApiGateway::UsagePlan", "Throttle")),
]


def test_each_rule_is_broken_by_one_of_the_changes() -> None:
    assert set(rules.RULES) == {rule for rule, _, _ in CHANGES}


@pytest.mark.parametrize(
    ("rule", "stack", "change"),
    CHANGES,
    ids=[f"{n}-{rule}" for n, (rule, _, _) in enumerate(CHANGES)],
)
def test_a_change_that_would_do_harm_is_caught(
    prod: Assembly, rule: str, stack: str, change: Change
) -> None:
    changed = copy.deepcopy(prod.templates[stack])
    change(changed)
    assert {rule} == set(
        rules.find_broken(replace(prod, templates={**prod.templates, stack: changed}))
    )


@pytest.mark.slow
def test_make_check_as_a_whole_refuses_a_bucket_without_tls(tmp_path: Path) -> None:
    if not (ROOT / "node_modules" / ".dev").exists():  # npm would install them through the link
        pytest.skip("`make test-slow` installs what `make check` needs.")
    copied = tmp_path / "checkout"
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    for name in filter(None, files):
        target = copied / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    (copied / "build").mkdir()
    for name in (".venv", "node_modules", "build/layer"):
        (copied / name).symlink_to(ROOT / name)
    bucket = copied / "stacks" / "storage" / "bucket.py"
    sound = bucket.read_text()
    over_tls = ("            enforce_ssl=True,\n", "            minimum_tls_version=1.2,\n")
    assert all(line in sound for line in over_tls)
    bucket.write_text(sound.replace(over_tls[0], "").replace(over_tls[1], ""))

    environ = {n: v for n, v in os.environ.items() if n not in {"MAKEFLAGS", "MAKELEVEL"}}
    environ["MYPY_CACHE_DIR"] = str(ROOT / ".mypy_cache")  # types alone would take minutes
    done = subprocess.run(
        ["make", "check"], cwd=copied, env=environ, capture_output=True, text=True, check=False
    )
    assert 0 != done.returncode
    assert "AwsSolutions-S10" in done.stdout + done.stderr
