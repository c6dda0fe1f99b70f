"""What the retrain guard hears and may do."""

from collections.abc import Callable

from lambdas.retrain_guard.settings import Settings
from tests.infra.assembly import Assembly


def test_it_hears_of_drift_on_the_bus_alone(aws: Assembly) -> None:
    rule = aws.resource("AWS::Events::Rule", "RetrainingDriftDetected").properties
    assert {"source": ["mlops.circle"], "detail-type": ["DriftDetected"]} == rule["EventPattern"]
    assert "{Bus}" == aws.text(rule["EventBusName"])


def test_it_may_start_the_training_and_store_its_decisions_alone(aws: Assembly) -> None:
    allowed = aws.allowed("RetrainingGuardRole")
    assert allowed["states:StartExecution"] == allowed["states:ListExecutions"]
    assert 1 == len(allowed["states:StartExecution"])
    (described,) = allowed["states:DescribeExecution"]
    assert described.endswith(":execution:circle-dev-training:*")
    assert {"{Data.Arn}", "{Predictions.Arn}", "{Reports.Arn}"} == allowed["s3:ListBucket"]
    decisions, probation = "{Reports.Arn}/retraining/*", "{Reports.Arn}/probation/*"
    assert {decisions} == allowed["s3:PutObject"]
    assert {decisions, probation} == allowed["s3:GetObject"]


def test_its_environment_is_what_its_settings_read(aws: Assembly) -> None:
    function = aws.resource("AWS::Lambda::Function", "RetrainingGuardFunction").properties
    variables = function["Environment"]["Variables"]
    settings = Settings.from_env({k: aws.text(v) for k, v in variables.items()})
    found = (settings.mode, settings.cool_down_hours, settings.monthly_limit)
    assert ("auto", 24.0, 4) == found
    assert 7 == settings.label_maturity_days


def test_without_rows_of_production_labels_are_no_new_data(
    varied: Callable[..., Assembly],
) -> None:
    found = varied("emulator", training={"production_days": 0}, retraining="off")
    function = found.resource("AWS::Lambda::Function", "RetrainingGuardFunction").properties
    variables = function["Environment"]["Variables"]
    settings = Settings.from_env({k: found.text(v) for k, v in variables.items()})
    assert ("off", None) == (settings.mode, settings.label_maturity_days)


def test_what_it_fails_on_for_good_reaches_the_operator(aws: Assembly) -> None:
    config = aws.resource("AWS::Lambda::EventInvokeConfig", "RetrainingGuard").properties
    destination = config["DestinationConfig"]["OnFailure"]["Destination"]
    assert "{OperationsTopic}" == aws.text(destination)
    assert {"{OperationsTopic}"} == aws.allowed("RetrainingGuardRole")["sns:Publish"]
