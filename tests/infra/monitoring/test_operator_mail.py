"""Who may publish to the operations topic, and which of its messages reach the operator's mailbox.

The samples are what AWS documents for each sender, cut to what differs.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.infra.assembly import Assembly, as_list

SENDER = "cloudwatch.amazonaws.com"
"""The service that says for which account it publishes; EventBridge doesn't."""


def passes(policy: Mapping[str, Any], message: Mapping[str, Any]) -> bool:
    """SNS's filter on message bodies, as far as ours uses it: nested keys, ``exists``, ``$or``."""
    for key, rule in policy.items():
        if key == "$or":
            if not any(passes(branch, message) for branch in rule):
                return False
        elif isinstance(rule, Mapping):
            inside = message.get(key)
            if not isinstance(inside, Mapping) or not passes(rule, inside):
                return False
        else:
            assert [{"exists": True}] == rule  # else this evaluator wants to know more
            if key not in message:
                return False
    return True


def _mail(kind: str) -> dict[str, Any]:
    return {
        "source": "aws.ses",
        "detail-type": f"Email {kind}",
        "detail": {"mail": {"messageId": "0100", "destination": ["team@example.org"]}},
    }


def _failure(condition: str, **response: Any) -> dict[str, Any]:
    context = {"requestId": "c6af", "functionArn": "arn", "condition": condition}
    return {"version": "1.0", "requestContext": context, "requestPayload": {}, **response}


TROUBLE = {
    "a mail that bounced": _mail("Bounced"),
    "a mail somebody complained about": _mail("Complaint Received"),
    "a mail that SES rejected": _mail("Rejected"),
    "an alarm": {
        "AlarmName": "x",
        "NewStateValue": "ALARM",
        "Trigger": {"Namespace": "circle-dev"},
    },
    "a failed training": {
        "detail-type": "TrainingFailed",
        "source": "mlops.circle",
        "detail": {},
    },
    "an execution that ended badly": {
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "detail": {"status": "TIMED_OUT"},
    },
    "a drift run that failed three times": _failure(
        "RetriesExhausted",
        responseContext={"statusCode": 200, "functionError": "Unhandled"},
        responsePayload={"errorType": "RunFailed", "errorMessage": "KeyError"},
    ),
    "a drift run that never began": _failure("EventAgeExceeded"),
}
DRIFT = {"transition": "open", "runs": [{"run_id": "r", "outcome": "data_drift", "drifted": {}}]}


@pytest.mark.parametrize("what", TROUBLE)
def test_trouble_is_mailed_to_the_operator(aws: Assembly, what: str) -> None:
    policy = aws.resource("AWS::SNS::Subscription").properties["FilterPolicy"]
    assert passes(policy, TROUBLE[what])


def test_drift_is_not_mailed_twice(aws: Assembly) -> None:
    policy = aws.resource("AWS::SNS::Subscription").properties["FilterPolicy"]
    assert not passes(policy, DRIFT)


@pytest.mark.parametrize(
    ("kind", "name", "document", "actions"),
    [
        ("AWS::SNS::TopicPolicy", "Operations", "PolicyDocument", {"sns:Publish"}),
        ("AWS::KMS::Key", "DataKey", "KeyPolicy", {"kms:Decrypt", "kms:GenerateDataKey*"}),
    ],
)
def test_a_service_may_publish_for_this_account_alone(
    aws: Assembly, kind: str, name: str, document: str, actions: set[str]
) -> None:
    [policy] = [r.properties[document] for r in aws.resources(kind) if name in r.name]
    statements = [s for s in policy["Statement"] if SENDER in _services(s)]
    allowed = {action for s in statements for action in as_list(s["Action"])}
    conditions = [s["Condition"]["StringEquals"] for s in statements]
    assert (actions, ["{AWS::AccountId}"] * len(statements)) == (
        allowed,
        [aws.text(condition["aws:SourceAccount"]) for condition in conditions],
    )


def _services(statement: Mapping[str, Any]) -> list[str]:
    principal = statement["Principal"]
    return as_list(principal.get("Service", [])) if isinstance(principal, Mapping) else []
