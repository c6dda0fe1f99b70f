"""The API's routes, keys and answers, and what the functions behind it may touch."""

import json
import re

import jsonschema
import pytest

from domain.api import openapi
from domain.contract.contract import Contract
from stacks.serving.api import PROBLEMS
from tests.infra.assembly import Assembly
from tests.repository import ROOT

KEYLESS = {
    "GET /openapi.json",
    "GET /reports/{run_id}/{report}",
    "GET /",
    "GET /assets/{file}",
}
KEYED = {
    "POST /predict",
    "POST /labels",
    "GET /model",
    "GET /health",
    "GET /monitoring/overview",
    "GET /monitoring/traffic",
    "GET /monitoring/runs",
    "POST /monitoring/runs",
    "GET /monitoring/runs/{run_id}",
    "GET /monitoring/requests/{id}",
    "GET /monitoring/health",
    "GET /monitoring/trends",
    "GET /monitoring/incidents",
    "POST /monitoring/acknowledgements",
    "GET /predictions",
    "GET /executions",
    "GET /models",
    "GET /models/{version}",
}
OTHERS = {f"ANY {route.split()[1]}" for route in KEYED | KEYLESS}
"""What no route takes goes to the path's function too, which answers 405."""


def routes(assembly: Assembly) -> dict[str, bool]:
    """``GET /model`` → whether it needs the key."""
    paths = {
        resource.logical_id: (resource.properties["PathPart"], resource.properties["ParentId"])
        for resource in assembly.resources("AWS::ApiGateway::Resource")
    }

    def path(reference: dict[str, str | list[str]]) -> str:
        if "Ref" not in reference:
            return ""
        part, parent = paths[str(reference["Ref"])]
        return f"{path(parent)}/{part}"

    return {
        f"{m.properties['HttpMethod']} {path(m.properties['ResourceId']) or '/'}": m.properties[
            "ApiKeyRequired"
        ]
        for m in assembly.resources("AWS::ApiGateway::Method")
    }


def test_the_routes_and_which_of_them_need_no_key(aws: Assembly) -> None:
    assert routes(aws) == dict.fromkeys(KEYED | OTHERS, True) | dict.fromkeys(KEYLESS, False)


def test_the_functions_validate_not_the_gateway(aws: Assembly) -> None:
    assert [] == list(aws.resources("AWS::ApiGateway::RequestValidator"))
    for method in aws.resources("AWS::ApiGateway::Method"):
        assert "AWS_PROXY" == method.properties["Integration"]["Type"]


