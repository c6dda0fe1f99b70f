"""When the drift function runs, what it may touch, and who hears of trouble."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from domain import metrics
from domain.drift.drift_request import DriftRequest
from domain.drift.window import Window
from monitoring_job.settings import Settings
from tests.infra.assembly import Assembly

IDENTITY = "AWS::SES::EmailIdentity"


@pytest.mark.parametrize(
    ("name", "expression", "asked"),
    [("Daily", "cron(0 14 * * ? *)", {}), ("Weekly", "cron(0 16 ? * MON *)", {"days": 28})],
)
def test_it_runs_on_schedule_and_is_told_for_which_time(
    aws: Assembly, name: str, expression: str, asked: dict[str, int]
) -> None:
    schedule = aws.resource("AWS::Scheduler::Schedule", name).properties
    assert schedule["ScheduleExpression"] == expression
    assert "UTC" == schedule["ScheduleExpressionTimezone"]
    event = json.loads(schedule["Target"]["Input"])
    assert {"time": "<aws.scheduler.scheduled-time>", "scheduled": True, **asked} == event
    assert "{DriftFunction.Arn}" == aws.text(schedule["Target"]["Arn"])
    monday = datetime(2026, 2, 2, 16, tzinfo=UTC)
    request = DriftRequest.parse({**event, "time": monday.isoformat()}, now=monday)
    days = asked.get("days", 1)
    midnight = datetime(2026, 2, 2, tzinfo=UTC)
    assert request.window == Window(midnight - timedelta(days=days), midnight)
    assert (request.scheduled, request.look_back) == (True, bool(asked))


def test_its_clock_may_do_nothing_else_and_is_this_accounts(aws: Assembly) -> None:
    assert {
        "lambda:InvokeFunction": {"{DriftFunction.Arn}"},
        "sqs:SendMessage": {"{DeadLettersQueue.Arn}"},
    } == aws.allowed("Clock")
    role = aws.resource("AWS::IAM::Role", "Clock").properties
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    account = trust["Condition"]["StringEquals"]["aws:SourceAccount"]
    assert "{AWS::AccountId}" == aws.text(account)


def test_every_metric_and_every_alarm_of_the_stack_is_on_the_dashboard(prod: Assembly) -> None:
    board = prod.resource("AWS::CloudWatch::Dashboard").properties
    body = prod.text(board["DashboardBody"])
    names = {*metrics.REGULAR, *metrics.TROUBLE, *metrics.DAILY, metrics.FIELD_ERRORS}
    assert [] == [name for name in names if f'"{name}' not in body]
    alarms = list(prod.resources("AWS::CloudWatch::Alarm", "Monitoring"))
    assert [] == [a.name for a in alarms if f"{{{a.name}.Arn}}" not in body]


@pytest.mark.parametrize(
    ("login", "people"), [("none", set()), ("cognito", {"changes", "inspection"})]
)
def test_the_board_draws_the_unexpected_errors_of_every_function_that_counts_them(
    varied: Callable[..., Assembly], login: str, people: set[str]
) -> None:
    stage = varied("aws", board=True, login=login)
    board = stage.resource("AWS::CloudWatch::Dashboard").properties
    widgets = json.loads(stage.text(board["DashboardBody"]))["widgets"]
    [errors] = [w["properties"] for w in widgets if w["properties"].get("title") == "Errors"]
    drawn = {
        service for _, name, _, service, *_ in errors["metrics"][1:] if name == metrics.UNEXPECTED
    }
    assert {"predictor", "labels", "dashboard", *people} == drawn


def test_it_runs_when_somebody_asks_on_the_bus(aws: Assembly) -> None:
    rule = aws.resource("AWS::Events::Rule", "DriftRequested").properties
    assert {"source": ["mlops.circle"], "detail-type": ["DriftRequested"]} == rule["EventPattern"]
    assert "{Bus}" == aws.text(rule["EventBusName"])
    assert "{DriftFunction.Arn}" == aws.text(rule["Targets"][0]["Arn"])


def test_it_has_fifteen_minutes_and_three_gigabytes(aws: Assembly) -> None:
    function = aws.resource("AWS::Lambda::Function", "DriftFunction").properties
    assert (900, 3008) == (function["Timeout"], function["MemorySize"])


LOGS = ("log", "labels", "fallback", "label_draws")


def test_it_reads_logs_and_models_and_writes_only_reports(aws: Assembly) -> None:
    allowed = aws.allowed("DriftRole")
    reports = {
        "{Reports.Arn}/runs/*",
        "{Reports.Arn}/requests/*",
        "{Reports.Arn}/probation/*",
        "{Reports.Arn}/alerts/state.json",
    }
    logs = {f"{{Predictions.Arn}}/{prefix}/*" for prefix in LOGS}
    models = {f"{{Models.Arn}}/serving/{key}" for key in ("champion.json", "bundles/*")}
    acknowledged = {"{Reports.Arn}/alerts/acknowledgements/*"}
    results = {"{Predictions.Arn}/athena/*"}
    assert allowed["s3:GetObject"] == reports | acknowledged | logs | models | results
    assert allowed["s3:PutObject"] == reports | results
    assert {"catalog", "database/{Database}", "table/{Database}/prediction_log"} == {
        resource.split(":")[-1] for resource in allowed["glue:GetTable"]
    }
    assert "s3:DeleteObject" not in allowed


def test_it_mails_only_from_and_to_the_addresses_it_was_given_or_their_domains(
    varied: Callable[..., Assembly],
) -> None:
    addresses = {"mail_from": "sender@mail.example.org", "mail_to": "team@Example.net"}
    assembly = varied("emulator", mail_identity="none", context=addresses)
    here = "arn:{AWS::Partition}:ses:{AWS::Region}:{AWS::AccountId}"
    assert {
        f"{here}:identity/sender@mail.example.org",
        f"{here}:identity/mail.example.org",
        f"{here}:identity/example.org",
        f"{here}:identity/team@Example.net",
        f"{here}:identity/example.net",
        f"{here}:configuration-set/{{MailConfiguration}}",
    } == assembly.allowed("DriftRole")["ses:SendEmail"]
    # Each of them may be the identity that the account has verified already.
    assert [] == list(assembly.resources("AWS::SES::EmailIdentity"))


def test_its_environment_is_what_its_settings_read(aws: Assembly, emulator: Assembly) -> None:
    for assembly, command in ((aws, "ops --stage dev"), (emulator, "ops")):
        function = assembly.resource("AWS::Lambda::Function", "DriftFunction").properties
        variables = function["Environment"]["Variables"]
        settings = Settings.from_env({k: assembly.text(v) for k, v in variables.items()})
        assert "team@example.org" == settings.mail_to
        assert "{OperationsTopic}" == settings.topic_arn
        assert "{MailConfiguration}" == settings.configuration_set
        assert command == settings.operator_command
        assert (300, 50_000_000) == (settings.minimum_rows, settings.athena_rows)
        assert ("{Database}", "circle-dev") == (settings.database, settings.workgroup)


def test_a_run_that_fails_for_good_reaches_the_topic(aws: Assembly) -> None:
    config = aws.resource("AWS::Lambda::EventInvokeConfig", "DriftFunction").properties
    failure = config["DestinationConfig"]["OnFailure"]
    assert "{OperationsTopic}" == aws.text(failure["Destination"])


def test_every_alarm_says_what_to_look_at_and_tells_the_topic(aws: Assembly) -> None:
    alarms = list(aws.resources("AWS::CloudWatch::Alarm"))
    assert len(alarms) >= 3
    for alarm in alarms:
        assert ["{OperationsTopic}"] == [aws.text(a) for a in alarm.properties["AlarmActions"]]
        assert alarm.properties["AlarmDescription"].endswith(".")
    dead_letters = aws.resource("AWS::CloudWatch::Alarm", "AlarmsDeadLetters").properties
    assert "`ops --stage dev status`" in dead_letters["AlarmDescription"]


def test_a_day_without_a_run_is_alarming_even_when_nothing_reports_it(aws: Assembly) -> None:
    alarm = aws.resource("AWS::CloudWatch::Alarm", "AlarmsNoDriftRun").properties
    assert (
        "ScheduledRuns",  # a run on demand must not hide a dead schedule
        "breaching",
        "LessThanThreshold",
    ) == (alarm["MetricName"], alarm["TreatMissingData"], alarm["ComparisonOperator"])


@pytest.mark.parametrize(("stage", "errors", "days"), [("aws", 1, 3), ("prod", 5, 2)])
def test_what_wakes_somebody_up_is_the_stages(
    request: pytest.FixtureRequest, stage: str, errors: int, days: int
) -> None:
    assembly: Assembly = request.getfixturevalue(stage)
    alarms = {r.name: r.properties for r in assembly.resources("AWS::CloudWatch::Alarm")}
    for name in ("AlarmsApiErrors", "AlarmsPredictorThrottles"):
        assert alarms[name]["Threshold"] == errors
    assert alarms["AlarmsNoDriftRun"]["EvaluationPeriods"] == days


def test_the_apis_alarm_watches_a_metric_that_costs_nothing(aws: Assembly) -> None:
    alarm = aws.resource("AWS::CloudWatch::Alarm", "AlarmsApiErrors").properties
    assert ["ApiName"] == [d["Name"] for d in alarm["Dimensions"]]
    (settings,) = aws.resource("AWS::ApiGateway::Stage").properties["MethodSettings"]
    assert settings["MetricsEnabled"] is False


def test_sender_and_recipient_are_identities_to_verify(aws: Assembly) -> None:
    identities = [r.properties["EmailIdentity"] for r in aws.resources("AWS::SES::EmailIdentity")]
    assert ["sender@example.org", "team@example.org"] == identities


def test_a_domain_can_be_the_identity_and_signs_its_mails(varied: Callable[..., Assembly]) -> None:
    assembly = varied("emulator", mail_identity="domain", context={"mail_to": "team@example.net"})
    identities = {
        r.properties["EmailIdentity"]: r.properties
        for r in assembly.resources("AWS::SES::EmailIdentity")
    }
    # The recipient is in another domain, and SES's sandbox wants it verified too.
    assert {"example.org", "team@example.net"} == set(identities)
    assert identities["example.org"].get("DkimAttributes", {}).get("SigningEnabled", True)


def test_a_recipient_in_the_senders_domain_needs_no_identity_of_its_own(
    varied: Callable[..., Assembly],
) -> None:
    assembly = varied("emulator", mail_identity="domain")
    identities = [r.properties["EmailIdentity"] for r in assembly.resources(IDENTITY)]
    assert ["example.org"] == identities


def test_one_address_is_one_identity(varied: Callable[..., Assembly]) -> None:
    assembly = varied("emulator", context={"mail_to": "sender@example.org"})
    assert 1 == len(list(assembly.resources("AWS::SES::EmailIdentity")))


@pytest.mark.parametrize(
    ("name", "metric", "dimensions", "threshold"),
    [
        ("PredictionFallbacks", "LogFallbacks", {"service": "predictor"}, 1),
        ("LabelFallbacks", "LogFallbacks", {"service": "labels"}, 1),
        ("BundleTrouble", "BundleTrouble", {"service": "predictor"}, 1),
        ("PredictionsRejected", "FailedConversion.Records", "PredictionLogDeliveryStream", 1),
        ("LabelsRejected", "FailedConversion.Records", "LabelsDeliveryStream", 1),
        (
            "PredictionsNotDelivered",
            "DeliveryToS3.DataFreshness",
            "PredictionLogDeliveryStream",
            960,
        ),
        ("LabelsNotDelivered", "DeliveryToS3.DataFreshness", "LabelsDeliveryStream", 960),
    ],
)
def test_records_that_are_not_delivered_and_models_that_do_not_load_are_alarming(
    aws: Assembly, name: str, metric: str, dimensions: dict[str, str] | str, threshold: int
) -> None:
    alarm = aws.resource("AWS::CloudWatch::Alarm", f"Alarms{name}").properties
    found = {d["Name"]: aws.text(d["Value"]) for d in alarm["Dimensions"]}
    own = isinstance(dimensions, dict)
    assert found == (dimensions if own else {"DeliveryStreamName": f"{{{dimensions}}}"})
    assert (alarm["Namespace"], alarm["MetricName"]) == (
        "circle-dev" if own else "AWS/Firehose",
        metric,
    )
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (threshold, "notBreaching")
    assert "GreaterThanOrEqualToThreshold" == alarm["ComparisonOperator"]


def test_bounces_and_complaints_reach_the_topic_by_way_of_eventbridge(aws: Assembly) -> None:
    destination = aws.resource("AWS::SES::ConfigurationSetEventDestination").properties
    wanted = destination["EventDestination"]
    assert {"bounce", "complaint", "reject"} == set(wanted["MatchingEventTypes"])
    # CloudFormation has failed on SNS as a destination, and SES knows the default bus only.
    assert "SnsDestination" not in wanted
    bus = aws.text(wanted["EventBridgeDestination"]["EventBusArn"])
    assert "arn:{AWS::Partition}:events:{AWS::Region}:{AWS::AccountId}:event-bus/default" == bus
    rule = aws.resource("AWS::Events::Rule", "MailFailedMails").properties
    assert "EventBusName" not in rule
    assert ["aws.ses"] == rule["EventPattern"]["source"]
    (name,) = rule["EventPattern"]["detail"]["mail"]["tags"]["ses:configuration-set"]
    assert "{MailConfiguration}" == aws.text(name)
    assert ["{OperationsTopic}"] == [aws.text(t["Arn"]) for t in rule["Targets"]]


def test_the_operator_is_mailed_about_trouble_but_not_twice_about_drift(aws: Assembly) -> None:
    subscription = aws.resource("AWS::SNS::Subscription").properties
    assert ("email", "team@example.org") == (subscription["Protocol"], subscription["Endpoint"])
    assert "MessageBody" == subscription["FilterPolicyScope"]
    fields = {next(iter(rule)) for rule in subscription["FilterPolicy"]["$or"]}
    assert {"AlarmName", "detail-type", "requestContext"} == fields
