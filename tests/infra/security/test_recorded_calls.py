"""The table of rights against what functions and training steps really call.

The end-to-end tests record every call of botocore (`tests/recorder`) and compare it with
`tests/recorder/calls.json`, so this is what they do, not what somebody remembers.
"""

from tests.infra.security.rights import NEEDED, Policies, with_context
from tests.recorder.calls import RARE, read_committed

NOT_RECORDED = {
    "logs:CreateLogStream": "Lambda itself",
    "logs:PutLogEvents": "Lambda itself",
    "sqs:SendMessage": "Lambda itself, for an event on which the function failed",
    "kms:Decrypt": "S3, Secrets Manager and SNS, with their caller's rights",
    "kms:GenerateDataKey": "S3 and SNS, with their caller's rights",
    "iam:PassRole": "ECS, with the rights of the step that starts a worker",
    "glue:GetDatabase": "Athena, with its caller's rights",
    "glue:GetPartitions": "Athena, with its caller's rights",
    "glue:GetTable": "Athena, with its caller's rights",
    "s3:GetBucketLocation": "Athena, with its caller's rights",
    "s3:AbortMultipartUpload": "S3's client, only when an upload fails",
}
"""Actions that no process of ours calls in an end-to-end test, and who does."""

NOT_VISITED = {"DashboardBackendRole", "LabelsRole", "TaskWatcherRole"}
"""Roles of functions that the end-to-end tests call too little; their own tests call the rest."""


def test_every_recorded_call_is_allowed(policies: Policies) -> None:
    refused = [
        (role, action, resource)
        for role, action, resource in sorted(read_committed())
        if not with_context(policies[role], action, resource)
    ]
    assert [] == refused


def test_what_a_visited_role_may_do_was_recorded_or_has_its_reason() -> None:
    recorded = {(role, action) for role, action, _ in read_committed()}
    allowed = {
        (role, action)
        for role in {role for role, _ in recorded} - NOT_VISITED
        for actions, _ in NEEDED[role]
        for action in actions.split()
        if action not in NOT_RECORDED
    }
    assert set(RARE) == allowed - recorded
