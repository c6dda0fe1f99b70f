"""What never reaches its target waits in one queue, and an alarm says so."""

from typing import Any

from tests.infra.assembly import Assembly, as_list

QUEUE = "{DeadLettersQueue.Arn}"


def test_every_rule_schedule_and_subscription_sends_there_what_it_cannot_deliver(
    aws: Assembly,
) -> None:
    sent = {
        **{
            rule.name: aws.text(target["DeadLetterConfig"]["Arn"])
            for rule in aws.resources("AWS::Events::Rule")
            for target in rule.properties["Targets"]
        },
        **{
            schedule.name: aws.text(schedule.properties["Target"]["DeadLetterConfig"]["Arn"])
            for schedule in aws.resources("AWS::Scheduler::Schedule")
        },
        **{
            mail.name: aws.text(mail.properties["RedrivePolicy"]["deadLetterTargetArn"])
            for mail in aws.resources("AWS::SNS::Subscription")
        },
    }
    assert {"DriftDetected", "Daily", "OperatorMail"} <= {
        name.removeprefix("Retraining") for name in sent
    }
    assert {QUEUE} == set(sent.values())


def test_functions_that_nobody_waits_for_send_there_the_events_on_which_they_fail(
    aws: Assembly,
) -> None:
    sending = {
        function.name: aws.text(function.properties["DeadLetterConfig"]["TargetArn"])
        for function in aws.resources("AWS::Lambda::Function")
        if "DeadLetterConfig" in function.properties
    }
    asynchronous = (
        "DecisionsNotifierFunction",
        "DriftFunction",
        "RetrainingGuardFunction",
        "TaskWatcherFunction",
    )
    assert dict.fromkeys(asynchronous, QUEUE) == sending


def test_only_the_deployments_rules_and_its_topic_may_send_and_only_over_tls(
    aws: Assembly,
) -> None:
    (policy,) = aws.resources("AWS::SQS::QueuePolicy")
    statements = policy.properties["PolicyDocument"]["Statement"]
    refused = [s for s in statements if s["Effect"] == "Deny"]
    assert [{"Bool": {"aws:SecureTransport": "false"}}] == [s["Condition"] for s in refused]
    here = "arn:{AWS::Partition}:events:{AWS::Region}:{AWS::AccountId}"
    assert {
        "events.amazonaws.com": [
            ("ArnLike", f"{here}:rule/circle-dev-*"),
            ("ArnLike", f"{here}:rule/circle-dev/*"),
        ],
        "sns.amazonaws.com": [("ArnEquals", "{OperationsTopic}")],
    } == {
        s["Principal"]["Service"]: _sources(aws, s["Condition"])
        for s in statements
        if s["Effect"] == "Allow"
    }
    assert {"sqs:SendMessage"} == {
        a for s in statements if s["Effect"] == "Allow" for a in as_list(s["Action"])
    }


def _sources(aws: Assembly, condition: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (operator, aws.text(source))
        for operator, value in condition.items()
        for source in as_list(value["aws:SourceArn"])
    ]


def test_the_queue_keeps_what_it_gets_for_two_weeks_encrypted_and_raises_an_alarm(
    aws: Assembly,
) -> None:
    queue = aws.resource("AWS::SQS::Queue").properties
    assert (14 * 86_400, True) == (queue["MessageRetentionPeriod"], queue["SqsManagedSseEnabled"])
    alarm = aws.resource("AWS::CloudWatch::Alarm", "AlarmsDeadLetters").properties
    assert ("ApproximateNumberOfMessagesVisible", 1) == (alarm["MetricName"], alarm["Threshold"])
    (dimension,) = alarm["Dimensions"]
    assert "{DeadLettersQueue.QueueName}" == aws.text(dimension["Value"])