def test_stage_and_usage_plan_both_throttle(aws: Assembly) -> None:
    stage = aws.resource("AWS::ApiGateway::Stage").properties
    (settings,) = stage["MethodSettings"]
    assert ("v1", "*") == (stage["StageName"], settings["HttpMethod"])
    plan = aws.resource("AWS::ApiGateway::UsagePlan").properties
    throttle = (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"])
    assert (plan["Throttle"]["RateLimit"], plan["Throttle"]["BurstLimit"]) == throttle
    assert min(*throttle, plan["Quota"]["Limit"]) > 0


def test_access_logs_hold_no_body_query_path_or_address(aws: Assembly) -> None:
    stage = aws.resource("AWS::ApiGateway::Stage").properties
    logged = set(json.loads(stage["AccessLogSetting"]["Format"]).values())
    assert {
        "$context.requestId",
        "$context.requestTimeEpoch",
        "$context.identity.apiKeyId",
        "$context.httpMethod",
        "$context.resourcePath",
        "$context.status",
        "$context.responseLatency",
        "$context.responseLength",
    } == logged
    assert stage["MethodSettings"][0]["DataTraceEnabled"] is False


def test_what_the_gateway_answers_itself_is_problem_json(aws: Assembly) -> None:
    answers = [r.properties for r in aws.resources("AWS::ApiGateway::GatewayResponse")]
    for answer in answers:
        header = answer["ResponseParameters"]["gatewayresponse.header.Content-Type"]
        assert "'application/problem+json'" == header
        body = json.loads(answer["ResponseTemplates"]["application/json"])
        assert {"type", "title", "detail"} <= set(body)
        if "StatusCode" in answer:
            assert body["status"] == int(answer["StatusCode"])
    statuses = {a["ResponseType"]: a.get("StatusCode") for a in answers}
    assert "403" == statuses["INVALID_API_KEY"]
    assert "404" == statuses["MISSING_AUTHENTICATION_TOKEN"]
    assert "413" == statuses["REQUEST_TOO_LARGE"]
    assert "429" == statuses["THROTTLED"]
    assert {"DEFAULT_4XX", "DEFAULT_5XX"} <= set(statuses)


def test_what_the_gateway_answers_itself_is_documented() -> None:
    contract = Contract.parse((ROOT / "contract.toml").read_text())
    document = openapi.build_document(contract)
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    documented = {status for operation in operations for status in operation["responses"]}
    assert {status for status, _, _ in PROBLEMS.values() if status} <= documented
    validator = jsonschema.Draft202012Validator(document["components"]["schemas"]["Problem"])
    for _, title, detail in PROBLEMS.values():
        validator.validate({"type": "about:blank", "title": title, "detail": detail})


def test_nothing_is_traced(aws: Assembly) -> None:
    """A trace would hold what clients of AWS were called with."""
    for function in aws.resources("AWS::Lambda::Function"):
        assert {"Mode": "PassThrough"} == function.properties.get(
            "TracingConfig", {"Mode": "PassThrough"}
        )
    assert not aws.resource("AWS::ApiGateway::Stage").properties.get("TracingEnabled")
    for machine in aws.resources("AWS::StepFunctions::StateMachine"):
        tracing = machine.properties.get("TracingConfiguration", {"Enabled": False})
        assert {"Enabled": False} == tracing


def test_the_predictor_has_most_of_a_processor(aws: Assembly) -> None:
    function = aws.resource("AWS::Lambda::Function", "PredictorFunction").properties
    assert 1024 == function["MemorySize"]


def test_the_predictor_reads_models_and_writes_only_its_stream_and_fallback(
    aws: Assembly,
) -> None:
    allowed = aws.allowed("PredictorRole")
    assert {
        "{Models.Arn}/serving/champion.json",
        "{Models.Arn}/serving/bundles/*/bundle.json.gz",
        "{Models.Arn}/serving/bundles/*/card.json",
    } == allowed["s3:GetObject"]  # and no reference.parquet, which holds patients' values
    assert {"{Models.Arn}"} == allowed["s3:ListBucket"]
    assert {"{Predictions.Arn}/fallback/log/*"} == allowed["s3:PutObject"]
    assert {"{PredictionLogDeliveryStream.Arn}"} == allowed["firehose:PutRecordBatch"]
    assert {
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "firehose:PutRecordBatch",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    } == set(allowed)


def test_labels_reads_nothing_and_writes_only_its_stream_and_fallback(aws: Assembly) -> None:
    allowed = aws.allowed("LabelsRole")
    assert "s3:GetObject" not in allowed
    assert "s3:ListBucket" not in allowed
    assert {"{Predictions.Arn}/fallback/labels/*"} == allowed["s3:PutObject"]
    assert {"{LabelsDeliveryStream.Arn}"} == allowed["firehose:PutRecordBatch"]


def test_only_the_dashboard_reads_reports_and_it_writes_requests_alone(aws: Assembly) -> None:
    allowed = aws.allowed("DashboardBackendRole")
    assert {
        "{Reports.Arn}/runs/*",
        "{Reports.Arn}/requests/*",
        "{Reports.Arn}/alerts/state.json",
        "{Reports.Arn}/alerts/acknowledgements/*",
        "{Reports.Arn}/retraining/*",
        "{Reports.Arn}/proposals/*",
        "{Reports.Arn}/probation/*",
        "{Models.Arn}/serving/champion.json",
        "{Models.Arn}/serving/check.json",
        "{Models.Arn}/serving/ledger/*",
        "{Models.Arn}/serving/bundles/*/card.json",
        "{Predictions.Arn}/log/*",
        "{Predictions.Arn}/fallback/log/*",
        "{Predictions.Arn}/athena/*",
    } == allowed["s3:GetObject"]
    assert {
        "{Reports.Arn}/requests/*",
        "{Reports.Arn}/alerts/acknowledgements/*",
        "{Predictions.Arn}/athena/*",
    } == allowed["s3:PutObject"]
    assert {"{ReportSecret}"} == allowed["secretsmanager:GetSecretValue"]
    assert {"{Bus.Arn}"} == allowed["events:PutEvents"]
    assert not [action for action in allowed if "Delete" in action or "Update" in action]
    for role in ("PredictorRole", "LabelsRole"):
        resources = {r for found in aws.allowed(role).values() for r in found}
        assert not [r for r in resources if "Reports" in r]


def test_the_dashboard_queries_the_prediction_log_and_no_other_table(aws: Assembly) -> None:
    allowed = aws.allowed("DashboardBackendRole")
    tables = {r.split(":")[-1] for r in allowed["glue:GetTable"]}
    assert {
        "catalog",
        "database/{Database}",
        "table/{Database}/prediction_log",
        "table/{Database}/prediction_log_fallback",
    } == tables
    (workgroup,) = allowed["athena:StartQueryExecution"]
    assert workgroup.endswith(":workgroup/circle-dev")


@pytest.mark.parametrize("name", ["Predictor", "Labels", "Dashboard"])
def test_functions_behind_the_api_give_up_before_the_gateway_does(aws: Assembly, name: str) -> None:
    component = {"Dashboard": "DashboardBackend"}.get(name, name)
    function = aws.resource("AWS::Lambda::Function", f"{component}Function").properties
    assert function["Timeout"] <= 29
    assert ("python3.13", ["arm64"]) == (function["Runtime"], function["Architectures"])
    assert f"lambdas.{name.lower()}.handler.handler" == function["Handler"]


def test_the_predictors_environment_is_what_its_settings_read(aws: Assembly) -> None:
    from lambdas.predictor.settings import Settings

    function = aws.resource("AWS::Lambda::Function", "PredictorFunction").properties
    variables = {k: aws.text(v) for k, v in function["Environment"]["Variables"].items()}
    settings = Settings.from_env(variables)
    assert "{Models}" == settings.models_bucket
    assert "{Predictions}" == settings.predictions_bucket
    assert "{PredictionLogDeliveryStream}" == settings.log_stream
    assert "ops --stage dev" == settings.operator_command


def test_the_gateway_may_call_each_function_for_its_own_routes_only(aws: Assembly) -> None:
    permissions = [p.properties for p in aws.resources("AWS::Lambda::Permission", stack="Serving")]
    assert {"apigateway.amazonaws.com"} == {p["Principal"] for p in permissions}
    sources = {aws.text(p["SourceArn"]).split(":")[-1] for p in permissions}
    stage = "{ApiRest}/{" + aws.resource("AWS::ApiGateway::Stage").name + "}"
    assert sources == {
        f"{stage}/{re.sub(r'{[a-z_]+}', '*', route).replace('ANY', '*').replace(' ', '')}"
        for route in KEYED | KEYLESS | OTHERS
    }
