"""What is kept is private, encrypted, and laid out as the domain says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk.assertions import Template

from app import build
from domain.contract.contract import Contract
from domain.contract.deployed_context import DeployedContext
from domain.contract.records import LABEL_COLUMNS, prediction_log_columns
from stacks.settings import Settings
from stacks.storage.storage import StorageStack
from tests.infra.assembly import Assembly
from tests.infra.conftest import cdk_context
from tests.repository import CONTRACT_TOML, ROOT
from tests.unit.domain.contract.test_context import CONTEXT

BUCKETS = ("Data", "Models", "Predictions", "Reports")


@pytest.mark.parametrize("name", BUCKETS)
def test_every_bucket_blocks_public_access_and_encrypts_with_our_key(
    aws: Assembly, name: str
) -> None:
    bucket = aws.resource("AWS::S3::Bucket", name).properties
    assert {True} == set(bucket["PublicAccessBlockConfiguration"].values())
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    encryption = rule["ServerSideEncryptionByDefault"]
    assert "aws:kms" == encryption["SSEAlgorithm"]
    assert "{DataKey.Arn}" == aws.text(encryption["KMSMasterKeyID"])


@pytest.mark.parametrize("name", BUCKETS)
def test_every_bucket_refuses_requests_without_tls(aws: Assembly, name: str) -> None:
    policy = aws.resource("AWS::S3::BucketPolicy", f"{name}Policy").properties
    denied = [
        statement["Condition"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Action"] == "s3:*"
    ]
    assert {"Bool": {"aws:SecureTransport": "false"}} in denied


def test_what_was_overwritten_in_any_of_the_four_buckets_is_recoverable_for_a_while(
    aws: Assembly,
) -> None:
    buckets = list(aws.resources("AWS::S3::Bucket"))
    assert {"Data", "Models", "Predictions", "Reports"} == {bucket.name for bucket in buckets}
    for bucket in buckets:
        assert {"Status": "Enabled"} == bucket.properties["VersioningConfiguration"]
        rules = bucket.properties["LifecycleConfiguration"]["Rules"]
        kept = [rule for rule in rules if "NoncurrentVersionExpiration" in rule]
        assert [30] == [r["NoncurrentVersionExpiration"]["NoncurrentDays"] for r in kept]


def test_query_results_and_rejected_records_expire_and_no_log_does(aws: Assembly) -> None:
    bucket = aws.resource("AWS::S3::Bucket", "Predictions").properties
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert {
        "athena/",
        "rejected/",
    } == {rule["Prefix"] for rule in rules if "ExpirationInDays" in rule}


def test_what_a_stage_keeps_for_some_days_only_expires_by_its_prefix(
    varied: Callable[..., Assembly],
) -> None:
    retention = {
        "log": 400,
        "labels": 401,
        "fallback": 402,
        "datasets": 5,
        "scoring": 6,
        "reports": 7,
        "views": 8,
    }
    assembly = varied("aws", retention=retention)
    found = {
        (bucket.name, rule["Prefix"]): rule["ExpirationInDays"]
        for bucket in assembly.resources("AWS::S3::Bucket")
        for rule in bucket.properties["LifecycleConfiguration"]["Rules"]
        if "ExpirationInDays" in rule and rule["Prefix"] not in ("athena/", "rejected/")
    }
    assert {
        ("Data", "datasets/"): 5,
        ("Data", "scoring/"): 6,
        ("Predictions", "fallback/"): 402,
        ("Predictions", "label_draws/"): 401,
        ("Predictions", "labels/"): 401,
        ("Predictions", "log/"): 400,
        ("Reports", "prediction_views/"): 8,
        ("Reports", "requests/"): 7,
        ("Reports", "runs/"): 7,
    } == found
    for function in ("DriftFunction", "DashboardBackendFunction"):
        told = assembly.resource("AWS::Lambda::Function", function).properties["Environment"]
        assert retention == json.loads(told["Variables"]["RETENTION"])


@pytest.mark.parametrize(
    ("table", "location"),
    [
        ("prediction_log", "s3://{Predictions}/log/"),
        ("prediction_log_fallback", "s3://{Predictions}/fallback/log/"),
        ("labels", "s3://{Predictions}/labels/"),
        ("labels_fallback", "s3://{Predictions}/fallback/labels/"),
    ],
)
def test_tables_have_the_records_columns_and_one_partition_per_day(
    aws: Assembly, table: str, location: str
) -> None:
    contract = Contract.parse((ROOT / "contract.toml").read_text())
    expected = LABEL_COLUMNS if "labels" in table else prediction_log_columns(contract)
    inputs = [t.properties["TableInput"] for t in aws.resources("AWS::Glue::Table")]
    (given,) = [i for i in inputs if i["Name"] == table]
    columns = {c["Name"]: c["Type"] for c in given["StorageDescriptor"]["Columns"]}
    assert expected == columns
    assert aws.text(given["StorageDescriptor"]["Location"]) == location
    assert ["dt"] == [key["Name"] for key in given["PartitionKeys"]]
    parameters = given["Parameters"]
    assert "true" == parameters["projection.enabled"]
    assert aws.text(parameters["storage.location.template"]) == location + "dt=${dt}/"


def test_a_retired_feature_keeps_its_column_in_both_tables_of_the_prediction_log(
    tmp_path: Path,
) -> None:
    text = (ROOT / "contract.toml").read_text()
    (tmp_path / "contract.toml").write_text(
        text + '\n[[retired]]\nname = "Weight"\nkind = "number"\n'
    )
    context = cdk_context() | {"target": "emulator", "contract": str(tmp_path / "contract.toml")}
    stack = StorageStack(App(), "Storage", settings=Settings.from_context(context.get, ROOT))
    tables = Template.from_stack(stack).find_resources("AWS::Glue::Table").values()
    inputs = [table["Properties"]["TableInput"] for table in tables]
    kept = {
        given["Name"]
        for given in inputs
        if {"Name": "weight", "Type": "double"} in given["StorageDescriptor"]["Columns"]
    }
    assert {"prediction_log", "prediction_log_fallback"} == kept


def test_context_columns_are_in_the_log_and_in_the_environment_of_what_needs_them(
    tmp_path: Path,
) -> None:
    path = tmp_path / "contract.toml"
    path.write_text(CONTRACT_TOML.read_text() + CONTEXT)
    context = cdk_context() | {"target": "emulator", "contract": str(path)}
    app = App()
    build(app, Settings.from_context(context.get, ROOT))
    templates = [stack.template["Resources"] for stack in app.synth().stacks]
    found = [r["Properties"] for t in templates for r in t.values() if "Properties" in r]
    tables = [p["TableInput"] for p in found if "TableInput" in p]
    (log,) = (t for t in tables if t["Name"] == "prediction_log")
    columns = {c["Name"]: c["Type"] for c in log["StorageDescriptor"]["Columns"]}
    assert prediction_log_columns(Contract.parse(path.read_text())) == columns
    environments = [p["Environment"]["Variables"] for p in found if "Environment" in p]
    told = [e for e in environments if "CONTEXT" in e]
    expected = DeployedContext.of(Contract.parse(path.read_text()))
    assert 3 == len(told)
    assert all(expected == DeployedContext.parse(e["CONTEXT"]) for e in told)


@pytest.mark.parametrize(
    ("stream", "folder", "table"),
    [("PredictionLog", "log", "prediction_log"), ("Labels", "labels", "labels")],
)
def test_streams_write_parquet_by_day_and_set_aside_what_they_cannot_convert(
    aws: Assembly, stream: str, folder: str, table: str
) -> None:
    properties = aws.resource("AWS::KinesisFirehose::DeliveryStream", stream).properties
    destination = properties["ExtendedS3DestinationConfiguration"]
    assert f"{folder}/dt=!{{timestamp:yyyy-MM-dd}}/" == destination["Prefix"]
    assert destination["ErrorOutputPrefix"].startswith(f"rejected/{folder}/")
    assert "UNCOMPRESSED" == destination["CompressionFormat"]
    assert destination["BufferingHints"]["SizeInMBs"] >= 64
    conversion = destination["DataFormatConversionConfiguration"]
    assert conversion["Enabled"] is True
    assert ["ParquetSerDe"] == list(conversion["OutputFormatConfiguration"]["Serializer"])
    named = aws.text(conversion["SchemaConfiguration"]["TableName"])
    glue = {aws.text({"Ref": t.logical_id}): t for t in aws.resources("AWS::Glue::Table")}
    assert glue[named].properties["TableInput"]["Name"] == table


@pytest.mark.parametrize("stream", ["PredictionLog", "Labels"])
def test_a_stream_is_created_after_its_roles_policy(aws: Assembly, stream: str) -> None:
    definition = aws.resource("AWS::KinesisFirehose::DeliveryStream", stream).definition
    policy = aws.resource("AWS::IAM::Policy", f"{stream}DeliveryRole")
    assert policy.logical_id in definition["DependsOn"]


@pytest.mark.parametrize(("stream", "folder"), [("PredictionLog", "log"), ("Labels", "labels")])
def test_a_streams_role_may_do_what_firehose_documents_in_its_own_folders(
    aws: Assembly, stream: str, folder: str
) -> None:
    allowed = aws.allowed(f"{stream}DeliveryRole")
    folders = {f"{{Predictions.Arn}}/{name}/*" for name in (folder, f"rejected/{folder}")}
    for action in ("s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObject"):
        assert allowed[action] == folders
    for action in ("s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"):
        assert {"{Predictions.Arn}"} == allowed[action]
    assert "s3:DeleteObject" not in allowed


def test_what_aws_services_publish_to_the_topic_is_not_dropped_by_its_key(aws: Assembly) -> None:
    topic = aws.resource("AWS::SNS::Topic").properties
    assert "{DataKey.Arn}" == aws.text(topic["KmsMasterKeyId"])
    wanted = {"cloudwatch.amazonaws.com", "events.amazonaws.com"}
    key = aws.resource("AWS::KMS::Key", "DataKey").properties["KeyPolicy"]
    policy = aws.resource("AWS::SNS::TopicPolicy").properties["PolicyDocument"]
    for document, action in ((key, "kms:Decrypt"), (policy, "sns:Publish")):
        services = {
            service
            for statement in document["Statement"]
            if action in statement["Action"] and statement["Effect"] == "Allow"
            for service in _services(statement)
            if isinstance(service, str)  # CloudWatch Logs is named with its region
        }
        assert wanted == services


def _services(statement: dict[str, dict[str, Any]]) -> list[Any]:
    services = statement["Principal"].get("Service", [])
    return services if isinstance(services, list) else [services]


def test_the_report_secret_is_generated_with_an_empty_previous_value(aws: Assembly) -> None:
    generated = aws.resource("AWS::SecretsManager::Secret", "ReportSecret").properties[
        "GenerateSecretString"
    ]
    assert '{"previous": ""}' == generated["SecretStringTemplate"]
    assert "current" == generated["GenerateStringKey"]
    assert generated["PasswordLength"] >= 32


def test_query_results_go_where_the_lifecycle_removes_them(aws: Assembly) -> None:
    workgroup = aws.resource("AWS::Athena::WorkGroup").properties["WorkGroupConfiguration"]
    location = workgroup["ResultConfiguration"]["OutputLocation"]
    assert "s3://{Predictions}/athena/" == aws.text(location)
    assert workgroup["EnforceWorkGroupConfiguration"] is True
